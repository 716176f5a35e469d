"""Draw terminal.svg: the seven-stage table at the end of the demo's scenario, from a real run."""

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from api.commands.live import TableView
from api.library import find_scenario
from api.plan import plan_run
from api.session import RunSession

PICTURE = Path(__file__).resolve().with_suffix(".svg")
WIDTH = 118


def final_view() -> Console:
    """Run the scenario of `tocsin demo` as fast as it goes and return what the table ended as."""
    file = find_scenario("water-burst")
    plan = plan_run(file.scenario, file.path)
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    view = TableView(plan, console)
    with (
        tempfile.TemporaryDirectory() as folder,
        RunSession(plan, Path(folder), listener=view.entries) as session,
        view,
    ):
        while not session.is_over:
            session.step()
            view.tick(session.now_ms, session.world.true_values)
    return console


def svg_of(console: Console) -> str:
    """Return the console as SVG, without fonts to be fetched from elsewhere."""
    text = console.export_svg(title="tocsin demo", theme=MONOKAI, unique_id="tocsin")
    text = re.sub(r"\s*@font-face \{.*?\}", "", text, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def main() -> None:
    """Write the picture beside this file."""
    PICTURE.write_text(svg_of(final_view()), encoding="utf-8")


if __name__ == "__main__":
    main()
