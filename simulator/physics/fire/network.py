"""Fire water in high-rises: roof tanks that drain and are made up from the mains, as columns."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from sensors.quantities import HEAD_PER_MPA_M
from simulator.errors import InjectionError, PhysicsError
from simulator.physics.base import Disturbance, PhysicsFrame

TANK_DEPTH_M = 2.0
"""Depth of water in a full roof tank; proposed."""
TANK_ABOVE_M = 10.0
"""Height of the tank's floor above the worst hydrant, so that a full tank gives 0.118 MPa and an
empty one none; proposed, above the 0.07 to 0.10 MPa the domain reference asks for (§2.5)."""
FILL_H = 8.0
"""Hours in which make-up water fills an empty tank; proposed."""
FEED_MPA = 0.05
"""Pressure of the mains at which the make-up pump runs; below it, its suction fails; proposed."""
NORMAL_FEED_MPA = 0.3
"""Pressure of the mains where no water network says otherwise; proposed."""

_HOUR_MS = 3_600_000


class Building(msgspec.Struct, frozen=True):
    """One high-rise of the model file.

    Attributes:
        id: Its node in the city, such as `H00001`.
        feed: Water node that feeds it; empty for none known.
        height_m: Height of the roof tank above the ground.
        tank_m3: Volume of the roof tank.
    """

    id: str
    feed: str
    height_m: float
    tank_m3: float


class _Model(msgspec.Struct):
    buildings: list[Building]
    format: int = 1


class BuildingNetwork:
    """High-rises as a `simulator.physics.base.Network` without links.

    Frames carry, by node, `pressure` (MPa, static, at the worst hydrant) and `water_level` (m in
    the roof tank). `balance` holds `make_up`, `drained` and `storage` (gain), m3.

    A tank loses what is drained, gains make-up water while it is not full and the mains have
    pressure; both rates are constant within a step, so the level is exact but for the moment it
    reaches an end. The worst hydrant sees the tank's head while there is water in it, or the
    mains' where they reach that high. The mains' own loss of this water is left out: it is
    below 0.1 % of their flow.

    Disturbances: `drain` (building, m3/h lost; 0 ends it), `fill` (building: full at once, by
    a tanker).
    """

    def __init__(self, text: str, start_ms: int) -> None:
        """Read the model; all tanks are full at `start_ms`.

        Raises:
            PhysicsError: the text is no model; the message says where.
        """
        buildings = _read(text)
        self.node_ids: tuple[str, ...] = tuple(item.id for item in buildings)
        self.link_ids: tuple[str, ...] = ()
        self.feeds: tuple[str, ...] = tuple(item.feed for item in buildings)
        self._index = {name: place for place, name in enumerate(self.node_ids)}
        self._tank_m3 = np.array([item.tank_m3 for item in buildings])
        self._hydrant_m = np.array([item.height_m for item in buildings]) - TANK_ABOVE_M
        self._volume_m3 = self._tank_m3.copy()
        self._drain_m3_h = np.zeros(len(buildings))
        self._feed_mpa = np.full(len(buildings), NORMAL_FEED_MPA)
        self._filled_m3 = 0.0
        self._now_ms = start_ms

    def step(self, until_ms: int) -> PhysicsFrame:
        """Advance to `until_ms` and return the state there."""
        if until_ms < self._now_ms:
            raise ValueError(f"step to {until_ms} ms: the network is already beyond it")
        hours = (until_ms - self._now_ms) / _HOUR_MS
        self._now_ms = until_ms
        before = self._volume_m3
        lost = np.minimum(self._drain_m3_h * hours, before)
        most = np.where(self._feed_mpa >= FEED_MPA, self._tank_m3 / FILL_H * hours, 0.0)
        # Make-up follows the float: it replaces what is lost within the step as well.
        made_up = np.minimum(most, self._tank_m3 - before + lost)
        self._volume_m3 = before - lost + made_up
        filled, self._filled_m3 = self._filled_m3, 0.0
        return PhysicsFrame(
            until_ms,
            node={"pressure": self._pressure_mpa(), "water_level": self._level_m()},
            link={},
            balance={
                "make_up": float(made_up.sum()) + filled,
                "drained": float(lost.sum()),
                "storage": float((self._volume_m3 - before).sum()) + filled,
            },
        )

    def feed(self, pressure_mpa: NDArray[np.float64]) -> None:
        """Set the pressure of the mains at each building, NaN for no supply."""
        self._feed_mpa = np.nan_to_num(pressure_mpa)

    def apply(self, disturbance: Disturbance) -> None:
        """Change a tank from the next step on.

        Raises:
            InjectionError: the kind or the building is unknown, or the amount is negative.
        """
        place = self._index.get(disturbance.element)
        if place is None:
            raise InjectionError(f"no building {disturbance.element!r} in the fire water network")
        if not 0.0 <= disturbance.amount < np.inf:
            raise InjectionError(
                f"{disturbance.kind} of {disturbance.element}: amount {disturbance.amount}; "
                "use 0 or more m3/h"
            )
        match disturbance.kind:
            case "drain":
                self._drain_m3_h[place] = disturbance.amount
            case "fill":
                self._filled_m3 += float(self._tank_m3[place] - self._volume_m3[place])
                self._volume_m3 = self._volume_m3.copy()
                self._volume_m3[place] = self._tank_m3[place]
            case other:
                raise InjectionError(f"fire water knows drain and fill, not {other!r}")

    @property
    def feed_mpa(self) -> NDArray[np.float64]:
        """Pressure of the mains at each building, MPa, as it was last set."""
        return self._feed_mpa

    def close(self) -> None:
        """Do nothing: there is no engine."""

    def _level_m(self) -> NDArray[np.float64]:
        level: NDArray[np.float64] = self._volume_m3 / self._tank_m3 * TANK_DEPTH_M
        return level

    def _pressure_mpa(self) -> NDArray[np.float64]:
        level = self._level_m()
        by_tank = np.where(level > 0.0, (TANK_ABOVE_M + level) / HEAD_PER_MPA_M, 0.0)
        by_mains = self._feed_mpa - self._hydrant_m / HEAD_PER_MPA_M
        return np.maximum(by_tank, np.maximum(by_mains, 0.0))


def _read(text: str) -> list[Building]:
    try:
        model = msgspec.json.decode(text, type=_Model)
    except msgspec.MsgspecError as error:
        raise PhysicsError(f"fire water model: {error}; make the city again") from error
    for item in model.buildings:
        if not (item.tank_m3 > 0 and item.height_m > 0):
            raise PhysicsError(
                f"fire water model: building {item.id}: tank_m3 {item.tank_m3} and height_m "
                f"{item.height_m} must be more than 0"
            )
    return model.buildings
