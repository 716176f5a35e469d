"""Whatever strangers and broken senders put on the wire: it is counted, and changes nothing."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipeline.messages import Message
from pipeline.runners.embedded import EmbeddedRunner
from sensors.field import ClockTick, decode, encode
from sensors.ground_truth import TrueIncident
from sensors.transports import topics
from sensors.transports.memory import MemoryBus
from tests.system.wire_story import Raw, WireStory, clock_topic_of, open_platform, record_story

pytestmark = [pytest.mark.system, pytest.mark.slow]

HOUR_MS = 3_600_000
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Junk:
    """A message nobody should send, and the reasons it may be counted under (none: it is not)."""

    topic: str
    payload: bytes
    reasons: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> WireStory:
    return record_story(tmp_path_factory.mktemp("story"))


# Kinds of junk. Each is given a story, the number of the tick in which it is sent, and `draw`.

ANY_REASON = (
    "malformed",
    "no_identity",
    "must_understand",
    "unknown_codec",
    "too_large",
    "registry_mismatch",
)


def random_bytes(story: WireStory, tick: int, draw: Draw) -> Junk:
    frame_topic, _ = draw(st.sampled_from(story.frames))
    number_topic, _ = draw(st.sampled_from(story.numbered))
    topic = draw(st.sampled_from([frame_topic, number_topic, clock_topic_of(story)]))
    return Junk(topic, draw(st.binary(max_size=80)), ANY_REASON)


def truncated(story: WireStory, tick: int, draw: Draw) -> Junk:
    real = [*story.frames, *story.numbered, story.ticks[tick - 1][-1]]
    topic, payload = draw(st.sampled_from(real))
    return Junk(topic, payload[: draw(st.integers(0, len(payload) - 1))], ANY_REASON)


def other_json(story: WireStory, tick: int, draw: Draw) -> Junk:
    anything = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    )
    payload = json.dumps(draw(anything)).encode()
    topic, _ = draw(st.sampled_from([*story.frames, *story.numbered, story.ticks[tick - 1][-1]]))
    return Junk(topic, payload, ANY_REASON)


def bad_reading(story: WireStory, tick: int, draw: Draw) -> Junk:
    """A frame of one reading that is refused for one reason; its gateway is a real one."""
    topic, payload = draw(st.sampled_from(story.frames))
    pack = json.loads(payload)
    head = {"gw": pack[0]["gw"], "boot": 2**40, "seq": draw(st.integers(0, 2**53 - 1))}
    head["st"] = decode(story.ticks[tick - 1][-1][1], ClockTick).time_ms
    name, unit = pack[0].get("bn", "") + pack[0].get("n", ""), pack[0].get("bu") or pack[0].get("u")
    good = {**head, "n": name, "u": unit, "t": head["st"] / 1000, "v": 0.3}
    change, reason = draw(
        st.sampled_from(
            [
                ({"n": "nobody-knows-me"}, "unknown_device"),
                ({"u": "furlong"}, "wrong_unit"),
                ({"t": 1e11}, "far_future"),
                ({"t": head["st"] / 1000 - 500 * 86_400}, "far_past"),
                ({"v": "much"}, "bad_value"),
                ({"seq": -1}, "no_identity"),
                ({"seq": 2**60}, "no_identity"),
                ({"boot": "yes"}, "no_identity"),
                ({"gw": 7}, "no_identity"),
                ({"bver": 99}, "must_understand"),
                ({"x_": 1}, "must_understand"),
                ({"st": 2**53 - 1}, "far_future"),
            ]
        )
    )
    changed = {**good, **change}
    return Junk(topic, json.dumps([changed]).encode(), (reason,))


def wrong_topic(story: WireStory, tick: int, draw: Draw) -> Junk:
    topic, payload = draw(st.sampled_from(story.frames))
    _, city, area, domain, gateway, kind, codec = topic.split("/")
    other = next(one.split("/")[4] for one, _ in story.frames if one.split("/")[4] != gateway)
    parts, reason = draw(
        st.sampled_from(
            [
                ((city, area, domain, "stranger", kind, codec), "unknown_device"),
                ((city, area, domain, other, kind, codec), "bad_topic"),
                ((city, area, domain, gateway, kind, "morse"), "unknown_codec"),
                ((city, "world", domain, gateway, kind, codec), "bad_topic"),
                ((city, "platform", domain, gateway, kind, codec), "bad_topic"),
                ((city, "x" * 300, domain, gateway, kind, codec), "bad_topic"),
                ((city, "Ü", domain, gateway, kind, codec), "bad_topic"),
            ]
        )
    )
    return Junk("/".join(("tocsin", *parts)), payload, (reason,) * len(json.loads(payload)))


def absurd_clock(story: WireStory, tick: int, draw: Draw) -> Junk:
    real = decode(story.ticks[tick - 1][-1][1], ClockTick)
    last_ms = real.time_ms - 60_000
    counts = dict(real.messages)
    forged, reasons = draw(
        st.sampled_from(
            [
                (ClockTick(10**12, real.time_ms, 0), ("bad_value",)),
                (ClockTick(10**30, 10**30, 10**30), ("bad_value",)),
                (ClockTick(tick + 50, 10**30, 0), ("bad_time",)),
                (ClockTick(tick, real.time_ms + 1, 10**30), ("bad_value",)),
                (ClockTick(-5, real.time_ms, 0), ("bad_value",)),
                (ClockTick(tick, last_ms, real.frames, counts), ("bad_time",)),
                (ClockTick(tick, 0, real.frames, counts), ("bad_time",)),
                (ClockTick(tick, last_ms + 2 * HOUR_MS, real.frames, counts), ("bad_time",)),
                (ClockTick(tick, real.time_ms, 10**9, counts), ("bad_value",)),
                (ClockTick(tick, real.time_ms, -1, counts), ("bad_value",)),
                (ClockTick(tick, real.time_ms, 0, {"state": 10**9}), ("bad_value",)),
                (ClockTick(tick, real.time_ms, real.frames + 99_999, counts), ()),
                (ClockTick(tick, real.time_ms, real.frames + 99_999, counts, is_final=True), ()),
                (ClockTick(10**6, real.time_ms + HOUR_MS, 10**6, is_final=True), ()),
                (ClockTick(tick + 9, real.time_ms + 9, 10**6, {"gossip": 10**30}), ()),
                (ClockTick(tick + 50, real.time_ms + HOUR_MS, real.frames, counts), ()),
            ]
        )
    )
    return Junk(clock_topic_of(story), encode(forged), reasons)


def bad_number(story: WireStory, tick: int, draw: Draw) -> Junk:
    topic, payload = draw(st.sampled_from(story.numbered))
    body = json.loads(payload)["body"]
    number, reason = draw(
        st.sampled_from(
            [
                (0, "bad_value"),
                (-1, "bad_value"),
                (10**9, "bad_value"),
                (10**30, "bad_value"),
                ("1", "malformed"),
                (1.5, "malformed"),
                (None, "malformed"),
            ]
        )
    )
    return Junk(topic, json.dumps({"n": number, "body": body}).encode(), (reason,))


def bad_body(story: WireStory, tick: int, draw: Draw) -> Junk:
    """A body that cannot be read under a number that may be the very next one."""
    topic, payload = draw(st.sampled_from(story.numbered))
    sent = json.loads(payload)
    body = sent["body"][0] if isinstance(sent["body"], list) else sent["body"]
    keys = [one for one in sorted(body) if body[one] is not None and one != "detectable_ms"]
    key = draw(st.sampled_from(keys))
    wrong: Any = draw(st.sampled_from([{"a": [1]}, [None], "\0" if key == "id" else {}]))
    changed = {**body, key: wrong}
    forged = {"n": sent["n"], "body": [changed] if isinstance(sent["body"], list) else changed}
    return Junk(topic, json.dumps(forged).encode(), ("malformed", "bad_value"))


def absurd_body(story: WireStory, tick: int, draw: Draw) -> Junk:
    topic, payload = draw(st.sampled_from(story.numbered))
    sent = json.loads(payload)
    body = sent["body"][0] if isinstance(sent["body"], list) else sent["body"]
    key = next(one for one in ("onset_ms", "time_ms") if one in body)
    changed = {**body, key: draw(st.sampled_from([10**30, 2**63, -(2**64)]))}
    forged = {"n": sent["n"], "body": [changed] if isinstance(sent["body"], list) else changed}
    return Junk(topic, json.dumps(forged).encode(), ("bad_value",))


def repeated(story: WireStory, tick: int, draw: Draw) -> Junk:
    """A message of this or an earlier tick once more."""
    earlier = [message for messages in story.ticks[:tick] for message in messages]
    return Junk(*draw(st.sampled_from(earlier)))


def not_for_us(story: WireStory, tick: int, draw: Draw) -> Junk:
    city = story.city
    elsewhere = [topics.ack_topic(city), topics.order_topic(city, "O-1"), f"tocsin/{city}/x"]
    return Junk(draw(st.sampled_from(elsewhere)), draw(st.binary(max_size=40)))


MAKERS = (
    random_bytes,
    truncated,
    other_json,
    bad_reading,
    wrong_topic,
    absurd_clock,
    bad_number,
    bad_body,
    absurd_body,
    repeated,
    not_for_us,
)


def disturbed(story: WireStory, draw: Draw, size: int) -> tuple[list[list[Raw]], list[Junk]]:
    """Return the story's ticks with junk put between their messages, and the junk."""
    ticks = [list(tick) for tick in story.ticks]
    junk: list[Junk] = []
    for _ in range(draw(st.integers(1, size))):
        number = draw(st.integers(1, len(ticks)))
        one = draw(st.sampled_from(MAKERS))(story, number, draw)
        ticks[number - 1].insert(
            draw(st.integers(0, len(ticks[number - 1]))), (one.topic, one.payload)
        )
        junk.append(one)
    return ticks, junk


