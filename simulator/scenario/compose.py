"""Several scenarios as one: their incidents, storms, faults and permits at shifted times."""

from collections.abc import Sequence
from typing import Any

import yaml

from simulator.scenario.document import Scenario
from simulator.scenario.reading import checked_scenario
from simulator.scenario.values import duration_text
from simulator.scenario.what_happens import IncidentSpec, PickSpec

_TIMES = ("at", "duration", "growth", "tick", "offset")


def composed(
    whole: Scenario, parts: Sequence[tuple[Scenario, int]], source: str = "compose"
) -> Scenario:
    """Return a scenario to which the parts have been added.

    City, start, length and settings stay those of `whole`. Ids that are taken get a number
    behind them. The wind is the strongest of all, and the device fault rates are the first
    that are not `none`.

    Args:
        whole: The scenario to add to; its own `compose` list is emptied.
        parts: Scenarios, themselves composed, and the seconds by which each is moved.
        source: What errors name.

    Raises:
        ScenarioError: something of a part begins after the end of the whole.
    """
    content: dict[str, Any] = whole.model_dump(mode="json", exclude={"compose"})
    for part, offset_s in parts:
        names = _new_names([item["id"] for item in content["incidents"]], part.incidents)
        content["incidents"] += [_moved_incident(item, offset_s, names) for item in part.incidents]
        for key in ("storms", "permits", "faults"):
            taken = [item.get("id") for item in content[key]]
            for item in getattr(part, key):
                row = item.model_dump(mode="json")
                row["at"] += offset_s
                if "id" in row:
                    row["id"] = _free(row["id"], taken)
                    taken.append(row["id"])
                if row.get("incident"):
                    row["incident"] = names[row["incident"]]
                content[key].append(row)
        wind = max(content["weather"]["wind_m_s"], part.weather.wind_m_s)
        content["weather"]["wind_m_s"] = wind
        if content["fault_rates"] == "none":
            content["fault_rates"] = part.fault_rates
    return checked_scenario(content, source)


def scenario_yaml(scenario: Scenario) -> str:
    """Return a scenario as a file that reads back as the same; defaults are left out."""
    content = scenario.model_dump(mode="json", exclude_defaults=True)
    content = {"format": 1, **content}
    return yaml.safe_dump(
        _readable(content), sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )


def _moved_incident(item: IncidentSpec, offset_s: int, names: dict[str, str]) -> dict[str, Any]:
    row = item.model_dump(mode="json")
    row["at"] += offset_s
    row["id"] = names[item.id]
    if isinstance(item.element, PickSpec) and item.element.near is not None:
        row["element"]["near"] = names[item.element.near]
    return row


def _new_names(taken: list[str], incidents: Sequence[IncidentSpec]) -> dict[str, str]:
    names: dict[str, str] = {}
    for item in incidents:
        names[item.id] = _free(item.id, [*taken, *names.values()])
    return names


def _free(name: str, taken: Sequence[str | None]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _readable(value: Any, key: str = "") -> Any:
    """Return content with durations as people write them, without empty keys."""
    if isinstance(value, dict):
        return {name: _readable(item, name) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if key in _TIMES and isinstance(value, int) and not isinstance(value, bool):
        return duration_text(value)
    return value
