"""What the parent tells the worker: the model to run, stretches of rain, standing orders."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.physics.flood.inp import PumpRule

Floats = NDArray[np.float64]

AUTOMATIC, OFF, RUN = 0, 1, 2
"""Modes of a pump: by its depths, held off, held on."""

LEAST_M = 0.02
"""Depth below which a mobile pump draws air (proposed)."""


@dataclass
class Orders:
    """Everything that is set from outside, by position; missing entries are as in the file.

    Attributes:
        setting: Gate, weir or conduit → 0 shut, 1 open.
        entry_loss: Conduit → local loss of what blocks it, velocity heads.
        inflow_m3_s: Node → flow from outside.
        mobile_m3_s: Node → what a mobile pump takes out when there is water.
        pump_mode: Pump → AUTOMATIC, OFF or RUN.
        stage_m: Outfall → level outside.
    """

    setting: dict[int, float] = field(default_factory=dict)
    entry_loss: dict[int, float] = field(default_factory=dict)
    inflow_m3_s: dict[int, float] = field(default_factory=dict)
    mobile_m3_s: dict[int, float] = field(default_factory=dict)
    pump_mode: dict[int, int] = field(default_factory=dict)
    stage_m: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """The first message: the model.

    Attributes:
        text: The file to run.
        node_ids: Nodes as the parent knows them; the engine must agree.
        link_ids: Links likewise.
        pumps: Rules of the pumps.
        step_s: Routing step.
        hotstart: State to begin with.
    """

    text: str
    node_ids: tuple[str, ...]
    link_ids: tuple[str, ...]
    pumps: tuple[PumpRule, ...]
    step_s: int
    hotstart: bytes | None


@dataclass(frozen=True)
class Advance:
    """A stretch of time to compute.

    Attributes:
        rain_mm_h: Intensity at each gauge, (stretches, gauges).
        steps: Routing steps of each stretch.
        orders: All standing orders, when they changed; None: as before.
    """

    rain_mm_h: Floats
    steps: tuple[int, ...]
    orders: Orders | None


@dataclass(frozen=True)
class Save:
    """Ask for the state."""


@dataclass(frozen=True)
class Done:
    """The worker's answer; the columns are in the shared memory.

    Attributes:
        totals: `SwmmEngine.totals` at the end of the stretch.
        state: The state, when it was asked for.
    """

    totals: Floats
    state: bytes | None = None


@dataclass(frozen=True)
class Failed:
    """The worker's answer when the engine refused something: its message."""

    message: str
