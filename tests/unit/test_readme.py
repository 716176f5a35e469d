"""The README and the pages on wire and HTTP say nothing that is not so."""

import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from api.app import make_app
from api.cli import app
from docs.map import ROOT
from pipeline.loop import LOOP
from sensors.codecs import CODEC_NAMES, MAX_PAYLOAD_BYTES
from sensors.errors import RejectReason
from sensors.field import (
    Act,
    ClockAck,
    ClockTick,
    DamagedMessage,
    DeviceStatus,
    Feedback,
    FeedbackKind,
    HotlineReport,
    WorkOrder,
    decode,
    decode_numbered,
)
from sensors.ground_truth import TrueIncident
from sensors.quantities import QUANTITIES

README = (ROOT / "README.md").read_text(encoding="utf-8")
WIRE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
HTTP = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
PICTURE = ROOT / "docs" / "pictures" / "terminal.svg"
BENCHMARKS = (
    "inprocess_monitor_warn",
    "mqtt_senml_100",
    "mqtt_arrow_1000",
    "mqtt_one_reading_frames",
    "alarm_latency_p99",
    "epanet_1000_junctions_300s",
    "epanet_1000_junctions_60s",
)
TOP = "api|benchmarks|docs|examples|pipeline|scenarios|sensors|simulator|tests"


def block_lines(page: str, language: str) -> list[str]:
    """Return the lines of the fenced blocks of a language, without comments."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.strip()]


COMMANDS = sorted({line for line in block_lines(README, "sh") if line.startswith("tocsin ")})
CHEAP = [line for line in COMMANDS if line.startswith("tocsin scenarios")]


def _note(done: list[str], reached: str, /, **_: object) -> None:
    done.append(reached)


def disarmed(done: list[str]) -> Any:
    """Return the command line with each command replaced by a note that it was reached."""
    root = typer.main.get_command(app)
    waiting: list[tuple[str, Any]] = [("tocsin", root)]
    while waiting:
        name, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [(f"{name} {word}", one) for word, one in below.items()]
        if not below:
            command.callback = partial(_note, done, name)
    return root


def every_command() -> list[str]:
    """Return the commands as they are typed."""
    found, waiting = [], [("tocsin", cast(Any, typer.main.get_command(app)))]
    while waiting:
        name, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [(f"{name} {word}", one) for word, one in below.items()]
        found += [] if below else [name]
    return sorted(found)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_can_be_typed(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    for word in words:
        if word.endswith(".inp"):
            Path(word).touch()
    done: list[str] = []
    disarmed(done).main(words, standalone_mode=False)
    assert len(done) == 1
    assert line.startswith(done[0])


@pytest.mark.parametrize("line", CHEAP)
def test_a_cheap_command_of_the_readme_works(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    wanted = "teaches:" if "sample" in line else "water-burst"
    assert wanted in result.output


@pytest.mark.parametrize("command", every_command())
def test_every_command_has_its_row_in_the_readme(command: str) -> None:
    assert f"| `{command}` |" in README


def test_the_table_of_the_readme_has_no_command_that_is_gone() -> None:
    rows = re.findall(r"^\| `(tocsin [a-z -]+)` \|", README, re.MULTILINE)
    assert sorted(rows) == every_command()


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = {line.split()[1] for line in block_lines(README, "sh") if line.startswith("make ")}
    assert wanted >= {"demo", "test"}
    assert [name for name in wanted if f"\n{name}:" not in makefile] == []


@pytest.mark.parametrize("page", ["README.md", "docs/wire.md", "docs/http.md"])
def test_paths_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(rf"(?<![\w./-])((?:{TOP})/[\w./-]*\w)", text)
    named += re.findall(r"`([\w-]+\.(?:yml|md|toml))`", text)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_rest_demo_of_the_readme_is_made_of_lines_of_the_script() -> None:
    script = (ROOT / "examples" / "rest_demo.sh").read_text(encoding="utf-8").splitlines()
    places = [script.index(line) for line in block_lines(README, "bash")]
    assert places == sorted(places)
    assert len(places) > 20


def test_the_picture_is_small_and_whole_and_fetches_nothing() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    words = "".join(ElementTree.fromstring(text).itertext())
    assert [step.name for step in LOOP if step.chinese not in words] == []
    assert re.search(r"1 of 1 (incident )?found, 0 false", words.replace("\xa0", " "))
    assert not re.search(r"url\([\"']?http|href=", text)
    assert len(text) < 200_000


def test_the_page_about_the_wire_has_every_reason_codec_and_quantity() -> None:
    wanted = {*map(str, RejectReason), *CODEC_NAMES, *QUANTITIES}
    wanted |= {quantity.wire_unit for quantity in QUANTITIES.values()}
    assert sorted(word for word in wanted if f"`{word}`" not in WIRE) == []
    assert [act for act in (*Act, *FeedbackKind) if f"`{act}`" not in WIRE] == []
    assert f"over {MAX_PAYLOAD_BYTES // 2**20} MiB" in WIRE


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("clock tick", ClockTick),
        ("acknowledgement", ClockAck),
        ("heartbeats", tuple[DeviceStatus, ...]),
        ("feedback", Feedback),
        ("order", WorkOrder),
        ("hotline", HotlineReport),
        ("truth", TrueIncident),
    ],
)
def test_an_example_message_of_the_page_about_the_wire_can_be_read(row: str, kind: Any) -> None:
    found = re.search(rf"^\| {row} \| `(.*)` \|$", WIRE, re.MULTILINE)
    assert found is not None
    payload = found[1].encode()
    if b'"n":' not in payload:
        assert isinstance(decode(payload, kind), kind)
        return
    number, body = decode_numbered(payload, kind)
    assert number >= 1
    assert not isinstance(body, DamagedMessage)


def test_the_page_about_http_names_every_path(tmp_path: Path) -> None:
    paths = make_app(tmp_path, token=None, broker=None).openapi()["paths"]
    short = {path: path.removeprefix("/runs/{run_id}") or path for path in paths}
    missing = [
        path for path, tail in short.items() if f"{path}`" not in HTTP and f"{tail}`" not in HTTP
    ]
    assert missing == []


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_page_about_performance_has_a_row_and_a_text_for_each_figure(name: str) -> None:
    assert f"\n| `{name}` |" in PERFORMANCE
    assert f"**`{name.replace('epanet_1000_junctions_60s', '_60s')}`**" in PERFORMANCE
