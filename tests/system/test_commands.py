"""Commands as a person or a script runs them: other folders, pipes, terminals, Ctrl-C."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.adapters.sql_store import SqlStore, sqlite_url
from pipeline.event_log import verify
from pipeline.loop import STAGES

pytestmark = pytest.mark.system

SHORT = str(Path(__file__).resolve().parent.parent / "data" / "short-burst.yaml")
TOCSIN = (sys.executable, "-m", "api")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}
PROMISED = {
    "recording_hash": None,
    "readings": {"published", "received", "lost", "duplicate", "rejected"},
    "incidents": {"true", "found", "missed", "false", "late"},
    "evaluation": {
        "pod",
        "far_ratio",
        "csi",
        "lead_time_min",
        "detection_delay_min",
        "location_error_m",
    },
    "stages": set(STAGES),
    "pace": {"asked", "actual"},
    "wall_s": None,
    "out": None,
}


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TOCSIN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
    )


def in_terminal(*arguments: str, cwd: Path, width: int) -> str:
    """Run a command in a terminal of its own and return what it wrote there, without colours."""
    here, there = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": str(width), "LINES": "30"}
    process = subprocess.Popen(
        [*TOCSIN, *arguments],
        stdin=there,
        stdout=there,
        stderr=there,
        cwd=cwd,
        env=environment,
        start_new_session=True,
    )
    os.close(there)
    written = b""
    try:
        while select.select([here], [], [], 60.0)[0]:
            try:
                written += os.read(here, 65_536)
            except OSError:  # the terminal's other end is closed: the command is done
                break
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(here)
    return re.sub(r"\x1b\[[0-9;]*m", "", written.decode("utf-8", "replace"))


def test_json_from_another_folder_has_all_that_is_promised(tmp_path: Path) -> None:
    with start(
        "run", SHORT, "--transport", "mqtt", "--out", "deep/run", "--json", cwd=tmp_path
    ) as run:
        output, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (0, "")
    summary = json.loads(output)
    for key, inner in PROMISED.items():
        assert key in summary
        assert inner is None or inner <= set(summary[key]), key
    assert summary["complete"] is True
    assert summary["transport"].startswith("mqtt://127.0.0.1:")
    assert summary["out"] == "deep/run"
    assert (tmp_path / "deep" / "run" / "reports").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]


def test_a_pipe_gets_plain_lines_and_the_name_of_the_report(tmp_path: Path) -> None:
    with start("run", SHORT, cwd=tmp_path) as run:
        output, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (0, "")
    assert "\x1b" not in output
    lines = output.splitlines()
    assert any(" supervise closed (done_and_recovered) " in line for line in lines)
    assert "1 of 1 incidents found, 0 false, 0 missed" in lines
    report = next(line.split(maxsplit=1)[1] for line in lines if line.startswith("report:"))
    assert (tmp_path / report).read_text(encoding="utf-8").startswith("# ")
    assert report.startswith("runs/short-burst-")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_keeps_what_it_recorded(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start("run", SHORT, "--pace", "3600", "--out", "cut", cwd=tmp_path) as run:
        assert run.stdout is not None
        assert "17% of the run" in next(line for line in run.stdout if "of the run" in line)
        run.send_signal(number)
        output, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert errors.startswith("tocsin: interrupted at 06-01 07:")
    assert errors.endswith("what was recorded is in cut\n")
    assert "stopped before the end and not scored" in output
    out = tmp_path / "cut"
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["complete"] is False
    parts = sorted((out / "readings").glob("*.parquet"))
    assert sum(pq.read_table(part).num_rows for part in parts) == manifest["readings"]["published"]
    store = SqlStore(sqlite_url(out / "loop.sqlite"))
    entries = store.entries()
    store.close()
    lines = (out / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert verify(entries) == len(entries) == len(lines)


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_the_seven_stages_and_the_pressure(tmp_path: Path, width: int) -> None:
    text = in_terminal("run", SHORT, "--out", "run", cwd=tmp_path, width=width)
    last = text.rsplit("A small burst for tests", maxsplit=1)[1]
    for number, stage in enumerate(STAGES, start=1):
        assert f"{number} {stage} " in last
    assert "closed (done_and_recovered)" in text
    assert "pressure WP-" in last
    assert "100%" in last
    assert "report:    run/reports/B-run-1.md" in last


@pytest.mark.slow
def test_the_demo_passes_all_stages_and_names_its_report(tmp_path: Path) -> None:
    text = in_terminal("demo", "--pace", "max", cwd=tmp_path, width=80)
    assert "1 of 1 incidents found, 0 false, 0 missed" in text
    for turn in ("confirmed: burst at", "isolated", "repaired", "closed (done_and_recovered)"):
        assert turn in text
    report = text.rsplit("report:", maxsplit=1)[1].split()[0]
    assert (tmp_path / report).is_file()
    assert report.startswith("runs/demo-")
