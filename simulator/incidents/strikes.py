"""What each kind of incident can strike: domain, node or link, and kinds of element."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sensors.ground_truth import TrueKind


@dataclass(frozen=True, slots=True)
class Strike:
    """Elements an incident may happen to.

    Attributes:
        domain: Domain of the elements.
        kinds: Kinds of element that fit.
        is_node: Whether they are nodes; links otherwise.
    """

    domain: str
    kinds: tuple[str, ...]
    is_node: bool = False


STRIKES: Mapping[TrueKind, Strike] = MappingProxyType(
    {
        TrueKind.BURST: Strike("water", ("pipe",)),
        TrueKind.SLOW_LEAK: Strike("water", ("pipe",)),
        TrueKind.VALVE_CLOSURE: Strike("water", ("pipe", "valve")),
        TrueKind.PUMP_TRIP: Strike("water", ("pump",)),
        TrueKind.PUMP_SWITCH: Strike("water", ("pump",)),
        TrueKind.DEMAND_SURGE: Strike("water", ("junction",), is_node=True),
        TrueKind.GAS_PINHOLE: Strike("gas", ("pipe",)),
        TrueKind.GAS_STRIKE: Strike("gas", ("pipe",)),
        TrueKind.DIGGING: Strike("gas", ("pipe",)),
        TrueKind.GAS_WELL_LEAK: Strike("gas", ("valve_well",), is_node=True),
        TrueKind.BIOGAS: Strike("gas", ("manhole_space",), is_node=True),
        TrueKind.DRAIN_PUMP_FAILURE: Strike("flood", ("pump",)),
        TrueKind.DRAIN_BLOCKAGE: Strike("flood", ("conduit",)),
        TrueKind.GATE_CLOSURE: Strike("flood", ("gate",)),
        TrueKind.RIVER_HIGH: Strike("flood", ("river_gauge",), is_node=True),
        TrueKind.FIRE_TANK_EMPTY: Strike("fire", ("high_rise",), is_node=True),
    }
)
"""Kind → what it strikes. A power cut strikes an area or a pump of any domain (`Elements`); a
storm comes with the weather and ponding emerges, so neither can be planned on an element."""
