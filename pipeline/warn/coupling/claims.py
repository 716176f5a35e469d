"""What a warning model says at one moment, before it becomes a finding or an alarm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.messages import Alarm, FindingEffect
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


def claim_on(
    view: View,
    alarms: Sequence[Alarm],
    level: Level,
    reason: str,
    confidence: float,
    *,
    key: str = "",
    effect: FindingEffect = FindingEffect.RAISE,
    cause: str = "",
    evidence: tuple[str, ...] = (),
    value: float = float("nan"),
) -> Claim:
    """Return a claim that rests on alarms, at the place of the first of them.

    `key` is that alarm's element when empty; `evidence` is what it rests on besides the alarms.
    """
    first = alarms[0]
    x_m, y_m = view.place(first)
    return Claim(
        key=key or view.element(first),
        domain=first.domain,
        area=first.area,
        level=level,
        devices=tuple(sorted({alarm.device for alarm in alarms})),
        elements=tuple(sorted({view.element(alarm) for alarm in alarms})),
        evidence=tuple(sorted({*evidence, *(alarm.id for alarm in alarms)})),
        x_m=x_m,
        y_m=y_m,
        confidence=confidence,
        reason=reason,
        effect=effect,
        cause=cause,
        value=value,
        unit="1",
    )


class WarningModel(Protocol):
    """A model in use: a pure function of what the platform knows at a moment.

    All memory is in the view, so a model needs no snapshot and may be reloaded at any time.
    """

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return what holds now, by key; asked once a tick when something changed."""
        ...
