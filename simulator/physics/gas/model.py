"""The file of a gas network: columns with units, checked on load."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from simulator.errors import PhysicsError

Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]

SPACE_KINDS = ("manhole_space", "valve_well", "station", "tunnel")
"""Kinds of spaces; the first two are measured in %VOL, the others in %LEL."""
NODE_KINDS = ("source", "junction", "regulator_out")


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A part of the file: every key known, every value of its type."""


class GasProperties(_Strict):
    """The gas and how it escapes.

    Attributes:
        density_kg_nm3: Density at 0 °C and 101.325 kPa.
        viscosity_pa_s: Dynamic viscosity.
        temperature_k: Temperature in the ground.
        heat_ratio: Isentropic exponent.
        methane_share: Share of methane by volume.
        discharge: Discharge coefficient of a hole.
        full_supply_kpa: Gauge pressure from which consumers take all they ask for; below it
            they take in proportion.
    """

    density_kg_nm3: Positive
    viscosity_pa_s: Positive
    temperature_k: Positive
    heat_ratio: Annotated[float, Meta(gt=1.0)]
    methane_share: Share
    discharge: Share
    full_supply_kpa: Positive


class SoilPath(_Strict):
    """How escaping gas finds a space: which share, how late.

    Attributes:
        share: Share of a leak that reaches a space next to it (distance 0 in the soil).
        decay_m: Distance over which that share falls to 1/e.
        lag_s_per_m: Time constant of the soil for each metre of distance.
        most: Largest share of one leak that all spaces together receive; the rest reaches
            the open air.
    """

    share: Share
    decay_m: Positive
    lag_s_per_m: Positive
    most: Share


class Biogas(_Strict):
    """Sewer gas: how it grows and follows the season.

    Attributes:
        rise_s: Time constant of the growth after a source is set or ended.
        cold_factor: Production on the coldest day, as a share of the warmest day's.
        warmest_day: Day of the year, counted from 1, with the most.
    """

    rise_s: Positive
    cold_factor: Share
    warmest_day: Annotated[float, Meta(ge=1.0, le=366.0)]


class Nodes(_Strict):
    """Nodes of the pipes.

    Attributes:
        id: Ids.
        kind: `source`, `junction` or `regulator_out`.
        demand_nm3_h: Mean demand over a day.
        pressure_kpa: Gauge pressure a source holds; 0 elsewhere.
    """

    id: list[str]
    kind: list[str]
    demand_nm3_h: list[NotNegative]
    pressure_kpa: list[NotNegative]


class Pipes(_Strict):
    """Pipes.

    Attributes:
        id: Ids.
        start: Id of the first node.
        end: Id of the second node.
        length_m: Lengths.
        diameter_mm: Inner diameters.
        roughness_mm: Roughness of the wall.
        material: Such as `PE`, `steel`, `cast iron`.
        age_years: Years since they were laid.
    """

    id: list[str]
    start: list[str]
    end: list[str]
    length_m: list[Positive]
    diameter_mm: list[Positive]
    roughness_mm: list[NotNegative]
    material: list[str]
    age_years: list[NotNegative]


class Regulators(_Strict):
    """Pressure regulators, with a check against flow backwards.

    Attributes:
        id: Ids.
        start: Id of the node they take gas from.
        end: Id of the node they feed, of kind `regulator_out`.
        set_kpa: Gauge pressure they hold there.
    """

    id: list[str]
    start: list[str]
    end: list[str]
    set_kpa: list[Positive]


class Spaces(_Strict):
    """Spaces gas can gather in.

    Attributes:
        id: Ids; they are nodes too, without pressure.
        kind: One of `SPACE_KINDS`.
        volume_m3: Volume of air.
        air_changes_h: Air changes an hour in still air.
        wind_changes_h: More air changes an hour for each m/s of wind.
        node: Id of the pipe node whose valve a well holds; empty for other spaces.
        upstream: Tunnels: id of the section whose air flows into this one; empty for the
            first section and for other spaces.
        is_sewer: Whether sewage flows through, so that sewer gas is normal.
        biogas_m3_h: Methane from sewage that is always there, on the warmest day.
    """

    id: list[str]
    kind: list[str]
    volume_m3: list[Positive]
    air_changes_h: list[Positive]
    wind_changes_h: list[NotNegative]
    node: list[str]
    upstream: list[str]
    is_sewer: list[bool]
    biogas_m3_h: list[NotNegative]


