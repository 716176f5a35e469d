"""The commands of docs/backtests.md work, on a shorter run of the same scenario."""

import inspect
import shlex
from pathlib import Path

import pytest

from api.cli import app
from api.commands import rules as rules_command
from api.commands.errors import run_guarded
from api.library import find_scenario
from api.plan import plan_run
from api.session import RunSession

PAGE = Path(__file__).parents[2] / "docs" / "backtests.md"
COMMANDS = PAGE.read_text("utf-8").partition("```sh\n")[2].partition("```")[0].splitlines()
HOURS = 8
"""The burst is at ten past six."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the run the page begins with, cut short, and a rule file."""
    folder = tmp_path_factory.mktemp("page")
    words = shlex.split(COMMANDS[0])
    assert words[:2] + words[3:4] == ["tocsin", "run", "--out"]
    file = find_scenario(words[2])
    short = file.scenario.model_copy(update={"duration": HOURS * 3600})
    with RunSession(plan_run(short, file.path), folder / words[4]) as session:
        while not session.is_over:
            session.step()
        session.finish()
    (folder / "mine.yaml").write_text("format: 1\nextends: national\n", "utf-8")
    return folder


@pytest.mark.parametrize("line", COMMANDS[1:])
def test_a_command_of_the_page_works(
    line: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    words = shlex.split(line)[1:]
    code = run_guarded(lambda standalone_mode: app(words, standalone_mode=standalone_mode))
    assert code == 0, capsys.readouterr().err


def test_the_help_of_explain_has_the_example_of_the_page() -> None:
    (line,) = (one for one in COMMANDS if one.startswith("tocsin rules explain"))
    assert line in inspect.getdoc(rules_command.explain).splitlines()[-1]  # type: ignore[union-attr]
