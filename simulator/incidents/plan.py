"""An incident as planned: what happens to which element, when, how much."""

from dataclasses import dataclass

from sensors.ground_truth import TrueKind

HAZARDS = frozenset(
    {
        TrueKind.BURST,
        TrueKind.SLOW_LEAK,
        TrueKind.VALVE_CLOSURE,
        TrueKind.PUMP_TRIP,
        TrueKind.GAS_PINHOLE,
        TrueKind.GAS_STRIKE,
        TrueKind.GAS_WELL_LEAK,
        TrueKind.PONDING,
        TrueKind.FIRE_TANK_EMPTY,
    }
)
"""Kinds a platform ought to find; the others are decoys."""

LEAKS = frozenset({TrueKind.BURST, TrueKind.SLOW_LEAK})
"""Kinds that let water out of a pipe."""

GAS_LEAKS = frozenset({TrueKind.GAS_PINHOLE, TrueKind.GAS_STRIKE, TrueKind.GAS_WELL_LEAK})
"""Kinds that let gas out of a pipe or a valve well."""

CAUSES = frozenset(
    {
        TrueKind.STORM,
        TrueKind.DRAIN_PUMP_FAILURE,
        TrueKind.DRAIN_BLOCKAGE,
        TrueKind.GATE_CLOSURE,
        TrueKind.RIVER_HIGH,
        TrueKind.POWER_CUT,
    }
)
"""Kinds that are no hazard by themselves but bring one about; crews find and mend them too."""


@dataclass(frozen=True, slots=True)
class IncidentPlan:
    """One incident to come.

    Attributes:
        id: Id in the scenario or from the person who injected it.
        kind: What happens.
        element: Network element it happens to.
        onset_ms: Event time of its beginning.
        duration_ms: Until it ends by itself; None: it lasts until a crew ends it.
        outflow_m3_h: Leaks: discharge at 30 m head.
        growth_ms: Slow leaks: time until the full outflow.
        factor: Demand surges: times the normal demand of the element.
        amount: Size of the other kinds, in the unit of the kind: hole diameter in mm for gas
            pinholes and strikes, Nm3/h of gas for well leaks and biogas, share of the cross
            section for blockages, metres above normal for the river.
    """

    id: str
    kind: TrueKind
    element: str
    onset_ms: int
    duration_ms: int | None = None
    outflow_m3_h: float = 0.0
    growth_ms: int = 0
    factor: float = 2.0
    amount: float = 0.0

    def overlaps(self, other: "IncidentPlan") -> bool:
        """Whether there is a moment at which both are meant to last."""
        first, second = sorted((self, other), key=lambda plan: plan.onset_ms)
        return first.duration_ms is None or second.onset_ms < first.onset_ms + first.duration_ms

    @property
    def is_hazard(self) -> bool:
        """Whether a platform ought to find it."""
        return self.kind in HAZARDS