class Hearing(_Strict):
    """Which leaking pipe sends gas to which space, and how far through the soil.

    Attributes:
        space: Ids of spaces.
        pipe: Ids of pipes.
        distance_m: Distance in the soil; 0: the pipe lies in the space, which gets all at once.
    """

    space: list[str]
    pipe: list[str]
    distance_m: list[NotNegative]


class GasModel(_Strict):
    """A whole gas network.

    Attributes:
        format: Version of this format, 1.
        title: What it is.
        gas: The gas.
        soil: The soil.
        biogas: Sewer gas.
        wind_m_s: Wind unless told otherwise.
        hourly: Demand in each of the 24 local hours as a factor on the mean, in the middle of
            the hour; straight lines between.
        nodes: Nodes of the pipes.
        pipes: Pipes.
        regulators: Regulators.
        spaces: Spaces.
        hearing: Paths through the soil.
    """

    format: Annotated[int, Meta(ge=1, le=1)]
    title: str
    gas: GasProperties
    soil: SoilPath
    biogas: Biogas
    wind_m_s: NotNegative
    hourly: Annotated[list[NotNegative], Meta(min_length=24, max_length=24)]
    nodes: Nodes
    pipes: Pipes
    regulators: Regulators
    spaces: Spaces
    hearing: Hearing


def parse(text: str) -> GasModel:
    """Return the network in a JSON text.

    Raises:
        PhysicsError: a key, type, range, length or name is wrong; the message says which.
    """
    try:
        model = msgspec.json.decode(text, type=GasModel)
    except msgspec.MsgspecError as error:
        raise PhysicsError(f"gas network: {error}; write it with simulator.city.gas") from error
    check(model)
    return model


def dump(model: GasModel) -> str:
    """Return a network as JSON text that `parse` reads."""
    return msgspec.json.encode(model).decode()


def check(model: GasModel) -> None:
    """Check what types cannot say: equal lengths, unique ids, names that exist.

    Raises:
        PhysicsError: the message names table, key, value and fix.
    """
    tables = {
        "nodes": model.nodes,
        "pipes": model.pipes,
        "regulators": model.regulators,
        "spaces": model.spaces,
        "hearing": model.hearing,
    }
    for name, table in tables.items():
        columns = msgspec.structs.asdict(table)
        lengths = {key: len(column) for key, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise PhysicsError(f"gas network, {name}: columns differ in length: {lengths}")
    nodes, spaces = set(model.nodes.id), set(model.spaces.id)
    links = [*model.pipes.id, *model.regulators.id]
    _unique("nodes and spaces", [*model.nodes.id, *model.spaces.id])
    _unique("pipes and regulators", links)
    _one_of("nodes.kind", model.nodes.kind, NODE_KINDS)
    _one_of("spaces.kind", model.spaces.kind, SPACE_KINDS)
    for key, column, known in (
        ("pipes.start", model.pipes.start, nodes),
        ("pipes.end", model.pipes.end, nodes),
        ("regulators.start", model.regulators.start, nodes),
        ("regulators.end", model.regulators.end, nodes),
        ("spaces.node", model.spaces.node, nodes | {""}),
        ("spaces.upstream", model.spaces.upstream, spaces | {""}),
        ("hearing.space", model.hearing.space, spaces),
        ("hearing.pipe", model.hearing.pipe, set(model.pipes.id)),
    ):
        for value in column:
            if value not in known:
                raise PhysicsError(f"gas network, {key}: there is no {value!r}; correct the id")
    kinds = dict(zip(model.nodes.id, model.nodes.kind, strict=True))
    for end in model.regulators.end:
        if kinds[end] != "regulator_out":
            raise PhysicsError(
                f"gas network, regulators.end: {end!r} is a {kinds[end]}; "
                "a regulator feeds a node of kind regulator_out"
            )
    _unique("regulators.end", model.regulators.end)
    if "source" not in model.nodes.kind:
        raise PhysicsError("gas network, nodes.kind: no source; make one node a source")


def _unique(key: str, ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    for item in ids:
        if item in seen:
            raise PhysicsError(f"gas network, {key}: id {item!r} is used twice; rename one")
        seen.add(item)


def _one_of(key: str, values: Sequence[str], known: Sequence[str]) -> None:
    for value in values:
        if value not in known:
            raise PhysicsError(f"gas network, {key}: {value!r}; use one of {', '.join(known)}")
