"""The embedded runner survives a kill at any moment, and nothing that arrives can stop it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.event_log import verify
from pipeline.ports import LogEntry
from pipeline.runners.embedded import EmbeddedRunner, RunnerLimits
from sensors.field import ClockAck, WorkOrder, encode, encode_numbered
from sensors.transports import topics
from tests.unit.small_platform import CITY, FRAME_TOPIC, Bench, KilledError, SmallWorld

TICKS = 9
MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[MakeBench]:
    benches: list[Bench] = []

    def make() -> Bench:
        folder = tmp_path / str(len(benches))
        folder.mkdir()
        benches.append(Bench(folder))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


def play(
    bench: Bench, ticks: int = TICKS, next_moment: Callable[[], int | None] = lambda: None
) -> SmallWorld:
    """Play the story in lockstep, with a new runner whenever one is killed.

    `next_moment` says when the next runner is to be killed.
    """
    world = SmallWorld(bench.bus)
    runner: EmbeddedRunner | None = None
    for number in range(ticks + 1):
        if number:
            world.play(number, TICKS)
        for _ in range(60):
            world.listen()
            if max((ack.tick for ack in world.acks), default=-1) >= number and runner is not None:
                break
            try:
                if runner is None:
                    runner = bench.runner()
                    runner.start()
                runner.pump(0.0)
            except KilledError:
                runner = None
                bench.killer.at = next_moment()
        else:
            pytest.fail(f"tick {number} is never done")
    world.listen()
    return world


def outcome(bench: Bench, world: SmallWorld) -> tuple[list[LogEntry], dict[int, WorkOrder]]:
    orders: dict[int, WorkOrder] = {}
    for number, order in world.orders:
        assert orders.setdefault(number, order) == order, f"order {number} changed"
    assert bench.stores[-1].unsent() == []
    entries = list(bench.entries())
    assert verify(entries) == len(entries)
    return entries, orders


def test_the_story_has_everything_a_kill_can_disturb(make_bench: MakeBench) -> None:
    bench = make_bench()
    world = play(bench)
    entries, orders = outcome(bench, world)
    sums = [entry.reason for entry in entries if entry.kind == "Closure"]
    come = [[2, 3, 4, 5], [7, 8, 9], [6, 10, 11, 12, 13], [14, 15, 16, 17]]
    heard = [sum(200 + seq for group in come[:n] for seq in group) for n in (1, 2, 3, 4)]
    assert sums == [f"sum {one}" for one in heard]
    assert [entry.kind for entry in entries].count("Feedback") == 3
    assert sorted(orders) == [1, 2, 3]
    assert [ack.tick for ack in world.acks] == list(range(TICKS + 1))
    assert bench.killer.moments > 60


def test_a_kill_at_any_single_moment_changes_nothing(make_bench: MakeBench) -> None:
    undisturbed = make_bench()
    expected = outcome(undisturbed, play(undisturbed))
    for moment in range(1, undisturbed.killer.moments + 1):
        bench = make_bench()
        bench.killer.at = moment
        assert outcome(bench, play(bench)) == expected, f"killed at moment {moment}"
        assert len(bench.stores) == 2
        bench.close()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.integers(1, 30), min_size=2, max_size=6),
    snapshot_every=st.sampled_from([1, 3, 1000]),
)
def test_several_kills_and_any_snapshot_interval_change_nothing(
    make_bench: MakeBench, moments: list[int], snapshot_every: int
) -> None:
    undisturbed = make_bench()
    expected = outcome(undisturbed, play(undisturbed))
    bench = make_bench()
    bench.limits = RunnerLimits(snapshot_every, 3.0)
    bench.killer.at = 10
    left = iter(moments)

    def next_moment() -> int | None:
        wait = next(left, None)
        return None if wait is None else bench.killer.moments + wait

    assert outcome(bench, play(bench, next_moment=next_moment)) == expected
    bench.close()
    undisturbed.close()


def test_an_incomplete_tick_is_worked_on_when_patience_is_over(make_bench: MakeBench) -> None:
    bench = make_bench()
    world, runner = SmallWorld(bench.bus), bench.runner()
    runner.start()
    world.tick, world.frames = 1, 2
    world.send_frame(0)
    world.send_clock()
    pumps = 0
    while not runner.last_tick:
        runner.pump(0.0)
        pumps += 1
    assert (pumps, runner.counters.incomplete_ticks) == (6, 1)


def test_junk_does_not_make_the_runner_wait_longer(make_bench: MakeBench) -> None:
    bench = make_bench()
    world, runner = SmallWorld(bench.bus), bench.runner()
    runner.start()
    world.tick, world.frames = 1, 2
    world.send_frame(0)
    world.send_clock()
    pumps = 0
    while not runner.last_tick:
        world.client.publish(FRAME_TOPIC, b"junk")
        runner.pump(0.0)
        pumps += 1
    assert pumps == 6


def test_patience_begins_again_with_every_message_that_was_missing(make_bench: MakeBench) -> None:
    bench = make_bench()
    world, runner = SmallWorld(bench.bus), bench.runner()
    runner.start()
    world.tick, world.frames = 1, 6
    world.send_clock()
    for seq in range(5):
        runner.pump(0.0)
        runner.pump(0.0)
        world.send_frame(seq)
    assert runner.last_tick == 0
    world.send_frame(5)
    assert runner.pump(0.0) == 1
    assert runner.counters.incomplete_ticks == 0


def test_a_done_tick_that_comes_again_is_acknowledged_again(make_bench: MakeBench) -> None:
    bench = make_bench()
    world = play(bench, ticks=2)
    world.acks.clear()
    world.send_clock()
    runner = bench.runner()
    runner.start()
    runner.pump(0.0)
    world.listen()
    assert world.acks == [ClockAck(2, 0)] * 2


def test_the_first_word_is_an_acknowledgement_of_where_it_stands(make_bench: MakeBench) -> None:
    bench = make_bench()
    world = play(bench, ticks=4)
    assert world.acks[0] == ClockAck(0, 0)
    assert world.acks[-1] == ClockAck(4, 1)


@pytest.mark.parametrize("is_early", [True, False])
def test_a_store_of_another_run_is_refused(make_bench: MakeBench, is_early: bool) -> None:
    bench = make_bench()
    play(bench, ticks=0 if is_early else 4)
    bench.run = "run with another seed"
    with pytest.raises(StoreError, match="store holds the run 'run', this is 'run with another"):
        bench.runner().start()


def test_a_log_that_comes_out_differently_is_refused(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.limits = RunnerLimits(1000, 3.0)
    play(bench, ticks=4)
    store = bench.stores[-1]
    with store._connection.begin():
        store._connection.exec_driver_sql("update event_log set hash = 'x' where seq = 2")
    with pytest.raises(StoreError, match="entry 2 came out differently"):
        bench.runner().start()


def test_a_log_that_nothing_leads_to_is_refused(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.limits = RunnerLimits(1000, 3.0)
    play(bench, ticks=4)
    (bench.folder / "inbox.journal").unlink()
    with pytest.raises(StoreError, match="entries from 0 on"):
        bench.runner().start()


def test_half_a_batch_at_the_end_of_the_journal_is_dropped(make_bench: MakeBench) -> None:
    undisturbed = make_bench()
    expected = outcome(undisturbed, play(undisturbed))
    bench = make_bench()
    bench.limits = RunnerLimits(1000, 3.0)
    world = play(bench, ticks=4)
    bench.journals[-1].append([(FRAME_TOPIC, b"never acknowledged")])
    with (bench.folder / "inbox.journal").open("ab") as file:
        file.write(b"\x07\x00")
    runner = bench.runner()
    runner.start()
    for number in range(5, TICKS + 1):
        world.play(number, TICKS)
        runner.pump(0.0)
    world.listen()
    assert outcome(bench, world) == expected
    assert runner.is_over


def test_a_finished_run_is_over_after_a_restart_too(make_bench: MakeBench) -> None:
    bench = make_bench()
    play(bench)
    runner = bench.runner()
    runner.start()
    assert runner.is_over


def test_the_listener_hears_each_entry_once(make_bench: MakeBench) -> None:
    bench = make_bench()
    heard: list[LogEntry] = []
    bench.listener = heard.extend
    play(bench, ticks=5)
    bench.runner().start()
    assert heard == list(bench.entries())


def test_rejections_are_counted_once_across_a_restart(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.limits = RunnerLimits(1000, 3.0)
    world, runner = SmallWorld(bench.bus), bench.runner()
    runner.start()
    junk: Sequence[tuple[str, bytes]] = (
        (FRAME_TOPIC, b"[{}"),
        (FRAME_TOPIC.replace("g-D01", "stranger"), b"[]"),
        (FRAME_TOPIC.replace("senml_json", "morse"), b"[]"),
        (FRAME_TOPIC.replace("D01/water", "world/water"), b"[]"),
        (topics.clock_topic(CITY), b'{"tick":1'),
        (topics.clock_topic(CITY), b'{"tick":1000000000000,"time_ms":1,"frames":0}'),
        (topics.feedback_topic(CITY), encode_numbered(1, {"id": 5})),
        (topics.truth_topic(CITY), encode({"n": "one", "body": {}})),
    )
    for topic, payload in junk:
        world.client.publish(topic, payload)
    runner.pump(0.0)
    expected = {
        "malformed": 4,
        "unknown_device": 1,
        "unknown_codec": 1,
        "bad_topic": 1,
        "bad_value": 1,
    }
    for restarts in range(3):
        assert _rejected(runner) == expected, f"after {restarts} restarts"
        runner = bench.runner()
        runner.start()


def _rejected(runner: EmbeddedRunner) -> dict[str, int]:
    return {reason.value: count for reason, count in runner._intake.rejected.items()}