def play(runner: EmbeddedRunner, bus: MemoryBus, ticks: Sequence[Sequence[Raw]]) -> None:
    stranger = bus.client("stranger")
    for tick in ticks:
        for topic, payload in tick:
            stranger.publish(topic, payload)
        runner.pump(0.0)


def rejected(runner: EmbeddedRunner) -> dict[str, int]:
    return runner.reading_counts().by_reason


def test_the_story_is_one_of_a_found_burst(story: WireStory) -> None:
    kinds = {entry.kind for entry in story.entries}
    assert {"Alarm", "Incident", "WarningNotice", "Dispatch", "Feedback", "Bulletin"} <= kinds
    assert story.rejected == 0


@settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_junk_between_the_messages_of_a_run_is_counted_and_changes_nothing(
    story: WireStory, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    ticks, junk = disturbed(story, data.draw, 60)
    bus = MemoryBus()
    with open_platform(story, bus, tmp_path_factory.mktemp("fuzz")) as runner:
        play(runner, bus, ticks)
        assert runner.is_over
        assert runner.entries() == story.entries
        counts = rejected(runner)
    certain = [one for one in junk if one.reasons]
    assert sum(counts.values()) >= len(certain)
    for reason in {one.reasons[0] for one in certain if len(set(one.reasons)) == 1}:
        assert counts[reason] >= sum(set(one.reasons) == {reason} for one in certain)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda one: one.__name__)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_each_kind_of_junk_is_counted_under_its_reason(
    story: WireStory,
    runner_at_noon: EmbeddedRunner,
    maker: Callable[[WireStory, int, Draw], Junk],
    data: st.DataObject,
) -> None:
    """The platform stands at the tick before the last and is given one piece of junk."""
    junk = maker(story, len(story.ticks), data.draw)
    before = rejected(runner_at_noon)
    bus = BUSES[id(runner_at_noon)]
    bus.client("stranger").publish(junk.topic, junk.payload)
    runner_at_noon.pump(0.0)
    after = rejected(runner_at_noon)
    new = {one: n - before.get(one, 0) for one, n in after.items() if n != before.get(one, 0)}
    assert runner_at_noon.last_tick == len(story.ticks) - 1
    assert set(new) <= set(junk.reasons)
    assert bool(new) == bool(junk.reasons)


