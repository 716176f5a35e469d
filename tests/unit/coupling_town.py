"""A street of devices for warning models, and a book of alarms, samples and calls to ask with."""

from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.messages import Alarm, AlarmState, HotlineReport, ModelFinding
from pipeline.rules import RuleSet, default_rules
from pipeline.warn.coupling.desk import Couplings
from sensors.city import City
from sensors.levels import Level
from sensors.readings import ReadingBatch
from sensors.registry import Device, Registry

MIN = 60_000
T0 = 1_782_864_000_000
_KINDS = {
    "rain_gauge": ("rain", "rainfall"),
    "drain_level": ("flood", "freeboard"),
    "underpass_ponding": ("flood", "ponding_depth"),
    "road_ponding": ("flood", "ponding_depth"),
    "drain_pump_state": ("flood", "pump_state"),
    "network_pressure": ("water", "pressure"),
    "manhole_methane": ("gas", "methane"),
    "well_methane": ("gas", "methane"),
    "gas_pressure": ("gas", "gas_pressure"),
}
_PLACES = (
    ("rain_gauge", "RG", "A", 0.0),
    ("drain_level", "DL", "A", 100.0),
    ("underpass_ponding", "UP", "A", 200.0),
    ("underpass_ponding", "UPfar", "A", 2000.0),
    ("drain_pump_state", "PU", "A", 210.0),
    ("network_pressure", "WP", "B", 400.0),
    ("manhole_methane", "M1", "A", 5000.0),
    ("manhole_methane", "M2", "B", 5100.0),
    ("manhole_methane", "M3", "A", 9000.0),
    ("well_methane", "W1", "A", 7000.0),
    ("gas_pressure", "GP", "A", 5300.0),
)
"""Kind, element (and device id), area and easting."""
RULES = {
    "rainfall": "rain.local_1h",
    "freeboard": "flood.drain_freeboard",
    "pressure": "water.pressure_drop",
    "methane": "gas.ch4_space",
    "gas_pressure": "gas.pressure_low",
    "ponding_depth": "flood.ponding_underpass",
}


def registry() -> Registry:
    """Return the street's devices."""
    return Registry.of(
        Device(
            id=name,
            kind=kind,
            quantity=_KINDS[kind][1],
            domain=_KINDS[kind][0],
            area=area,
            element=name,
            gateway="g",
            x_m=x_m,
            y_m=0.0,
            interval_s=60,
            alarm_interval_s=60,
            upload_s=0,
            range_low=0.0,
            range_high=1e3,
            accuracy=0.0,
            resolution=0.0,
            alarm_low=float("nan"),
            alarm_high=float("nan"),
            max_step=1e3,
        )
        for kind, name, area, x_m in _PLACES
    )


def permit(kind: str, x_m: float, start_min: float = -60, end_min: float = 600) -> dict[str, Any]:
    """Return a row of the permits table."""
    return {
        "id": f"P-{kind}",
        "kind": kind,
        "element": "",
        "area": "A",
        "x_m": x_m,
        "y_m": 0.0,
        "start_ms": T0 + round(start_min * MIN),
        "end_ms": T0 + round(end_min * MIN),
        "holder": "Contractor",
    }


@dataclass
class Street:
    """The warning models over the street, asked minute by minute.

    `alarm` and `shows` take effect with the next `ask`; what is said is kept in `said`.
    """

    permits: list[dict[str, Any]] = field(default_factory=list)
    rules: RuleSet = field(default_factory=default_rules)
    has_city: bool = True
    said: list[Alarm | ModelFinding] = field(default_factory=list)
    minute: float = 0.0

    def __post_init__(self) -> None:
        self.registry = registry()
        city = City.of_rows("s", "Street", {"permits": self.permits}) if self.has_city else None
        self.desk = Couplings(self.registry, self.rules, city)
        self._alarms: list[Alarm] = []
        self._samples: dict[str, float] = {}
        self._stand: dict[str, Alarm] = {}

    def alarm(self, device: str, level: Level, rule: str = "", value: float = 1.0) -> Alarm:
        """Let an alarm stand at a device from this minute on, or change it."""
        row = self.registry.device(self.registry.number[device])
        rule = rule or RULES[row.quantity]
        at_ms = T0 + round(self.minute * MIN)
        known = self._stand.get(f"{device}/{rule}")
        if known is not None:
            made = replace(known, level=level, state=AlarmState.CHANGED, time_ms=at_ms)
        else:
            made = Alarm(
                id=f"{device}/{rule}/{at_ms}",
                device=device,
                rule=rule,
                domain=row.domain,
                area=row.area,
                quantity=row.quantity,
                level=level,
                state=AlarmState.RAISED,
                value=value,
                limit=0.0,
                before=float("nan"),
                raised_ms=at_ms,
                sample_ms=at_ms,
                time_ms=at_ms,
                reason="held_beyond_limit",
            )
        self._stand[f"{device}/{rule}"] = made
        self._alarms.append(made)
        return made

    def clear(self, device: str) -> None:
        """End every alarm of a device."""
        for key, alarm in list(self._stand.items()):
            if alarm.device == device:
                self._alarms.append(replace(alarm, state=AlarmState.CLEARED))
                del self._stand[key]

    def shows(self, device: str, value: float) -> None:
        """Let a device sample a value."""
        self._samples[device] = value

    def call(self, subject: str, x_m: float, name: str) -> None:
        """Let a citizen call now."""
        at_ms = T0 + round(self.minute * MIN)
        self.desk.take(HotlineReport(name, at_ms, at_ms, subject, "A", x_m, 0.0))

    def ask(self, minutes: float = 1.0) -> list[Alarm | ModelFinding]:
        """Ask the models now, then let time pass; return what they said."""
        now_ms = T0 + round(self.minute * MIN)
        numbers = [self.registry.number[name] for name in sorted(self._samples)]
        values = [self._samples[name] for name in sorted(self._samples)]
        batch = ReadingBatch.of(numbers, [now_ms] * len(numbers), values).by_device_and_time()
        said = self.desk.judge(batch, self._alarms, now_ms)
        self._alarms, self._samples = [], {}
        self.said += said
        self.minute += minutes
        return said

    def findings(self, model: str) -> list[ModelFinding]:
        """Return what a model found, in order."""
        found = [one for one in self.said if isinstance(one, ModelFinding)]
        return [one for one in found if one.model == model]

    def alarms(self, model: str) -> list[Alarm]:
        """Return the alarms a model raised, in order."""
        return [one for one in self.said if isinstance(one, Alarm) and one.rule == model]
