"""No stage cares about batching, restarts or partitions when gas and water are the matter."""

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.loop import LOOP
from pipeline.messages import Incident, IncidentStatus, Message
from pipeline.rules import default_rules
from pipeline.stage import Stage
from pipeline.warn.stage import WarnStage
from sensors.field import FeedbackKind, HotlineReport
from sensors.ground_truth import TrueKind
from tests.conformance.stage_properties import (
    Script,
    same_after_restart,
    same_in_any_batching,
    same_in_partitions,
    split_by_area,
)
from tests.unit.point_town import Story, at, make_stages, registry, town, truth

STAGES = tuple(step.name for step in LOOP if step.name != "monitor")
NEXT = {
    IncidentStatus.ASSESSING: {"assessing", "confirmed", "dismissed", "closed"},
    IncidentStatus.CONFIRMED: {"confirmed", "closed"},
    IncidentStatus.DISMISSED: set(),
    IncidentStatus.CLOSED: set(),
}


class Eavesdropper:
    """Passes everything on to a stage and remembers, tick by tick, what it was given."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.given: dict[int, list[Message]] = {}

    @property
    def name(self) -> str:
        return self._stage.name

    def next_due(self) -> int | None:
        return self._stage.next_due()

    def snapshot(self) -> bytes:
        return self._stage.snapshot()

    def restore(self, snapshot: bytes) -> None:
        self._stage.restore(snapshot)

    def on_batch(self, batch: Sequence[Message], now_ms: int) -> Sequence[Message]:
        self.given.setdefault(now_ms, []).extend(batch)
        return self._stage.on_batch(batch, now_ms)

    def on_time(self, now_ms: int) -> Sequence[Message]:
        self.given.setdefault(now_ms, [])
        return self._stage.on_time(now_ms)


@cache
def scripts() -> dict[str, Script]:
    """Return what each stage is given on a bad day: gas, a storm, an underpass, a dry tower."""
    ears = {name: Eavesdropper(stage) for name, stage in make_stages(town()).items()}
    story = Story(stages=dict(ears))
    true = truth("G", TrueKind.GAS_PINHOLE, "G0", 100.0, 5.0)
    story.run(10, true, truth("P", TrueKind.PONDING, "FU1", 2600.0, 10.0))
    story.run(4, GM1=1.2, FG1=20, H1=0.04)
    call = HotlineReport("C1", at(13), at(15), "gas_smell", "A", 120.0, 0.0)
    story.run(4, call, GM2=2.7, FU1=12, FP1=0, FG1=50, FM1=0.2, FM2=0.4)
    first = story.orders()[0]
    story.run(4, *story.tell(first, FeedbackKind.ARRIVED), FU1=40, FG1=75, FG2=60, GM3=4.4)
    kinds = (FeedbackKind.FOUND, FeedbackKind.ISOLATED, FeedbackKind.RESTORED, FeedbackKind.DONE)
    story.run(6, *story.tell(first, *kinds, element="G0"), GJ1=2.0)
    for order in story.orders()[1:]:
        done = FeedbackKind.ROAD_CLOSED if "police" in order.team else FeedbackKind.PUMPING
        story.run(1, *story.tell(order, FeedbackKind.ARRIVED, done, FeedbackKind.DONE))
    dry = {"GM1": 0.0, "GM2": 0.0, "GM3": 0.0, "FU1": 0.5, "FM1": 2.5, "FM2": 2.5}
    story.run(30, GJ1=2.5, H1=0.25, **dry)
    for order in story.orders()[5:]:
        story.run(1, *story.tell(order, FeedbackKind.DONE))
    story.run(120, every=10)
    return {name: sorted(ear.given.items()) for name, ear in ears.items()}


@pytest.mark.parametrize("name", STAGES)
def test_batching_changes_nothing(name: str) -> None:
    same_in_any_batching(lambda: make_stages(town())[name], scripts()[name])


@pytest.mark.parametrize("name", STAGES)
def test_a_restart_changes_nothing(name: str) -> None:
    same_after_restart(lambda: make_stages(town())[name], scripts()[name], every=3)


def test_warn_may_be_split_by_area() -> None:
    devices = registry()
    script = scripts()["warn"]
    same_in_partitions(
        lambda part, count: WarnStage(devices, default_rules()), script, split_by_area(devices)
    )


shows = st.fixed_dictionaries(
    {},
    optional={
        "GM1": st.sampled_from([0.0, 0.6, 1.5, 5.0, 30.0]),
        "GM2": st.sampled_from([0.0, 0.6, 3.0]),
        "GJ1": st.sampled_from([0.0, 1.5, 2.5]),
        "FU1": st.sampled_from([0.0, 12.0, 30.0, 80.0]),
        "FP1": st.sampled_from([0.0, 1.0]),
        "FM1": st.sampled_from([2.5, 0.8, 0.0]),
        "H1": st.sampled_from([0.25, 0.05]),
    },
)


@settings(max_examples=15, deadline=None)
@given(st.lists(shows, min_size=1, max_size=6))
def test_any_day_gives_consistent_incidents_and_no_team_two_orders(
    hours: list[dict[str, float]],
) -> None:
    story = Story()
    story.run(5)
    for hour in hours:
        story.run(7, **hour)
    newest: dict[str, Incident] = {}
    for one in story.of(Incident):
        before = newest.get(one.id)
        assert one.version == (before.version + 1 if before else 1)
        assert before is None or one.status.value in NEXT[before.status]
        assert before is None or set(before.alarms) <= set(one.alarms)
        if before is not None and before.status is IncidentStatus.CONFIRMED:
            assert one.level <= before.level
        newest[one.id] = one
    going = {}
    for order in story.orders():
        assert going.setdefault(order.team, order.incident) == order.incident
