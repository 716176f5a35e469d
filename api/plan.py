"""A run as planned: the scenario on a certain city with a certain seed, all names resolved."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from sensors.city import City
from sensors.devices.faults import Fault, FaultKind
from sensors.errors import RegistryError
from sensors.ground_truth import TrueKind
from sensors.registry import Registry
from simulator.city.generate import generate_town
from simulator.city.importing import import_inp
from simulator.errors import PhysicsError, ScenarioError
from simulator.incidents.plan import IncidentPlan
from simulator.randomness import stream
from simulator.scenario import DevicePick, FaultSpec, IncidentSpec, PickSpec, Scenario

_ALWAYS_MS = 10 * 365 * 86_400_000

_WIDTHS = {"main": (0.75, 1.0), "middle": (0.35, 0.65), "branch": (0.0, 0.25), "random": (0.0, 1.0)}
"""Which part of the pipes, sorted by diameter, a pick chooses from."""


@dataclass(frozen=True)
class RunPlan:
    """Everything a run needs to know before it starts."""

    scenario: Scenario
    source: str
    seed: int
    city: City
    registry: Registry
    incidents: tuple[IncidentPlan, ...]
    faults: tuple[Fault, ...]

    @property
    def inp(self) -> str:
        """The text of the water network's EPANET file."""
        return self.city.networks["water"]


def plan_run(
    scenario: Scenario, source: Path, *, seed: int | None = None, city_folder: Path | None = None
) -> RunPlan:
    """Resolve a scenario: load or make the city, choose elements and devices.

    Args:
        scenario: The validated scenario.
        source: Its file, for relative paths and messages.
        seed: Instead of the scenario's own.
        city_folder: A city instead of the scenario's own.

    Raises:
        ScenarioError: an element or device does not exist in this city.
    """
    chosen = scenario.seed if seed is None else seed
    city, registry = load_city(scenario, source, city_folder)
    return RunPlan(
        scenario=scenario,
        source=str(source),
        seed=chosen,
        city=city,
        registry=registry,
        incidents=tuple(plan_incident(item, scenario, city) for item in scenario.incidents),
        faults=tuple(
            fault
            for place, item in enumerate(scenario.faults)
            for fault in _faults(place, item, scenario, registry)
        ),
    )


def load_city(
    scenario: Scenario, source: Path, city_folder: Path | None = None
) -> tuple[City, Registry]:
    """Return the city and the registry a scenario runs on."""
    spec, base = scenario.city, source.parent
    if city_folder is not None:
        return read_city(city_folder)
    if spec.folder is not None:
        return read_city(base / spec.folder)
    if spec.inp is not None:
        file = base / spec.inp
        if not file.is_file():
            raise ScenarioError(f"{source}: city.inp: {file} does not exist")
        text = file.read_text(encoding="utf-8", errors="replace")
        try:
            return import_inp(text, city_id_of(file.stem), file.stem, scenario.pressure_share)
        except PhysicsError as error:
            raise ScenarioError(f"{source}: city.inp: {file}: {error}") from error
    assert spec.generate is not None
    town = spec.generate
    return generate_town(
        town.seed,
        junctions=town.junctions,
        city_id=f"town{town.seed}",
        name=f"Town {town.seed}",
        pressure_share=scenario.pressure_share,
    )


