"""Which new findings belong to a burst that is known already: its place again, or its wake."""

import numpy as np

from pipeline.assess.cases import AssessState, Case
from pipeline.assess.causes import Verdict
from pipeline.assess.investigate import Finding
from pipeline.assess.layout import Layout
from pipeline.assess.policy import AssessPolicy
from pipeline.messages import Cause, IncidentStatus

SEARCHED = frozenset({Cause.BURST, Cause.UNKNOWN, Cause.LOW_SUPPLY})
"""Causes whose place is searched for with the network model."""


def is_known_burst(
    state: AssessState,
    case: Case,
    finding: Finding,
    verdict: Verdict,
    layout: Layout,
    policy: AssessPolicy,
) -> bool:
    """Return whether what was found is a burst that another incident already is about.

    So it is when the leak is at a pipe that one names, or when it came in that one's wake
    (shut valves and falling tanks move pressures too) and may be at one of its pipes or is
    not surer than `second_confidence`. A leak that grows may run a tank dry, and then pressure
    falls far from it.
    """
    if verdict.cause not in SEARCHED:
        return False
    pipes: tuple[str, ...] = ()
    if verdict.cause is Cause.BURST and finding.fit is not None:
        pipes = finding.fit.pipes[: policy.candidates]
    is_sure = verdict.confidence >= policy.second_confidence
    for other in state.cases.values():
        if other.id == case.id or other.status is not IncidentStatus.CONFIRMED:
            continue
        if other.cause is not Cause.BURST:
            continue
        shared = set(pipes) & set(other.location.candidates)
        if pipes[:1] and pipes[0] in shared:
            return True
        if other.is_slow and finding.evidence.has_empty_tank:
            return True
        if (shared or not is_sure) and _is_in_wake(case, other, layout, policy):
            return True
    return False


def _is_in_wake(case: Case, burst: Case, layout: Layout, policy: AssessPolicy) -> bool:
    """Return whether a case opened while or soon after a burst near by raised its alarms.

    Once a team is there and shuts valves, until the burst is closed, it moves pressures in
    its whole zone.
    """
    away = layout.place_m[case.devices] - (burst.location.x_m, burst.location.y_m)
    is_in_zone = np.hypot(away[:, 0], away[:, 1]).min() <= policy.works_distance_m
    if burst.has_arrived and is_in_zone:
        return True
    if case.opened_ms > burst.newest_raised_ms + policy.join_window_ms:
        return False
    around = layout.neighbours.get(burst.area, frozenset()) | {burst.area}
    if any(layout.area[number] in around for number in case.devices):
        return True
    first, reach_m = case.devices[0], policy.join_distance_m
    return any(layout.are_near(first, number, reach_m) for number in burst.devices)
