"""What the monitor counts: every reading that came is counted once."""

from dataclasses import dataclass, field

import numpy as np

from sensors.readings import Flags, Quality

FLAGS: tuple[Quality, ...] = tuple(Quality(1 << bit) for bit in range(6))
"""Every quality flag by itself."""


@dataclass(slots=True)
class MonitorCounts:
    """Readings and frames so far.

    Attributes:
        received: Readings that came for the first time.
        duplicate: Readings that had come before, in a repeated frame or by device and time.
        stale: Readings of frames too old to tell a repeat from a late one; dropped.
        unknown_device: Readings and statuses of devices the registry does not have.
        bad_status: Device statuses that make no sense.
        frames: Frames that came for the first time.
        duplicate_frames: Repeated frames.
        lost_frames: Gaps in the gateways' numbers that nothing has filled.
        flagged: Quality flag → readings that got it.
    """

    received: int = 0
    duplicate: int = 0
    stale: int = 0
    unknown_device: int = 0
    bad_status: int = 0
    frames: int = 0
    duplicate_frames: int = 0
    lost_frames: int = 0
    flagged: dict[str, int] = field(default_factory=dict)

    @property
    def out_of_order(self) -> int:
        """Readings older than their device's newest one."""
        return self.flagged.get("out_of_order", 0)

    def add_flags(self, flags: Flags) -> None:
        """Count the flags of a batch."""
        if not flags.any():
            return
        for flag in FLAGS:
            count = int(np.count_nonzero(flags & flag.value))
            if count:
                name = str(flag.name).lower()
                self.flagged[name] = self.flagged.get(name, 0) + count
