"""Says in one line what a log entry means, for the terminal and for event streams."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from pipeline.loop import LOOP
from pipeline.ports import LogEntry
from sensors.levels import Level

CHINESE = {step.name: step.chinese for step in LOOP}
"""Stage → its Chinese name."""

_Data = Mapping[str, Any]


def city_time(time_ms: int, utc_offset_ms: int) -> str:
    """Return event time as the city's wall clock shows it, `MM-DD HH:MM`."""
    zone = timezone(timedelta(milliseconds=utc_offset_ms))
    return datetime.fromtimestamp(time_ms / 1000.0, zone).strftime("%m-%d %H:%M")


def level_text(number: int) -> str:
    """Return a level as `II orange`: the number always travels with the colour."""
    level = Level(number)
    return f"{level.roman} {level.colour}"


def tell(entry: LogEntry) -> str | None:
    """Return what happened in one line, None for entries only a machine wants."""
    teller = _TELLERS.get(entry.kind)
    return teller(entry.data) if teller else None


def _alarm(data: _Data) -> str | None:
    if data["state"] not in ("raised", "cleared"):
        return None
    return (
        f"alarm {data['state']}: {data['device']} {data['quantity']} {data['value']:.3g} {data['unit']} "
        f"({data['rule']}, level {level_text(data['level'])})"
    )


def _health(data: _Data) -> str | None:
    return f"device {data['device']} {data['kind']}{'' if data['is_on'] else ' is over'}"


def _warning(data: _Data) -> str:
    return f"warning {data['status']}: level {level_text(data['level'])}, {data['reason']}"


def _incident(data: _Data) -> str:
    where = data["location"]["candidates"]
    place = f" at {where[0]}" if where else ""
    return (
        f"{data['id']} v{data['version']} {data['status']}: {data['cause']}{place}, level "
        f"{level_text(data['level'])}, {len(data['alarms'])} alarms, "
        f"confidence {data['confidence']:.0%} ({data['reason']})"
    )


def _dispatch(data: _Data) -> str:
    order = data["order"]
    if order is None:
        return f"no team for {data['incident']}: {data['reason']}"
    acts = ", ".join(order["acts"])
    return f"order {order['id']} → {order['team']} ({data['travel_min']:.0f} min away): {acts}"


def _feedback(data: _Data) -> str:
    element = f" {data['element']}" if data["element"] else ""
    return f"{data['team']}: {data['kind']}{element} {data['note']}".rstrip()


def _slip(data: _Data) -> str:
    return f"{data['colour']} slip (step {data['step']}): {data['clock']} of {data['incident']}"


def _closure(data: _Data) -> str:
    return f"closed {data['incident']}: {data['reason']}"


def _case(data: _Data) -> str:
    if not data["is_hit"]:
        return f"{data['incident']}: no true incident matches ({data['reason']})"
    delay, error = data["detection_delay_min"], data["location_error_pipes"]
    parts = [f"{data['incident']} = true {data['truth']}"]
    parts += [] if delay is None else [f"found {delay:.0f} min after it could be"]
    parts += [] if error is None else [f"located {error} pipes off"]
    return ", ".join(parts)


def _run(data: _Data) -> str:
    return f"{data['found']} of {data['true']} found, {data['false']} false"


def _bulletin(data: _Data) -> str:
    return f"{data['kind'].replace('_', '-')} report {data['id']}: {data['title']}"


_TELLERS: dict[str, Callable[[_Data], str | None]] = {
    "Alarm": _alarm,
    "DeviceHealth": _health,
    "WarningNotice": _warning,
    "Incident": _incident,
    "Dispatch": _dispatch,
    "Feedback": _feedback,
    "Slip": _slip,
    "Closure": _closure,
    "CaseEvaluation": _case,
    "RunEvaluation": _run,
    "Bulletin": _bulletin,
}
