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
    if data["state"] not in ("raised", "cleared") or data.get("held"):
        return None  # what is held, operators are not told
    value = "" if data["value"] is None else f" {data['value']:.3g} {data['unit']}".rstrip()
    what = f"{data['device']} {data['quantity']}{value}"
    return f"alarm {data['state']}: {what}, level {level_text(data['level'])} ({data['rule']})"


def _health(data: _Data) -> str:
    return f"device {data['device']} {data['kind']}{'' if data['is_on'] else ' is over'}"


def _warning(data: _Data) -> str:
    return f"warning {data['status']}: level {level_text(data['level'])} ({data['reason']})"


def _incident(data: _Data) -> str:
    where = data["location"]["candidates"]
    place = f" at {where[0]}" if where else ""
    if data["status"] == "assessing":
        what = f"looking into {_count(len(data['alarms']), 'alarm')} in {data['area']}"
    else:
        what = f"{data['status']}: {data['cause']}{place}"
    level = "" if data["status"] == "dismissed" else f", level {level_text(data['level'])}"
    sure = f", {data['confidence']:.0%} sure" if data["confidence"] else ""
    return f"{what}{level}{sure} ({data['reason']}) {data['id']}"


def _health_of_many(data: _Data) -> str:
    return f"{data['count']} devices {data['kind']}{'' if data['is_on'] else ' is over'}"


def _dispatch(data: _Data) -> str:
    order = data["order"]
    if order is None:
        return f"no team for {data['incident']} ({data['reason']})"
    goal = f" to {order['targets'][0]}" if order["targets"] else ""
    acts = ", ".join(order["acts"])
    return f"{order['team']} sent{goal}, {data['travel_min']:.0f} min away: {acts} ({order['id']})"


def _feedback(data: _Data) -> str:
    element = f" {data['element']}" if data["element"] else ""
    return f"{data['team']}: {data['kind']}{element} {data['note']}".rstrip()


def _slip(data: _Data) -> str:
    return f"{data['colour']} slip (step {data['step']}): {data['clock']} of {data['incident']}"


def _closure(data: _Data) -> str:
    return f"closed ({data['reason']}) {data['incident']}"


def _case(data: _Data) -> str:
    if not data["is_hit"]:
        if data["reason"] == "told_late":
            return f"true {data['truth']}, told too late to count (told_late) {data['incident']}"
        return f"no true incident matches ({data['reason']}) {data['incident']}"
    delay, off = data["detection_delay_min"], data["location_error_pipes"]
    parts = [f"true {data['truth']}"]
    parts += [] if delay is None else [f"found {delay:.0f} min after it could be"]
    parts += (
        [] if off is None else ["at its very pipe" if off == 0 else _count(off, "pipe") + " off"]
    )
    return f"{', '.join(parts)} ({data['reason']}) {data['incident']}"


def _flood(data: _Data) -> str:
    if not data["is_on"]:
        return f"alarm flood is over: {data['group']} ({data['reason']})"
    many = _count(data["alarms"], "alarm")
    return f"alarm flood: {many} in {data['group']}, first {data['first']} ({data['reason']})"


def _rule_text(data: _Data) -> str:
    return f"rule file {data['source']} came from {data['by']}"


def _rules(data: _Data) -> str:
    if not data["is_taken"]:
        return f"rules refused, {data['version']} stays in force: {data['reason']}"
    parts = [f"{len(data[kind])} {kind}" for kind in ("added", "removed", "changed") if data[kind]]
    what = ", ".join(parts) or "no rule differs"
    return f"rules {data['version']} of {data['source']} in force: {what} ({data['reason']})"


def _act(data: _Data) -> str:
    target = data["target"] or ", ".join(f"{key}={one}" for key, one in data["matchers"].items())
    why = f": {data['why']}" if data["why"] else ""
    return f"{data['by']}: {data['kind'].replace('_', ' ')} {target}{why}"


def _run(data: _Data) -> str:
    return (
        f"run over: {data['found']} of {_count(data['true'], 'incident')} found, "
        f"{data['false']} false" + (f", {data['late']} too late" if data.get("late") else "")
    )


def _bulletin(data: _Data) -> str:
    return f"{data['title']} ({data['id']})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_TELLERS: dict[str, Callable[[_Data], str | None]] = {
    "Alarm": _alarm,
    "AlarmFlood": _flood,
    "OperatorAct": _act,
    "RuleText": _rule_text,
    "RulesChanged": _rules,
    "DeviceHealth": _health,
    "DeviceHealthGroup": _health_of_many,
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
