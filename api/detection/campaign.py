"""Many runs: scenarios × seeds in worker processes, one line a run, resumed where it ended."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

import msgspec

from api.detection.lean import run_lean
from api.detection.places import placed
from api.detection.record import RunRecord, record_of
from api.library import ScenarioFile, find_scenario, library
from api.plan import plan_run
from pipeline.rules import RuleSet, default_rules, rules_named
from simulator.errors import SimulatorError

Told = Callable[["Progress"], object]
"""Told of each run that ended."""


@dataclass(frozen=True, slots=True)
class Task:
    """One run to be done.

    Attributes:
        scenario: Name or file of the scenario.
        seed: Seed of the run.
        places: `moved` or `filed` (`api.detection.places`).
        rules: Rule set by name or file; empty for the default.
        key: What tells this run from every other: also scenario's content and rules' version.
    """

    scenario: str
    seed: int
    places: str
    rules: str
    key: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a campaign stands.

    Attributes:
        record: The run that ended.
        done: Runs that ended, those of before included.
        total: Runs there are to be.
        left_s: Wall time until the end, by the runs so far; None before there is any.
    """

    record: RunRecord
    done: int
    total: int
    left_s: float | None


def tasks_of(
    scenarios: Sequence[str], seeds: Sequence[int], *, places: str = "moved", rules: str = ""
) -> list[Task]:
    """Return the runs of a campaign: every scenario with the first seed, then with the next.

    Args:
        scenarios: Names or files; empty for the whole library.
        seeds: Seeds.
        places: Where picked elements are.
        rules: Rule set by name or file; empty for the default.

    Raises:
        ScenarioError: there is no such scenario, or it is wrong.
        RuleError: there is no such rule set, or it is wrong.
    """
    names = list(dict.fromkeys(scenarios))
    files = [find_scenario(name) for name in names] if names else list(library())
    version = rules_of(rules).version
    return [
        Task(str(file.path), seed, places, rules, _key(file, seed, places, rules, version))
        for seed in seeds
        for file in files
    ]


def rules_of(name: str) -> RuleSet:
    """Return a rule set by name or file; the default for an empty name."""
    return rules_named(name) if name else default_rules()


def do_task(task: Task) -> RunRecord:
    """Do one run; what goes wrong in it is part of the record, so that the others go on."""
    file = find_scenario(task.scenario)
    empty = RunRecord(task.key, file.scenario.name, task.seed)
    try:
        plan = plan_run(placed(file, task.seed, task.places), file.path, seed=task.seed)
        run = run_lean(plan, rules_of(task.rules))
    except Exception as error:
        return msgspec.structs.replace(empty, error=f"{type(error).__name__}: {error}")
    said = record_of(run, plan.scenario.start_ms)
    return msgspec.structs.replace(empty, devices=len(plan.registry), **said)


def read_records(file: Path) -> list[RunRecord]:
    """Return the runs of a results file; the half line a crash leaves at its end is left out.

    Raises:
        ValueError: another line is damaged; names file and line.
    """
    if not file.is_file():
        return []
    lines = file.read_bytes().split(b"\n")
    found = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            found.append(msgspec.json.decode(line, type=RunRecord))
        except msgspec.MsgspecError as error:
            raise ValueError(f"{file}: line {number}: {error}; remove that line") from error
    return found


def run_campaign(
    tasks: Sequence[Task], file: Path, *, jobs: int = 1, told: Told = bool
) -> list[RunRecord]:
    """Do the runs that `file` does not hold yet, append each as it ends, return all of `tasks`.

    Args:
        tasks: The runs.
        file: Results, one JSON line a run; made when it is not there.
        jobs: Worker processes; 1 works in this one.
        told: Told of each run that ended.

    Raises:
        ValueError: `file` is damaged.
        SimulatorError: a worker process was killed.
        KeyboardInterrupt: passed on; what had ended is in the file.
    """
    known = {record.key: record for record in read_records(file) if not record.error}
    todo = [task for task in tasks if task.key not in known]
    walls: dict[str, list[float]] = {}
    file.parent.mkdir(parents=True, exist_ok=True)
    _drop_half_line(file)
    left = [task.scenario for task in todo]
    with file.open("ab") as lines:
        for task, record in _done(todo, jobs):
            lines.write(msgspec.json.encode(record) + b"\n")
            lines.flush()
            known[record.key] = record
            left.remove(task.scenario)
            walls.setdefault(task.scenario, []).append(record.wall_s)
            told(Progress(record, len(tasks) - len(left), len(tasks), _left_s(left, walls, jobs)))
    return [known[task.key] for task in tasks]


def _done(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, RunRecord]]:
    """Yield the runs as they end."""
    if jobs <= 1:
        for task in tasks:
            yield task, do_task(task)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("fork"), initializer=_end_at_once)
    try:
        waiting = {pool.submit(do_task, task): task for task in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise SimulatorError(
            "a worker process was killed, perhaps for want of memory; what had ended is kept: go "
            "on with --resume and fewer --jobs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_at_once() -> None:
    """Let Ctrl-C, or the end of its parent, end a worker: a run that is cut off is done again."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _left_s(left: Sequence[str], walls: dict[str, list[float]], jobs: int) -> float | None:
    every = [wall for several in walls.values() for wall in several]
    usual = sum(every) / len(every)
    means = {name: sum(several) / len(several) for name, several in walls.items()}
    return sum(means.get(name, usual) for name in left) / max(jobs, 1)


def _drop_half_line(file: Path) -> None:
    """Cut off what a crash left of a line that was being written."""
    if not file.is_file():
        return
    content = file.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with file.open("r+b") as handle:
            handle.truncate(whole)


def _key(file: ScenarioFile, seed: int, places: str, rules: str, version: str) -> str:
    name, digest = file.scenario.name, file.scenario.digest[:8]
    return f"{name}/{digest}/{places}/{rules or 'default'}-{version}/{seed}"
