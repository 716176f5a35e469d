"""Areas may be worked on apart, and a restart after any tick changes nothing at the alarm desk."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages import Alarm, AlarmState, Message, OperatorAct, OperatorActKind
from pipeline.rules import AlarmPolicy, Inhibition, Silence
from pipeline.stage import pack, unpack
from pipeline.warn.management.desk import AlarmDesk, DeskState
from sensors.levels import Level
from tests.unit.alarm_stories import AREAS, DEVICES, MIN, REGISTRY, T0, act, alarm, rule, rule_set

RULES = rule_set(
    rule("p"),
    rule("q"),
    rule("latched", is_latching=True, is_chain_of="q"),
    policy=AlarmPolicy(
        flood_begins=3,
        flood_ends=2,
        group_window_s=900.0,
        chatter_window_s=1200.0,
        stale_s=3600.0,
        most_shelved_s=1200.0,
    ),
    silences=(Silence("noon", {"rule": "p", "device": "*0001"}, "test", "12:00", "13:00"),),
    inhibitions=(Inhibition("i", {"rule": "q", "level": "red"}, {"rule": "p"}, ("area",), "test"),),
)
ALARM_KINDS = tuple(AlarmState)
ACTS = tuple(kind for kind in OperatorActKind if kind.value not in ("approve", "reject", "cancel"))
PLACES = [name for area in AREAS for name in DEVICES[area][:3]]

alarms = st.tuples(
    st.sampled_from(PLACES),
    st.sampled_from(("p", "q", "latched")),
    st.sampled_from(ALARM_KINDS),
    st.sampled_from((Level.RED, Level.YELLOW)),
    st.integers(0, 1),
)
acts = st.tuples(
    st.sampled_from(ACTS),
    st.sampled_from(("device", "area", "rule", "alarm", "hold")),
    st.sampled_from(PLACES),
    st.integers(-5, 90),
)
ticks = st.lists(
    st.tuples(st.integers(1, 25), st.lists(alarms, max_size=6), st.lists(acts, max_size=2)),
    min_size=3,
    max_size=14,
)


def script(
    drawn: Sequence[tuple[int, list[tuple], list[tuple]]],
) -> list[tuple[int, list[Message]]]:
    """Return (now, messages) by tick; half of the alarms go on where another left off."""
    now, told = T0, list[tuple[int, list[Message]]]()
    raised: dict[tuple[str, str], int] = {}
    for minutes, some, done in drawn:
        now += minutes * MIN
        messages: list[Message] = []
        for number, (kind, by, place, until) in enumerate(done):
            more = {"until_ms": 0 if until < 0 else now + until * MIN, "time_ms": now}
            target, matchers = "", {}
            if by == "alarm":
                target = f"{place}/p/{raised.get((place, 'p'), 1)}"
            elif by == "hold":
                target = f"a{now - minutes * MIN}-0"
            else:
                matchers = {by: {"device": place, "area": place[3:6], "rule": "p"}[by]}
            name = f"a{now}-{number}"
            messages.append(act(kind, target, id=name, matchers=matchers, **more))
        for place, name, state, level, is_new in some:
            key = (place, name)
            if is_new or key not in raised:
                raised[key] = now
            messages.append(alarm(place, name, state, level, raised_ms=raised[key], at_ms=now))
        told.append((now, messages))
    return told


def play(desk: AlarmDesk, now: int, messages: Sequence[Message]) -> list[bytes]:
    for one in messages:
        if isinstance(one, OperatorAct):
            desk.take(one)
    said = desk.handle([one for one in messages if isinstance(one, Alarm)], now)
    return [pack(type(one).__name__, 0, one) for one in said]


@settings(max_examples=120, deadline=None)
@given(drawn=ticks)
def test_areas_worked_on_apart_say_the_same_together(drawn: list) -> None:
    whole = AlarmDesk(REGISTRY, RULES)
    parts = {area: AlarmDesk(REGISTRY, RULES) for area in AREAS}
    for now, messages in script(drawn):
        together: list[bytes] = []
        for area, desk in parts.items():
            mine = [one for one in messages if not isinstance(one, Alarm) or one.area == area]
            together += play(desk, now, mine)
        assert sorted(together) == sorted(play(whole, now, messages))


@settings(max_examples=80, deadline=None)
@given(drawn=ticks)
def test_a_restart_after_any_tick_changes_nothing(drawn: list) -> None:
    steady, restarted = AlarmDesk(REGISTRY, RULES), AlarmDesk(REGISTRY, RULES)
    for now, messages in script(drawn):
        assert play(restarted, now, messages) == play(steady, now, messages)
        kept = pack("desk", 1, restarted.state)
        restarted = AlarmDesk(REGISTRY, RULES)
        restarted.state = unpack(kept, "desk", 1, DeskState)
        assert pack("desk", 1, restarted.state) == kept
        assert restarted.next_due() == steady.next_due()


@settings(max_examples=80, deadline=None)
@given(drawn=ticks)
def test_every_alarm_given_comes_back_in_its_place(drawn: list) -> None:
    desk = AlarmDesk(REGISTRY, RULES)
    for now, messages in script(drawn):
        given_ = [one for one in messages if isinstance(one, Alarm)]
        for one in messages:
            if isinstance(one, OperatorAct):
                desk.take(one)
        back = [one for one in desk.handle(given_, now) if isinstance(one, Alarm)]
        assert [(one.id, one.state) for one in back[: len(given_)]] == [
            (one.id, one.state) for one in given_
        ]
