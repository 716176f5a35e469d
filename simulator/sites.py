"""What is true at every device, which device faults are decoys, and what citizens can notice."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sensors.devices.faults import Fault
from sensors.errors import RegistryError
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.registry import Registry
from simulator.hazards.base import States
from simulator.hotline import Scene
from simulator.physics.base import PhysicsFrame

_AT_NODES = frozenset(
    {
        "pressure",
        "water_level",
        "gas_pressure",
        "methane",
        "methane_lel",
        "rainfall",
        "ponding_depth",
        "freeboard",
    }
)

_NETWORK_OF = {"rain": "flood"}
"""Domain of a device → domain of the network it reads, where they differ."""

_SUBJECTS = {
    TrueKind.GAS_PINHOLE: "gas_smell",
    TrueKind.GAS_STRIKE: "gas_smell",
    TrueKind.GAS_WELL_LEAK: "gas_smell",
    TrueKind.BURST: "water_on_road",
    TrueKind.SLOW_LEAK: "water_on_road",
    TrueKind.PONDING: "road_flooded",
}
"""Kind of incident → what people near it call about."""

_SEVERITY = {Level.BLUE: 0.15, Level.YELLOW: 0.4, Level.ORANGE: 0.7, Level.RED: 1.0}
"""How plain an incident of a level is to people near it, 0 to 1; proposed."""

NOTICED_M = 300.0
"""How far away people notice an incident; proposed."""


PeopleWithin = Callable[[float, float, float], float]
"""(x_m, y_m, radius_m) → people who live there."""


class DeviceSites:
    """Reads the true value at every device out of the physics frames, as columns."""

    def __init__(
        self,
        registry: Registry,
        networks: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]],
    ) -> None:
        """Find each device's place in its network's columns.

        Args:
            registry: The devices.
            networks: Domain → node ids and link ids of its network.

        Raises:
            RegistryError: a device watches an element or domain the networks do not have.
        """
        elements = registry.texts("element")
        quantities = np.array(registry.texts("quantity"))
        domains = np.array([_NETWORK_OF.get(item, item) for item in registry.texts("domain")])
        self._size = len(registry)
        self._groups: list[tuple[str, str, bool, NDArray[np.intp], NDArray[np.intp]]] = []
        for domain in sorted(set(domains.tolist())):
            is_here = domains == domain
            if domain not in networks:
                lost = [registry.ids[n] for n in np.flatnonzero(is_here)[:5].tolist()]
                raise RegistryError(
                    f"devices {', '.join(lost)} watch the {domain} network, which this city does "
                    "not have; place devices anew"
                )
            nodes, links = (
                {name: place for place, name in enumerate(names)} for names in networks[domain]
            )
            for quantity in sorted(set(quantities[is_here].tolist())):
                numbers = np.flatnonzero(is_here & (quantities == quantity))
                at_nodes = quantity in _AT_NODES
                index = nodes if at_nodes else links
                lost = [registry.ids[n] for n in numbers.tolist() if elements[n] not in index]
                if lost:
                    what = "nodes" if at_nodes else "links"
                    raise RegistryError(
                        f"devices {', '.join(lost[:5])} watch {what} that the network does not "
                        "have; import the city again"
                    )
                places = np.array([index[elements[n]] for n in numbers.tolist()], dtype=np.intp)
                self._groups.append((domain, quantity, at_nodes, numbers, places))

    def values(self, frames: Mapping[str, PhysicsFrame]) -> NDArray[np.float64]:
        """Return one true value a device, NaN where there is none."""
        values = np.full(self._size, np.nan)
        for domain, quantity, at_nodes, numbers, places in self._groups:
            frame = frames[domain]
            columns = frame.node if at_nodes else frame.link
            values[numbers] = columns[quantity][places]
        return values

    def gap(self, values: NDArray[np.float64], states: Mapping[str, States]) -> NDArray[np.float64]:
        """Return true value minus the undisturbed one at each device; no value counts as 0.

        Args:
            values: True values now, as `values` gave them.
            states: Domain → states now.
        """
        gap = np.zeros(self._size)
        for domain, quantity, at_nodes, numbers, places in self._groups:
            if states[domain].is_calm:
                continue
            frame = states[domain].undisturbed
            columns = frame.node if at_nodes else frame.link
            normal = np.nan_to_num(columns[quantity][places])
            gap[numbers] = np.nan_to_num(values[numbers]) - normal
        return gap


def fault_incidents(
    faults: Sequence[tuple[Fault, str]], registry: Registry
) -> list[tuple[Fault, TrueIncident]]:
    """Return device and gateway faults, each with its area, as decoys of the ground truth.

    Ids are `F1`, `F2` and so on in the order given. The detail names kind, amount and, when
    several faults have one, the common cause. About 10 µs a fault.
    """
    first_of: dict[str, int] = {}
    if any(fault.target not in registry.number for fault, _ in faults):
        for number, gateway in enumerate(registry.texts("gateway")):
            first_of.setdefault(gateway, number)
    x_m, y_m = registry.numbers("x_m"), registry.numbers("y_m")
    domains = registry.texts("domain")
    found = []
    for place, (fault, area) in enumerate(faults, start=1):
        of_device = registry.number.get(fault.target)
        number = first_of[fault.target] if of_device is None else of_device
        cause = f", {fault.cause}" if fault.cause else ""
        found.append(
            (
                fault,
                TrueIncident(
                    id=f"F{place}",
                    kind=TrueKind.DEVICE_FAULT,
                    is_hazard=False,
                    domain=domains[number],
                    area=area,
                    element=fault.target,
                    x_m=float(x_m[number]),
                    y_m=float(y_m[number]),
                    level=Level.BLUE,
                    onset_ms=fault.start_ms,
                    detectable_ms={},
                    end_ms=fault.end_ms,
                    detail=f"{fault.kind.value} {fault.amount:g}{cause}",
                ),
            )
        )
    return found


def scenes_of(truths: Sequence[TrueIncident], people_within: PeopleWithin) -> list[Scene]:
    """Return what citizens can notice of what acts: smell, water on roads, no water.

    Args:
        truths: What acts now.
        people_within: (x_m, y_m, radius_m) → people who live there.
    """
    scenes = []
    for truth in truths:
        if truth.end_ms is not None or not truth.is_hazard:
            continue
        subject = _SUBJECTS.get(truth.kind)
        people = people_within(truth.x_m, truth.y_m, NOTICED_M)
        severity = _SEVERITY[truth.level]
        at = (truth.x_m, truth.y_m)
        if subject is not None:
            scenes.append(Scene(truth.id, subject, *at, people, severity, truth.onset_ms))
        if truth.domain == "water" and truth.harm_ms is not None:
            name = f"{truth.id}-dry"
            scenes.append(Scene(name, "no_water", *at, people, severity, truth.harm_ms))
    return scenes
