"""Evidence of a disturbance: which devices are compared with the model, and which are not."""

import numpy as np

from pipeline.assess.evidence import Evidence, gather, take_reference
from pipeline.assess.history import History
from pipeline.assess.layout import Layout
from pipeline.assess.policy import AssessPolicy
from tests.unit.assess_town import (
    DEVICES,
    FLOW_NUMBER,
    NORMAL_MPA,
    PUMP_NUMBER,
    WITHOUT_PUMP_MPA,
    LinearModel,
    at,
    normal,
    registry,
    samples,
    street,
)

POLICY = AssessPolicy()
ONSET_MIN, NOW_MIN = 100, 190
STALE_MIN = POLICY.stale_ms // 60_000


def evidence(last_min: dict[int, int]) -> Evidence:
    """Evidence after ninety minutes in which some devices were last heard at `last_min`."""
    history, layout = History.of(DEVICES), Layout.of(registry(), street(), POLICY)
    for minute in range(60, NOW_MIN + 1, 5):
        values = normal()
        for number, last in last_min.items():
            if minute > last:
                values[number] = np.nan
        history.add(samples(values, minute).batch)
    onset_ms = at(ONSET_MIN)
    reference = take_reference(history, layout, onset_ms, POLICY)
    return gather(
        history, layout, reference, onset_ms, np.zeros(DEVICES, bool), LinearModel(), POLICY
    )


def test_a_device_far_behind_the_others_says_nothing_of_now() -> None:
    behind = NOW_MIN - STALE_MIN - 5
    assert FLOW_NUMBER in evidence({}).device
    assert FLOW_NUMBER in evidence({FLOW_NUMBER: NOW_MIN - STALE_MIN}).device
    assert FLOW_NUMBER not in evidence({FLOW_NUMBER: behind}).device
    assert len(evidence({FLOW_NUMBER: behind}).device) == len(evidence({}).device) - 1


def test_devices_that_are_behind_together_still_tell() -> None:
    everyone = dict.fromkeys(range(DEVICES), NOW_MIN - STALE_MIN - 20)
    assert len(evidence(everyone).device) == len(evidence({}).device)


def test_how_the_network_was_run_before_an_outage_is_still_known_after_it() -> None:
    layout = Layout.of(registry(), street(), POLICY)
    history = History.of(DEVICES, layout.pumps)
    for minute in range(60, NOW_MIN + 1):
        values = normal(pump=minute > ONSET_MIN)
        if minute % 5:
            values = np.where(np.arange(DEVICES) == PUMP_NUMBER, values, np.nan)
        history.add(samples(values, minute).batch)
    short_s = int(history.time_s[PUMP_NUMBER].min())
    assert short_s * 1000 > at(ONSET_MIN)  # what is kept of all devices has forgotten it
    onset_ms = at(ONSET_MIN)
    reference = take_reference(history, layout, onset_ms, POLICY)
    found = gather(
        history, layout, reference, onset_ms, np.zeros(DEVICES, bool), LinearModel(), POLICY
    )
    rise = found.measured[found.is_pressure]
    assert np.abs(rise - (NORMAL_MPA - WITHOUT_PUMP_MPA)).max() < 1e-6
    assert np.abs(found.residual).max() < 1e-4
    assert found.started == ("PU",)
