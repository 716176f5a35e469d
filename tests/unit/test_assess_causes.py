"""Decisions by hand-made evidence: causes, level, consequence and colours."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assess.causes import AlarmPicture, decide, decide_without_model
from pipeline.assess.consequence import (
    Corroboration,
    Exposure,
    assess_level,
    consequence_of,
    live_likelihood,
    risk_colour,
)
from pipeline.assess.evidence import Evidence
from pipeline.assess.locate import LeakFit
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.reasons import Adjustment, Reason
from pipeline.messages import Cause
from sensors.levels import Level

POLICY = AssessPolicy()


def evidence(residual: Sequence[float], modelled: Sequence[float] | None = None) -> Evidence:
    left = np.array(residual)
    model = np.zeros(len(left)) if modelled is None else np.array(modelled)
    noise = np.full(len(left), 0.005)
    return Evidence(
        device=np.arange(len(left)),
        is_pressure=np.ones(len(left), bool),
        measured=left + model,
        modelled=model,
        noise=noise,
        sigma=np.hypot(noise, 0.25 * model),
        before=np.full(len(left), 0.3),
        after=0.3 + left + model,
        after_ms=np.zeros(len(left), np.int64),
    )


def picture(**changes: object) -> AlarmPicture:
    values: dict[str, object] = {
        "is_over": False,
        "is_raised": True,
        "low_head": 0,
        "devices": (0,),
        "is_doubtful": False,
        "is_due": False,
    }
    return AlarmPicture(**(values | changes))  # type: ignore[arg-type]


def fit(gain: float, share: float = 0.9) -> LeakFit:
    return LeakFit(("P1",), (1.0,), gain, share, 100.0, np.zeros(1))


def test_unconfirmed_single_device_waits() -> None:
    assert decide(evidence([-0.05, 0.0]), None, picture(is_raised=False), POLICY) is None


@pytest.mark.parametrize(
    ("gain", "cause"), [(49.0, Cause.BURST), (45.0, Cause.DEVICE_FAULT)], ids=["leak", "fault"]
)
def test_lone_device_is_a_fault_only_when_it_beats_the_leak(gain: float, cause: Cause) -> None:
    verdict = decide(evidence([-0.05, 0.0, 0.0]), fit(gain), picture(), POLICY)
    assert verdict is not None
    assert verdict.cause is cause


@pytest.mark.parametrize(
    ("operation", "cause"), [(40.0, Cause.BURST), (48.0, Cause.UNKNOWN)], ids=["worse", "as well"]
)
def test_what_an_unheard_tank_may_do_as_well_is_no_burst(operation: float, cause: Cause) -> None:
    shown = evidence([-0.05] * 3)
    verdict = decide(shown, fit(50.0), picture(is_due=True), POLICY, operation)
    assert verdict is not None
    assert verdict.cause is cause
    if cause is Cause.UNKNOWN:
        assert verdict.reason is Reason.OPERATION_MAY_EXPLAIN
        assert decide(shown, fit(50.0), picture(), POLICY, operation) is None


def test_weak_leak_fit_of_many_devices_is_not_called_a_burst() -> None:
    verdict = decide(evidence([-0.05] * 3), fit(50.0, 0.2), picture(is_due=True), POLICY)
    assert verdict is not None
    assert verdict.cause is Cause.UNKNOWN


@pytest.mark.parametrize(
    ("shown", "quiet", "cause"),
    [
        ((0.030, 0.031, 0.029), 3, Cause.DEVICE_FAULT),  # a tenth of 0.3 each: units mixed up
        ((0.030, 0.031, 0.029), 2, Cause.LOW_SUPPLY),  # hardly any device is undisturbed
        ((0.030, 0.031), 3, Cause.LOW_SUPPLY),  # two are no batch
        ((0.060, 0.031, 0.015), 3, Cause.LOW_SUPPLY),
        ((0.200, 0.201, 0.199), 3, Cause.LOW_SUPPLY),  # as deep as when a pump stops
        ((0.0, 0.0, 0.0), 3, Cause.LOW_SUPPLY),  # dry
    ],
    ids=str,
)
def test_devices_that_show_one_factor_at_once_are_a_batch_gone_wrong(
    shown: tuple[float, ...], quiet: int, cause: Cause
) -> None:
    left = [value - 0.3 for value in shown] + [0.0] * quiet
    told = picture(is_due=True, low_head=len(shown), devices=tuple(range(len(shown))))
    verdict = decide(evidence(left), fit(0.0, 0.0), told, POLICY)
    assert verdict is not None
    assert verdict.cause is cause
    early = decide(evidence(left), fit(0.0, 0.0), picture(low_head=len(shown)), POLICY)
    assert early is None


def test_change_the_model_knows_waits_until_due_without_operation() -> None:
    known = evidence([0.0, 0.0], [-0.1, -0.1])
    assert decide(known, None, picture(), POLICY) is None
    verdict = decide(known, None, picture(is_due=True), POLICY)
    assert verdict is not None
    assert verdict.reason is Reason.EXPLAINED_BY_MODEL


def test_without_model_a_lone_device_among_quiet_ones_is_a_fault() -> None:
    verdict = decide_without_model(evidence([-0.1, 0.0, 0.0, 0.0]), picture(), POLICY)
    assert verdict is not None
    assert verdict.cause is Cause.DEVICE_FAULT


@given(
    st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=6),
    st.floats(-20.0, 200.0),
    st.floats(0.0, 1.0),
    st.booleans(),
)
def test_due_case_is_always_decided(
    residual: list[float], gain: float, share: float, raised: bool
) -> None:
    due = picture(is_due=True, is_raised=raised)
    assert decide(evidence(residual), fit(gain, share), due, POLICY) is not None
    assert decide_without_model(evidence(residual), due, POLICY) is not None


# --- consequence and colours ---


@pytest.mark.parametrize(
    ("likelihood", "consequence", "colour"),
    [(1, 4, "blue"), (1, 5, "yellow"), (3, 3, "yellow"), (2, 5, "orange"), (4, 4, "orange"),
     (4, 5, "red"), (5, 5, "red")],
)  # fmt: skip
def test_risk_colour_follows_the_bands(likelihood: int, consequence: int, colour: str) -> None:
    assert risk_colour(likelihood, consequence, POLICY).colour == colour


def test_live_likelihood_grows_with_evidence_but_never_below_static() -> None:
    assert [live_likelihood(1, level) for level in (None, *sorted(Level, reverse=True))] == [
        1, 2, 3, 4, 5,
    ]  # fmt: skip
    assert live_likelihood(4, Level.BLUE) == 4


@pytest.mark.parametrize(
    ("evidence_level", "consequence", "support", "level", "why"),
    [
        (Level.YELLOW, 1, Corroboration(True, False), Level.ORANGE, Adjustment.KINDS_AGREE),
        (Level.YELLOW, 4, Corroboration(False, False), Level.ORANGE, Adjustment.HIGH_CONSEQUENCE),
        (Level.YELLOW, 5, Corroboration(True, False), Level.ORANGE, Adjustment.KINDS_AGREE),
        (Level.RED, 5, Corroboration(True, False), Level.RED, Adjustment.KINDS_AGREE),
        (Level.ORANGE, 2, Corroboration(False, True), Level.YELLOW, Adjustment.UNCORROBORATED),
        (Level.BLUE, 1, Corroboration(False, True), Level.BLUE, Adjustment.UNCORROBORATED),
        (Level.RED, 1, Corroboration(False, True), Level.RED, Adjustment.RED_NEVER_LOWERED),
    ],
)
def test_level_is_adjusted_by_one_step_with_a_reason(
    evidence_level: Level, consequence: int, support: Corroboration, level: Level, why: Adjustment
) -> None:
    assert assess_level(evidence_level, consequence, support) == (level, (why,))


def test_consequence_is_the_highest_of_households_sites_and_static() -> None:
    def graded(households: float, site_m: float, static: int) -> int:
        exposure = Exposure({"P1": (1, static)}, ((site_m, 0.0),))
        return consequence_of(households, "P1", (0.0, 0.0), exposure, POLICY)

    assert [graded(n, 1e6, 1) for n in (1999, 2000, 5000, 10000, 30000)] == [1, 2, 3, 4, 5]
    assert graded(0, 100.0, 1) == POLICY.key_site_consequence
    assert graded(2000, 1e6, 4) == 4
