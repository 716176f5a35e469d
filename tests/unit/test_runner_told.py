"""What operators tell the runner: journaled, worked on once, the same after a kill."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.event_log import verify
from pipeline.messages import OperatorAct, OperatorActKind, RuleText
from pipeline.ports import LogEntry
from pipeline.runners.embedded import EmbeddedRunner
from tests.unit.small_platform import Bench, KilledError, SmallWorld

TICKS = 4


def of_tick(number: int) -> list[OperatorAct | RuleText]:
    """What is told before a tick; one act is told twice."""
    kind = OperatorActKind.ACKNOWLEDGE
    made: list[OperatorAct | RuleText] = [
        OperatorAct(f"a{number}", kind, f"D/r/{number}", "li", "seen", 0),
        OperatorAct("a1", kind, "D/r/1", "li", "again", 0),
    ]
    return [*made, RuleText("r1", "rules: []", "x.yaml", "wang", 0)] if number == 2 else made


def bench_in(folder: Path) -> Bench:
    """Return a bench on a folder of its own."""
    own = folder / str(len(list(folder.iterdir())))
    own.mkdir()
    return Bench(own)


def play(bench: Bench) -> Sequence[LogEntry]:
    """Play a story in lockstep; a killed runner's successor is told the same again."""
    world, runner = SmallWorld(bench.bus), None
    for number in range(TICKS + 1):
        if number:
            world.play(number, TICKS)
        is_told = number == 0
        for _ in range(60):
            world.listen()
            if max((ack.tick for ack in world.acks), default=-1) >= number and runner is not None:
                break
            try:
                if runner is None:
                    runner = bench.runner()
                    runner.start()
                    is_told = number == 0
                if not is_told:
                    tell(runner, number)
                    is_told = True
                runner.pump(0.0)
            except KilledError:
                runner = None
        else:
            pytest.fail(f"tick {number} is never done")
    return bench.entries()


def tell(runner: EmbeddedRunner, number: int) -> None:
    for message in of_tick(number):
        runner.tell(message)


def test_what_is_told_is_in_the_log_once_before_what_follows_from_it(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    entries = play(bench)
    told = [entry for entry in entries if entry.stage == "operator"]
    assert [(one.kind, one.actor, one.subject, one.reason) for one in told] == [
        ("OperatorAct", "li", "D/r/1", "acknowledge"),
        ("OperatorAct", "li", "D/r/2", "acknowledge"),
        ("RuleText", "wang", "x.yaml", "rules_given"),
        ("OperatorAct", "li", "D/r/3", "acknowledge"),
        ("OperatorAct", "li", "D/r/4", "acknowledge"),
    ]
    assert verify(entries) == len(entries)
    assert all(one.time_ms > 0 for one in told)
    bench.close()


def test_a_kill_at_any_moment_loses_and_doubles_nothing_told(tmp_path: Path) -> None:
    undisturbed = bench_in(tmp_path)
    expected = list(play(undisturbed))
    for moment in range(1, undisturbed.killer.moments + 1):
        bench = bench_in(tmp_path)
        bench.killer.at = moment
        assert list(play(bench)) == expected, f"killed at moment {moment}"
        bench.close()
    undisturbed.close()
