"""A run as planned: the scenario on a certain city with a certain seed, all names resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from api.cities import Note, city_id_of, load_city, read_city, write_city
from api.library import with_parts
from sensors.city import SCHEMAS, City, Row
from sensors.devices.faults import Fault
from sensors.registry import Registry
from simulator.errors import ScenarioError
from simulator.incidents.plan import IncidentPlan
from simulator.physics.flood.rain import Storm
from simulator.scenario import IncidentSpec, PermitSpec, PickSpec, Scenario
from simulator.scenario.faults import faults_of
from simulator.scenario.picks import Picker
from simulator.scenario.storms import storm_of

__all__ = [
    "RunPlan",
    "city_id_of",
    "load_city",
    "plan_incident",
    "plan_run",
    "read_city",
    "write_city",
    "write_plan",
]


@dataclass(frozen=True)
class RunPlan:
    """Everything a run needs to know before it starts.

    Attributes:
        scenario: The scenario, with everything it is composed of in it.
        source: Its file.
        seed: Seed of the run.
        city: The city; permits of the scenario are in its table.
        registry: Its devices.
        incidents: What happens to which element.
        faults: Which devices fail.
        storms: What rain falls.
    """

    scenario: Scenario
    source: str
    seed: int
    city: City
    registry: Registry
    incidents: tuple[IncidentPlan, ...]
    faults: tuple[Fault, ...]
    storms: tuple[Storm, ...] = ()

    @property
    def inp(self) -> str:
        """The text of the water network's EPANET file; empty when the city has none."""
        return self.city.networks.get("water", "")

    @property
    def wind_m_s(self) -> float:
        """Wind over the city, m/s."""
        return self.scenario.weather.wind_m_s


def plan_run(
    scenario: Scenario,
    source: Path,
    *,
    seed: int | None = None,
    city_folder: Path | None = None,
    size: str | None = None,
    profile: str | None = None,
    note: Note = str,
) -> RunPlan:
    """Resolve a scenario: add its parts, load or make the city, choose elements and devices.

    Args:
        scenario: The validated scenario.
        source: Its file, for relative paths and messages.
        seed: Instead of the scenario's own.
        city_folder: A city instead of the scenario's own.
        size: A generated whole city instead of it: `town`, `city` or `metropolis`.
        profile: Load profile instead of the scenario's own.
        note: Told what takes long.

    Raises:
        ScenarioError: an element or device does not exist in this city.
    """
    chosen = scenario.seed if seed is None else seed
    scenario = with_parts(scenario, source)
    city, registry = load_city(scenario, source, city_folder, size=size, profile=profile, note=note)
    if scenario.storms and "flood" not in city.networks:
        raise ScenarioError(
            f"{source}: storms: {city.name} has no drainage to rain on; use a whole city, such as "
            "city: {generate: {corners: 200}}"
        )
    picker = Picker(city)
    incidents = _incidents(scenario, city, picker)
    return RunPlan(
        scenario=scenario,
        source=str(source),
        seed=chosen,
        city=_with_permits(city, scenario, incidents, picker),
        registry=registry,
        incidents=tuple(incidents.values()),
        faults=faults_of(scenario, registry, chosen, source.parent),
        storms=_storms(scenario, city, source),
    )


def write_plan(folder: Path, plan: RunPlan) -> None:
    """Write what a recording is read with: `scenario.json` and the folder `city`."""
    text = plan.scenario.model_dump_json(indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.json").write_text(text + "\n", encoding="utf-8")
    write_city(folder / "city", plan.city, plan.registry)


def plan_incident(
    spec: IncidentSpec,
    scenario: Scenario,
    city: City,
    *,
    picker: Picker | None = None,
    before: Mapping[str, IncidentPlan] | None = None,
) -> IncidentPlan:
    """Resolve one incident: which element, when in event time, how much.

    Args:
        spec: The incident.
        scenario: For its start.
        city: Where it happens.
        picker: Picks of this city, when there are many incidents to resolve.
        before: Incidents planned before this one, for `near`; what they befall at the same time
            is not picked again while there is something else.

    Raises:
        ScenarioError: the city has nothing that fits a pick.
    """
    outflow = spec.outflow_m3_h or 0.0
    if spec.share_of_demand is not None:
        demand = sum(max(row["base_demand_m3_h"] or 0.0, 0.0) for row in city.rows("nodes"))
        outflow = spec.share_of_demand * demand
    element = spec.element
    plan = IncidentPlan(
        id=spec.id,
        kind=spec.kind,
        element=element if isinstance(element, str) else "",
        onset_ms=scenario.start_ms + spec.at * 1000,
        duration_ms=None if spec.duration is None else spec.duration * 1000,
        outflow_m3_h=outflow,
        growth_ms=spec.growth * 1000,
        factor=spec.factor,
        amount=spec.amount or 0.0,
    )
    if isinstance(element, PickSpec):
        earlier = before or {}
        near = None if element.near is None else earlier[element.near].element
        taken = {other.element for other in earlier.values() if plan.overlaps(other)}
        plan = replace(plan, element=(picker or Picker(city)).pick(spec, near, taken))
    return plan


def _incidents(scenario: Scenario, city: City, picker: Picker) -> dict[str, IncidentPlan]:
    found: dict[str, IncidentPlan] = {}
    for item in scenario.incidents:
        found[item.id] = plan_incident(item, scenario, city, picker=picker, before=found)
    return found


def _storms(scenario: Scenario, city: City, source: Path) -> tuple[Storm, ...]:
    x_m, y_m = (city.tables["nodes"].column(name).to_numpy() for name in ("x_m", "y_m"))
    if not scenario.storms:
        return ()
    middle_m = float(x_m.min() + x_m.max()) / 2, float(y_m.min() + y_m.max()) / 2
    return tuple(
        storm_of(item, scenario.start_ms, middle_m, source.parent) for item in scenario.storms
    )


def _with_permits(
    city: City, scenario: Scenario, incidents: Mapping[str, IncidentPlan], picker: Picker
) -> City:
    """Return the city with the scenario's permits in its table."""
    if not scenario.permits:
        return city
    rows = [_permit(item, scenario, incidents, picker) for item in scenario.permits]
    added = pa.Table.from_pylist(rows, schema=SCHEMAS["permits"])
    table = pa.concat_tables([city.tables["permits"], added])
    return replace(city, tables=MappingProxyType({**city.tables, "permits": table}))


def _permit(
    spec: PermitSpec, scenario: Scenario, incidents: Mapping[str, IncidentPlan], picker: Picker
) -> Row:
    element = spec.element or incidents[spec.incident or ""].element
    place = picker.place_of(element)
    if place is None:
        raise ScenarioError(f"permits: {spec.id}: element: the city has no {element!r}")
    start_ms = scenario.start_ms + spec.at * 1000
    return {
        "id": spec.id,
        "kind": spec.kind,
        "element": element,
        "area": picker.area_of(element),
        "x_m": place[0],
        "y_m": place[1],
        "start_ms": start_ms,
        "end_ms": start_ms + spec.duration * 1000,
        "holder": spec.holder,
    }
