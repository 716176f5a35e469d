"""The examples run and print what is checked in beside them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs.map import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_is_checked_in(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == example.with_suffix(".out").read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


def test_every_checked_in_output_has_its_example() -> None:
    outputs = {path.stem for path in (ROOT / "examples").glob("*.out")}
    assert outputs == {path.stem for path in EXAMPLES}


def test_the_frame_shown_in_the_page_about_the_wire_is_the_one_the_example_prints() -> None:
    printed = (ROOT / "examples" / "one_frame.out").read_text(encoding="utf-8")
    frame = printed.partition("\n\n")[0]
    page = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
    assert frame.startswith("[{")
    assert f"```json\n{frame}\n```" in page