def city_id_of(name: str) -> str:
    """Return a name as a city id: lower case, one topic segment."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "city"


def read_city(folder: Path) -> tuple[City, Registry]:
    """Read a city folder with its device table.

    Raises:
        RegistryError: it is no city folder, or something in it is missing or damaged.
    """
    try:
        return City.load(folder), Registry.load(folder / "devices.parquet")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RegistryError(
            f"{folder}: the city is damaged ({error}); make it anew with `tocsin city import`"
        ) from error


def write_city(folder: Path, city: City, registry: Registry) -> None:
    """Write a city folder with its device table."""
    city.save(folder)
    registry.save(folder / "devices.parquet")


def write_plan(folder: Path, plan: RunPlan) -> None:
    """Write what a recording is read with: `scenario.json` and the folder `city`."""
    text = plan.scenario.model_dump_json(indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.json").write_text(text + "\n", encoding="utf-8")
    write_city(folder / "city", plan.city, plan.registry)


def plan_incident(spec: IncidentSpec, scenario: Scenario, city: City) -> IncidentPlan:
    """Resolve one incident: which element, when in event time, how much."""
    outflow = spec.outflow_m3_h or 0.0
    if spec.share_of_demand is not None:
        demand = sum(max(row["base_demand_m3_h"] or 0.0, 0.0) for row in city.rows("nodes"))
        outflow = spec.share_of_demand * demand
    is_pick = isinstance(spec.element, PickSpec)
    return IncidentPlan(
        id=spec.id,
        kind=spec.kind,
        element=_pick(spec, city) if is_pick else str(spec.element),
        onset_ms=scenario.start_ms + spec.at * 1000,
        duration_ms=None if spec.duration is None else spec.duration * 1000,
        outflow_m3_h=outflow,
        growth_ms=spec.growth * 1000,
        factor=spec.factor,
    )


def _pick(spec: IncidentSpec, city: City) -> str:
    assert isinstance(spec.element, PickSpec)
    random = stream(spec.element.seed, "pick", spec.id)
    if spec.kind in (TrueKind.PUMP_TRIP, TrueKind.PUMP_SWITCH):
        return _one_of(_ids(city.rows("links"), "pump"), random, spec, "pumps")
    if spec.kind is TrueKind.DEMAND_SURGE:
        served = [row for row in city.rows("nodes") if (row["base_demand_m3_h"] or 0.0) > 0]
        return _one_of(_ids(served, "junction"), random, spec, "junctions with demand")
    junctions = set(_ids(city.rows("nodes"), "junction"))
    pipes = [
        row
        for row in city.rows("links")
        if row["kind"] == "pipe" and {row["from_node"], row["to_node"]} <= junctions
    ]
    pipes = _in_loops(pipes) or pipes
    pipes.sort(key=lambda row: (row["diameter_mm"], row["id"]))
    low, high = _WIDTHS[spec.element.pick]
    part = pipes[int(low * len(pipes)) : max(int(high * len(pipes)), int(low * len(pipes)) + 1)]
    return _one_of([row["id"] for row in part], random, spec, "pipes")


def _in_loops(pipes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pipes that lie in a loop: shutting one of them cuts nobody off."""
    graph = nx.Graph((row["from_node"], row["to_node"]) for row in pipes)
    bridges = {frozenset(ends) for ends in nx.bridges(graph)}
    return [row for row in pipes if frozenset((row["from_node"], row["to_node"])) not in bridges]


def _ids(rows: Sequence[dict[str, Any]], kind: str) -> list[str]:
    return sorted(row["id"] for row in rows if row["kind"] == kind)


def _one_of(names: Sequence[str], random: Any, spec: IncidentSpec, what: str) -> str:
    if not names:
        raise ScenarioError(f"incident {spec.id}: this city has no {what} to pick from")
    return names[int(random.integers(len(names)))]


def _faults(
    place: int, spec: FaultSpec, scenario: Scenario, registry: Registry
) -> tuple[Fault, ...]:
    try:
        kind = FaultKind(spec.kind)
    except ValueError:
        known = ", ".join(item.value for item in FaultKind)
        raise ScenarioError(f"faults.{place}.kind: {spec.kind!r} is unknown; use {known}") from None
    devices = _devices(place, spec, registry)
    if kind.is_of_gateway == (devices[0] in registry.number):
        wanted = "gateway" if kind.is_of_gateway else "device"
        raise ScenarioError(
            f"faults.{place}: {spec.kind} befalls a {wanted}, and {devices[0]!r} is none; "
            f"choose a {wanted}"
        )
    start_ms = scenario.start_ms + spec.at * 1000
    end_ms = start_ms + (_ALWAYS_MS if spec.duration is None else spec.duration * 1000)
    return tuple(Fault(device, kind, start_ms, end_ms, spec.amount) for device in devices)


def _devices(place: int, spec: FaultSpec, registry: Registry) -> list[str]:
    if isinstance(spec.device, str):
        if spec.device not in registry.number and spec.device not in registry.texts("gateway"):
            raise ScenarioError(f"faults.{place}.device: no device or gateway {spec.device!r}")
        return [spec.device]
    pick: DevicePick = spec.device
    if pick.kind == "gateway":
        names = sorted(set(registry.texts("gateway")))
    else:
        names = sorted(registry.ids[number] for number in registry.where("kind", pick.kind))
    if not names:
        kinds = ["gateway", *sorted(set(registry.texts("kind")))]
        raise ScenarioError(f"faults.{place}.device.kind: no {pick.kind!r}; there are {kinds}")
    if pick.nth is not None:
        return [names[pick.nth % len(names)]]
    count = max(1, round((pick.share or 0.0) * len(names)))
    chosen = stream(place, "fault-share").permutation(len(names))[:count]
    return sorted(names[int(number)] for number in chosen)
