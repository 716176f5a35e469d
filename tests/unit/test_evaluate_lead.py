"""Evaluate: what lead time is measured from, what counts as told in time, what a miss costs."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.assess.reasons import Reason as AssessReason
from pipeline.evaluate.records import FORECAST
from pipeline.messages import Message, RunEvaluation
from sensors.levels import Level
from tests.unit.loop_messages import HOUR, MIN, T0, incident, truth
from tests.unit.test_evaluate import run, verdict


def test_the_reason_of_a_forecast_is_the_one_assessment_gives() -> None:
    assert FORECAST == AssessReason.PONDING_FORECAST


def missed_and_found(misses: int) -> Sequence[Message]:
    """Return one event told 30 min before its harm, and so many that nobody told of."""
    gone = [
        truth(f"M{n}", area=f"D1{n}", x_m=1e5 * (n + 1), harm_ms=T0 + 40 * MIN)
        for n in range(misses)
    ]
    return [truth(harm_ms=T0 + 40 * MIN), incident(), *gone]


@pytest.mark.parametrize("misses", [0, 1, 3])
def test_a_missed_event_is_a_miss_with_lead_time_zero_and_in_the_miss_ratio(misses: int) -> None:
    """Acceptance item 8."""
    result = run(missed_and_found(misses))
    assert isinstance(result, RunEvaluation)
    assert (result.true, result.found, result.missed) == (1 + misses, 1, misses)
    assert result.pod is not None
    assert 1.0 - result.pod == pytest.approx(misses / (1 + misses))
    assert result.lead_time_min == pytest.approx(30.0)
    assert result.lead_time_all_min == pytest.approx(30.0 / (1 + misses))
    assert set(result.matches) == {"B1"}


def test_lead_time_counts_from_the_level_at_harm_not_from_what_it_became() -> None:
    begun = truth(level=Level.YELLOW)
    harmed = replace(begun, harm_ms=T0 + HOUR)
    grown = replace(harmed, level=Level.RED, end_ms=T0 + 3 * HOUR)
    told = incident(level=Level.YELLOW)
    for order in ([begun, harmed, grown], [grown, harmed, begun]):
        assert verdict([*order, told]).lead_time_min == pytest.approx(50.0)
    assert verdict([begun, grown, told]).lead_time_min is None  # nobody knows its level at harm


@pytest.mark.parametrize(("reason", "hits"), [("ponding_forecast", 1), ("water_stands", 0)])
def test_what_is_told_long_before_it_begins_counts_only_as_a_forecast(
    reason: str, hits: int
) -> None:
    early = truth(onset_ms=T0 + HOUR, harm_ms=T0 + 2 * HOUR)
    told = incident(reason=reason)
    measured = incident(version=2, reason="water_stands", time_ms=T0 + 70 * MIN)
    result = run([early, told, measured])
    assert (result.found, result.missed, result.false) == (hits, 1 - hits, 1 - hits)
