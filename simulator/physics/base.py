"""What every physics plug-in is to the world: a network that steps, is acted on and can fork."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A change to the physics, by an incident or by a crew.

    Attributes:
        kind: What changes; each plug-in lists the kinds it knows (`water`: `leak`, `close`,
            `open`, `pump_off`, `pump_on`, `demand`).
        element: Network element it changes.
        amount: Size in the unit the kind names (for `leak`: discharge in m3/h at 30 m head).
    """

    kind: str
    element: str
    amount: float = 0.0


@dataclass(frozen=True, slots=True)
class PhysicsFrame:
    """The solved state of a network at one moment, columns in the order of its element ids.

    Attributes:
        time_ms: Event time of the state.
        node: Quantity name → one value a node (NaN where there is no supply).
        link: Quantity name → one value a link.
        balance: Named conserved quantities of the step, for the run summary (m3).
    """

    time_ms: int
    node: dict[str, NDArray[np.float64]]
    link: dict[str, NDArray[np.float64]]
    balance: dict[str, float]


class Network(Protocol):
    """A hydraulic network under simulation."""

    @property
    def node_ids(self) -> tuple[str, ...]:
        """Ids of the nodes, in the order of `PhysicsFrame.node` columns."""
        ...

    @property
    def link_ids(self) -> tuple[str, ...]:
        """Ids of the links, in the order of `PhysicsFrame.link` columns."""
        ...

    def step(self, until_ms: int) -> PhysicsFrame:
        """Advance to `until_ms` (event time, never back) and return the state there."""
        ...

    def apply(self, disturbance: Disturbance) -> None:
        """Change the physics from the next solved step on; InjectionError for what it knows not."""
        ...

    def close(self) -> None:
        """Free the engine; the network is unusable afterwards."""
        ...
