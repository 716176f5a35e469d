"""Whether the sensors agree that an incident is over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.messages import Alarm, AlarmState

_QUIET = (AlarmState.CLEARED, AlarmState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class VerifyLimits:
    """How long sensors must be quiet, and how long they may contradict the crews.

    Attributes:
        clear_min: Quiet after the last alarm cleared, before closing (proposed).
        disagree_min: After the crews said done, before a slip `sensors_disagree` (proposed).
        unattended_min: Quiet before a case no team came to is closed (proposed).
    """

    clear_min: float = 10.0
    disagree_min: float = 60.0
    unattended_min: float = 120.0


@dataclass(slots=True)
class Sensor:
    """The alarms of one device: ids that stand, and when the last one went quiet."""

    active: list[str] = field(default_factory=list)
    quiet_ms: int = 0


def note_alarm(sensors: dict[str, Sensor], alarm: Alarm, now_ms: int) -> None:
    """Note a transition of an alarm at its device."""
    sensor = sensors.setdefault(alarm.device, Sensor())
    if alarm.state in _QUIET:
        if alarm.id in sensor.active:
            sensor.active.remove(alarm.id)
        sensor.quiet_ms = max(sensor.quiet_ms, now_ms)
    elif alarm.id not in sensor.active:
        sensor.active.append(alarm.id)


def recovered_ms(sensors: Mapping[str, Sensor], devices: Iterable[str]) -> int | None:
    """Return since when all `devices` are quiet, None while one still has an alarm."""
    since_ms = 0
    for device in devices:
        sensor = sensors.get(device)
        if sensor is None:
            continue
        if sensor.active:
            return None
        since_ms = max(since_ms, sensor.quiet_ms)
    return since_ms


def device_of(alarm_id: str) -> str:
    """Return the device in an alarm's id (`device/rule/raised_ms`)."""
    return alarm_id.partition("/")[0]
