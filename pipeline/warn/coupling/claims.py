"""What a warning model says at one moment, before it becomes a finding or an alarm."""

from dataclasses import dataclass
from typing import Protocol

from pipeline.messages import FindingEffect
from pipeline.warn.coupling.view import View
from sensors.levels import Level


@dataclass(frozen=True, slots=True)
class Claim:
    """What a model holds for true now; it stands as long as the model says it again.

    Attributes:
        key: What it is about: an element or a device; one claim a key.
        level: Level it speaks for.
        devices: Devices whose alarms or samples it rests on, sorted.
        elements: Network elements it is about.
        effect: What it does to the incident; of no meaning for an alarm.
        at: Device an *alarm* is raised on instead of a finding; empty for a finding.
        cause: Cause it speaks for (`Cause` value), empty for none.
        value: The model's own figure, NaN for none.
        unit: Unit of `value`.
        limit: What `value` is compared with, NaN for nothing.
        evidence: Ids of alarms, calls and permits it rests on, sorted.
    """

    key: str
    domain: str
    area: str
    level: Level
    devices: tuple[str, ...]
    elements: tuple[str, ...]
    evidence: tuple[str, ...]
    x_m: float
    y_m: float
    confidence: float
    reason: str
    effect: FindingEffect = FindingEffect.RAISE
    at: str = ""
    cause: str = ""
    value: float = float("nan")
    unit: str = ""
    limit: float = float("nan")


class WarningModel(Protocol):
    """A model in use: a pure function of what the platform knows at a moment.

    All memory is in the view, so a model needs no snapshot and may be reloaded at any time.
    """

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return what holds now, by key; asked once a tick when something changed."""
        ...
