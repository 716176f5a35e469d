"""The command line without running anything long: help, mistakes, exit codes, small commands."""

import json
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import typer
from typer.main import get_command

from api.cli import app
from api.commands import doctor as doctor_module
from api.commands.errors import WrongUseError, run_guarded
from api.library import find_scenario
from pipeline.errors import RuleError, StoreError
from sensors.errors import RegistryError, TransportError
from simulator.errors import InjectionError, PhysicsError, ScenarioError

SHORT = str(Path(__file__).parent.parent / "data" / "short-burst.yaml")
COMMANDS = [
    ("run",),
    ("demo",),
    ("simulate",),
    ("pipeline",),
    ("broker",),
    ("replay",),
    ("import",),
    ("serve",),
    ("doctor",),
    ("rules", "check"),
    ("rules", "show"),
    ("rules", "models"),
    ("rules", "schema"),
    ("rules", "test"),
    ("rules", "explain"),
    ("rules", "backtest"),
    ("rules", "why-not"),
    ("rules", "tune"),
    ("bench", "coupled"),
    ("bench", "detect"),
    ("bench", "quiet"),
    ("bench", "scenario"),
    ("city", "import"),
    ("city", "generate"),
    ("city", "check"),
    ("city", "show"),
    ("scenarios", "list"),
    ("scenarios", "check"),
    ("scenarios", "compose"),
    ("scenarios", "sample"),
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("TOCSIN_BROKER", "TOCSIN_RUNS", "TOCSIN_API_TOKEN", "TOCSIN_NATS_SERVER"):
        monkeypatch.delenv(name, raising=False)


def tocsin(*arguments: str) -> int:
    """Run a command line in this process and return its exit code."""
    return run_guarded(lambda **options: app(list(arguments), prog_name="tocsin", **options))


# --- help ---


def test_help_teaches_where_to_start_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "tocsin demo" in text
    assert "0 done · 1 failed · 2 wrong usage or a wrong file · 130 interrupted" in text
    assert all(f" {command[0]} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_has_an_example(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tocsin(*command, "--help") == 0
    name = " ".join(command)
    assert re.search(rf"^\s+tocsin {name}\b.*$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_examples_are_understood(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    tocsin(*command, "--help")
    lines = re.findall(r"^\s+tocsin (\S.*?)\s*$", capsys.readouterr().out, re.MULTILINE)
    for line in lines:
        with ExitStack() as stack:
            tool, words = get_command(app), re.split(r" (?:>|\||&&) ", line)[0].split()
            while hasattr(tool, "commands"):
                context = stack.enter_context(tool.make_context("tocsin", list(words)))
                name, tool, words = tool.resolve_command(context, words)
            stack.enter_context(tool.make_context(name, words))


def test_every_command_is_tested_here() -> None:
    tool = get_command(app)
    found = []
    for name, command in tool.commands.items():  # type: ignore[attr-defined]
        found += [(name, sub) for sub in getattr(command, "commands", {})] or [(name,)]
    assert sorted(found) == sorted(COMMANDS)


def test_help_comes_without_the_heavy_modules() -> None:
    code = (
        "import sys; from api.commands.errors import run_guarded; from api.cli import app; "
        "run_guarded(lambda **o: app(['run', '--help'], **o)); "
        "print(*sorted(set(sys.modules) & {'numpy', 'scipy', 'pyarrow', 'networkx', 'fastapi', "
        "'sqlalchemy', 'epanet', 'uvicorn'}), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == ""


@pytest.mark.parametrize("group", [(), ("city",), ("scenarios",), ("rules",), ("bench",)])
def test_a_group_without_a_command_shows_its_help(
    group: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tocsin(*group) == 2
    shown = capsys.readouterr()
    assert "Usage: tocsin" in shown.out + shown.err
    assert "tocsin: " not in shown.err


# --- mistakes: one line on stderr, exit code 2 ---

MISTAKES = [
    (("bogus",), "No such command 'bogus'; see `tocsin --help`"),
    (("run",), "Missing argument 'scenario'; see `tocsin run --help`"),
    (("run", SHORT, "--profile", "huge"), "profile: no 'huge'; give one of beijing, default"),
    (("simulate", SHORT, "--broker", "mqtt://h", "--no-record"), "goes with --transport none"),
    (("scenarios", "compose", "nosuch"), "no scenario 'nosuch': give a file, or one of"),
    (
        ("scenarios", "compose", SHORT, "pump-trip", "--offset", "soon"),
        "--offset soon: use a duration such as",
    ),
    (("scenarios", "compose", SHORT, "--offset", "1h"), "--offset: 1 given for 0 further"),
    (("scenarios", "sample", "--rates", "none.yaml"), "none.yaml: cannot be read"),
    (("run", SHORT, "--bogus"), "No such option: --bogus"),
    (("run", SHORT, "--seed", "x"), "'--seed'.*'x'"),
    (("run", SHORT, "--seed", "-1"), "'--seed'.*'-1'"),
    (("run", SHORT, "--transport", "pigeon"), "'pigeon' is not one of 'memory', 'mqtt'"),
    (("run", "nosuch"), "no scenario 'nosuch': give a file, or one of .*water-burst"),
    (("run", "."), "is a folder; give a scenario file"),
    (("run", SHORT, "--pace", "fast"), "pace 'fast': use max, or a number"),
    (("run", SHORT, "--pace", "0"), "above 0"),
    (("run", SHORT, "--pace", "inf"), "--pace"),
    (
        ("run", SHORT, "--city", "nosuch"),
        "nosuch: no city.json; make one with `tocsin city import` or `city generate`",
    ),
    (("run", SHORT, "--broker", "http://x"), "'http://x': write it as mqtt://host:port"),
    (("run", SHORT, "--rules", "nosuch"), "no such rule set or file"),
    (("run", SHORT, "--watch-rules"), "the default set is no file; name one with --rules"),
    (("replay", "nosuch"), "nosuch: no such folder; give one that `tocsin run` wrote"),
    (("replay", "."), r"no recording \(readings/part"),
    (("import", "a.csv", "--map", "no.yaml", "--out", "o"), "no.yaml: cannot be read"),
    (("run", SHORT, "--out", "afile"), "afile is a file; name a folder with --out"),
    (("run", SHORT, "--out", "afile/b"), "afile is a file; name a folder with --out"),
    (("run", SHORT, "--out", "used"), "used already holds a run; choose another --out"),
    (("run", "typo.yaml"), "incident B1: .*'NOPE'"),
    (("run", "junk.yaml"), "junk.yaml: must be a mapping"),
    (("simulate", SHORT), "Missing option '--broker'.*TOCSIN_BROKER"),
    (("simulate", SHORT, "--broker", "x"), "broker URL 'x': write it as"),
    (("simulate", SHORT, "--broker", "mqtt://h", "--out", "used"), "used already holds a run"),
    (("pipeline", SHORT, "--broker", "mqtt://h:1:2"), "broker URL 'mqtt://h:1:2'"),
    (("pipeline", SHORT, "--broker", "mqtt://h", "--out", "afile"), "afile is a file"),
    (("pipeline", SHORT, "--broker", "mqtt://h", "--out", "other"), "another scenario than short"),
    (("serve", "--host", "0.0.0.0"), "0.0.0.0 is not loopback: set TOCSIN_API_TOKEN"),
    (("serve", "--runs", "afile"), "--runs afile: afile is a file"),
    (("city", "import", "none.inp"), "none.inp does not exist; give an EPANET network file"),
    (("city", "import", "."), "is a folder; give an EPANET network file"),
    (("city", "import", "junk.yaml"), "junk.yaml: the file has no junction or no source"),
    (("city", "generate", "--junctions", "3"), "'--junctions'.*'3'"),
    (("city", "generate", "--out", "other"), "other holds other things; name a new folder"),
    (("city", "show", "."), "no city.json"),
    (("city", "show", ".", "--map", "map.txt"), "--map map.txt: .*name a .png file"),
    (("scenarios", "check", "none.yaml"), "none.yaml: cannot be read"),
    (("scenarios", "check", "mars.yaml"), "mars.yaml: profile: no 'mars'; give one of"),
    (("doctor", "--only", "luck"), "'luck' is not one of"),
]


@pytest.fixture(name="_traps")
def _make_traps() -> None:
    Path("afile").touch()
    Path("junk.yaml").write_text("just words", encoding="utf-8")
    text = Path(SHORT).read_text(encoding="utf-8")
    Path("typo.yaml").write_text(text.replace("{pick: main, seed: 4}", "NOPE"), encoding="utf-8")
    Path("mars.yaml").write_text(f"{text}profile: mars\n", encoding="utf-8")
    Path("used").mkdir()
    Path("used/manifest.json").touch()
    Path("other").mkdir()
    other = text.replace("name: short-burst", "name: another")
    Path("other/scenario.json").write_text(other, encoding="utf-8")


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda value: str(value)[:70])
@pytest.mark.usefixtures("_traps")
def test_a_mistake_is_told_in_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tocsin(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(rf"tocsin: .*{said}.*\n", shown.err), shown.err


def test_a_broker_that_is_not_there_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held:  # bound and not listening: nobody answers
        held.bind(("127.0.0.1", 0))
        url = f"mqtt://127.0.0.1:{held.getsockname()[1]}"
        for command in ("run", "simulate", "pipeline"):
            assert tocsin(command, SHORT, "--broker", url) == 1
            shown = capsys.readouterr()
            assert shown.out == ""
            assert shown.err.startswith(f"tocsin: no MQTT broker at {url[7:]} ")
            assert "start one with `tocsin broker`" in shown.err
            assert shown.err.count("\n") == 1
    assert not [file for file in Path("runs").rglob("*") if file.is_file()]


@pytest.mark.parametrize("command", ["broker", "serve"])
def test_a_port_in_use_is_a_failure(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert tocsin(command, "--port", port) == 1
    shown = capsys.readouterr()
    assert shown.err == (
        f"tocsin: cannot listen on 127.0.0.1:{port} (address already in use); choose another "
        "--port or --host\n"
    )


# --- exit codes ---


def raising(error: BaseException) -> int:
    def command(**_: object) -> None:
        raise error

    return run_guarded(command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongUseError("x"), 2),
        (ScenarioError("x"), 2),
        (InjectionError("x"), 2),
        (RegistryError("x"), 2),
        (RuleError("x"), 2),
        (FileExistsError("x"), 2),
        (PhysicsError("x"), 1),
        (TransportError("x", retryable=True), 1),
        (StoreError("x"), 1),
        (OSError("x"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_expected_error_is_one_line_and_a_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(error) == code
    assert capsys.readouterr().err == "tocsin: x\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort(), typer.Exit(130)])
def test_an_interruption_is_130(error: BaseException) -> None:
    assert raising(error) == 130


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), AssertionError("x")])
def test_a_defect_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        raising(error)


def test_the_system_says_which_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(PermissionError(13, "Permission denied", "/x/y")) == 1
    assert capsys.readouterr().err == "tocsin: /x/y: Permission denied\n"


@pytest.mark.parametrize(("value", "code"), [(None, 0), (0, 0), (1, 1), (130, 130)])
def test_a_command_returns_its_code(value: object, code: int) -> None:
    assert run_guarded(lambda **_: value) == code


def test_older_typer_raises_the_complaints_of_click() -> None:
    assert issubclass(typer.BadParameter.__mro__[1], Exception)
    assert typer.BadParameter.__mro__[1].__name__ == click.UsageError.__name__


# --- small commands ---


def test_the_demo_takes_about_a_minute_and_a_half() -> None:
    options = get_command(app).commands["demo"].params  # type: ignore[attr-defined]
    pace = next(float(option.default) for option in options if option.name == "pace")
    assert 80 <= find_scenario("water-burst").scenario.duration / pace <= 100


def test_a_town_is_generated_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("city", "generate", "--junctions", "40", "--seed", "3") == 0
    generated = capsys.readouterr().out
    assert generated.startswith("Town 3 (town3) in cities/town3\n")
    rows = [line.split() for line in generated.splitlines()]
    assert ["nodes", "water", "junction", "41"] in rows
    assert re.search(r"[\d.]+ km of links, mean demand [\d,]+ m3/h, [\d,]+ people", generated)
    assert tocsin("city", "show", "cities/town3") == 0
    assert capsys.readouterr().out == generated


def test_a_city_may_be_made_anew_in_its_own_folder() -> None:
    arguments = ("city", "generate", "--junctions", "40", "--out", "here")
    assert [tocsin(*arguments), tocsin(*arguments)] == [0, 0]


def test_an_epanet_file_is_imported_under_a_name_with_brackets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tocsin("city", "generate", "--junctions", "40", "--out", "town")
    capsys.readouterr()
    name = "Old [Town] [/bold]"
    arguments = ("town/networks/water.inp", "--name", name, "--pressure-share", "0.5")
    assert tocsin("city", "import", *arguments) == 0
    assert capsys.readouterr().out.startswith(f"{name} (old-town-bold) in cities/old-town-bold\n")


def test_scenarios_are_listed_with_what_they_teach(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("scenarios", "list") == 0
    shown = capsys.readouterr().out
    assert re.search(r"^water-burst +24 +One burst from onset to report", shown, re.MULTILINE)


@pytest.mark.usefixtures("_traps")
def test_all_scenario_files_are_checked_whatever_is_wrong_with_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tocsin("scenarios", "check", "junk.yaml", SHORT, "typo.yaml") == 2
    shown = capsys.readouterr()
    assert shown.out == f"{SHORT}: short-burst is right\n"
    lines = shown.err.splitlines()
    assert lines[0].startswith("tocsin: junk.yaml: must be a mapping")
    assert lines[1].startswith("tocsin: typo.yaml: incident B1: ")
    assert tocsin("scenarios", "check", SHORT) == 0


# --- doctor ---


def test_the_doctor_finds_this_installation_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("doctor") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "python:"],
        ["ok", "packages:"],
        ["ok", "epanet:"],
        ["ok", "broker:"],
        ["ok", "runs:"],
    ]
    assert not Path("runs").exists()


def test_the_doctor_names_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"mqtt://127.0.0.1:{held.getsockname()[1]}"
        assert tocsin("doctor", "--only", "broker", "--broker", url) == 1
    assert capsys.readouterr().out.startswith(f"wrong broker: no MQTT broker at {url[7:]} ")


def test_another_program_in_the_same_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"api": ["tocsin", "some-api"], "sensors": ["tocsin"]}
    monkeypatch.setattr(doctor_module.importlib.metadata, "packages_distributions", lambda: owners)
    with pytest.raises(
        RuntimeError, match="package 'api' also comes from some-api; install tocsin"
    ):
        doctor_module.check_packages()


def test_a_runs_folder_that_cannot_be_written_is_noted_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOCSIN_RUNS", "/proc/none/runs")
    assert tocsin("doctor", "--only", "runs") == 0
    assert capsys.readouterr().out.startswith("note  runs: /proc/none/runs cannot be written (")


def test_json_is_all_there_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("run", SHORT, "--out", "r", "--json") == 0
    shown = capsys.readouterr()
    summary = json.loads(shown.out)
    assert (summary["complete"], summary["out"]) == (True, "r")
    assert shown.err == ""


def test_the_world_runs_alone_without_broker_and_recording(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone = ("simulate", SHORT, "--transport", "none", "--json")
    assert tocsin(*alone, "--no-record", "--out", "w") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["complete"]
    assert summary["readings"]["published"] > 1000
    assert [item.name for item in Path("w").iterdir()] == ["manifest.json"]


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("--version") == 0
    assert capsys.readouterr().out == f"tocsin {version('tocsin')}\n"


def test_what_the_world_alone_recorded_can_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert tocsin("simulate", SHORT, "--transport", "none", "--json", "--out", "w") == 0
    published = json.loads(capsys.readouterr().out)["readings"]["published"]
    assert tocsin("replay", "w", "--json", "--out", "again") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["complete"]
    assert again["readings"]["received"] == published
    assert again["incidents"]["found"] == 1


def test_what_compose_and_sample_print_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    lines = (
        ("compose", "pump-trip", "burst-small", "--offset", "4h"),
        ("sample", "--days", "2", "--seed", "3", "--scale", "20", "--corners", "100"),
    )
    for number, line in enumerate(lines):
        assert tocsin("scenarios", *line) == 0
        Path(f"{number}.yaml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert tocsin("scenarios", "check", "0.yaml", "1.yaml") == 0
    assert capsys.readouterr().out.count(" is right") == 2