BUSES: dict[int, MemoryBus] = {}


@pytest.fixture
def runner_at_noon(story: WireStory, tmp_path: Path) -> Any:
    """A platform at the last tick but one, without the messages of the last."""
    bus = MemoryBus()
    with open_platform(story, bus, tmp_path) as runner:
        play(runner, bus, story.ticks[:-1])
        BUSES[id(runner)] = bus
        yield runner
        del BUSES[id(runner)]


@pytest.mark.parametrize(
    ("snapshot_every", "kills"), [(1, (70, 71)), (17, (66, 90, 150)), (999, (80,))]
)
def test_a_platform_killed_in_a_burst_goes_on_as_if_nothing_had_been(
    story: WireStory, tmp_path: Path, snapshot_every: int, kills: Sequence[int]
) -> None:
    bus = MemoryBus()
    begin = 0
    for end in (*kills, len(story.ticks)):
        with open_platform(story, bus, tmp_path, snapshot_every) as runner:
            play(runner, bus, story.ticks[begin:end])
            assert runner.last_tick == end
            if end == len(story.ticks):
                assert runner.entries() == story.entries
            runner._snapshot = lambda: None  # type: ignore[method-assign]
        begin = end


def test_ground_truth_reaches_evaluate_alone(
    story: WireStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: dict[str, set[type]] = {}

    def spied(name: str, stage: Any) -> Any:
        on_batch, types = stage.on_batch, heard.setdefault(name, set())

        def listen(batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
            types.update(map(type, batch))
            said: Sequence[Message] = on_batch(batch, now_ms)
            return said

        monkeypatch.setattr(stage, "on_batch", listen)
        return stage

    bus = MemoryBus()
    with open_platform(story, bus, tmp_path) as runner:
        for name, stage in runner._stages.items():
            spied(name, stage)
        play(runner, bus, story.ticks)
    assert len(heard) == 7
    assert all(heard.values())
    assert [name for name, types in heard.items() if TrueIncident in types] == ["evaluate"]
