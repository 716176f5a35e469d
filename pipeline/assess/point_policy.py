"""Limits for hazards at points (gas, ponding, fire water, rain), read from `points.json`."""

from importlib import resources

import msgspec

from pipeline.errors import RuleError

_UNITS = {
    "_m": "m",
    "_min": "min",
    "_h": "h",
    "_cm": "cm",
    "_vol": "%VOL",
    "_weight": "1",
    "_ratio": "1",
}
"""What the end of a limit's name says its unit is."""


class PointLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers by which points are grouped, placed and held; units stand in the names."""

    gas_join_m: float
    gas_join_min: float
    gas_travel_m: float
    gas_pressure_join_m: float
    gas_pressure_join_min: float
    gas_soil_m: float
    gas_search_m: float
    gas_quiet_weight: float
    gas_clean_vol: float
    gas_elevated_vol: float
    gas_elevated_ratio: float
    gas_nearer_ratio: float
    spot_join_m: float
    pump_reach_m: float
    pump_silence_min: float
    pump_start_min: float
    pump_second_min: float
    closure_underpass_cm: float
    closure_road_cm: float
    water_gone_cm: float
    silent_min: float
    fire_join_min: float
    fire_tank_m: float
    fire_tank_wait_min: float
    colleague_wait_min: float
    severe_wait_min: float
    restless_wait_min: float
    restless_ratio: float
    restless_before_min: float
    steady_wait_min: float
    steady_rise_vol: float
    steady_step_ratio: float
    factor_least_ratio: float
    factor_tolerance_ratio: float
    elevated_since_min: float
    notice_join_min: float
    people_m: float
    told_water_cm: float
    told_rain_m: float
    told_drain_m: float
    told_methane_m: float


class Confidences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sure a cause is, by what speaks for it, 0 to 1; all proposed."""

    gas_one_space: float
    gas_several_spaces: float
    gas_with_pressure: float
    gas_pressure_only: float
    biogas: float
    steady_methane: float
    ponding: float
    pump_stopped: float
    surcharge: float
    fire_water: float
    storm: float
    other: float


class PointPolicy(msgspec.Struct, frozen=True):
    """What hazards at points are judged by."""

    limits: PointLimits
    confidence: Confidences


class _Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    value: float
    unit: str
    basis: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    note: str
    limits: dict[str, _Limit]
    confidence: Confidences


def load_point_policy(text: str | bytes, source: str) -> PointPolicy:
    """Read a policy from JSON shaped like `points.json`.

    Raises:
        RuleError: naming file, key, value and fix.
    """
    try:
        file = msgspec.json.decode(text, type=_File)
        for name, limit in file.limits.items():
            _check(name, limit, source)
        values = {name: limit.value for name, limit in file.limits.items()}
        limits = msgspec.convert(values, type=PointLimits)
    except msgspec.MsgspecError as error:
        raise RuleError(f"{source}: {error}; compare with pipeline/assess/points.json") from error
    for name, share in msgspec.structs.asdict(file.confidence).items():
        if not 0.0 < share < 1.0:
            raise RuleError(
                f"{source}: confidence.{name} = {share:g}: give a share between 0 and 1"
            )
    return PointPolicy(limits, file.confidence)


def default_point_policy() -> PointPolicy:
    """Return the policy that comes with the program."""
    file = resources.files("pipeline.assess") / "points.json"
    return load_point_policy(file.read_bytes(), "pipeline/assess/points.json")


def _check(name: str, limit: _Limit, source: str) -> None:
    where = f"{source}: limits.{name}"
    if limit.value <= 0:
        raise RuleError(f"{where}.value = {limit.value:g}: must be above 0; give it a size")
    unit = next((_UNITS[end] for end in sorted(_UNITS, key=len)[::-1] if name.endswith(end)), None)
    if unit != limit.unit:
        raise RuleError(f"{where}.unit = {limit.unit!r}: must be {unit!r}; convert the value")
    if limit.basis.split(":")[0] not in ("quoted", "example", "proposed"):
        raise RuleError(f"{where}.basis = {limit.basis!r}: begin with quoted, example or proposed")
