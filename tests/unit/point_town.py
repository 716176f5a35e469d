"""A street with gas, a dip with a pump, a tower and a rain gauge, and the whole loop over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.assess.stage import AssessStage
from pipeline.dispatch.plans import default_plans
from pipeline.dispatch.stage import DispatchStage
from pipeline.evaluate.stage import EvaluateStage
from pipeline.messages import (
    Incident,
    Message,
    Samples,
)
from pipeline.monitor.stage import MonitorStage
from pipeline.report.stage import ReportStage
from pipeline.rules import RuleSet, default_rules
from pipeline.runners.router import Router
from pipeline.stage import Stage
from pipeline.supervise.stage import SuperviseStage
from pipeline.warn.stage import WarnStage
from sensors.city import City
from sensors.field import Feedback, FeedbackKind, WorkOrder
from sensors.ground_truth import TrueIncident, TrueKind
from sensors.levels import Level
from sensors.quantities import (
    FREEBOARD,
    GAS_PRESSURE,
    METHANE,
    METHANE_LEL,
    PONDING_DEPTH,
    PRESSURE,
    PUMP_STATE,
    RAINFALL,
)
from sensors.readings import Frame, FrameId, ReadingBatch
from sensors.registry import Device, Registry

MIN = 60_000
START_MS = 1_782_864_000_000

_KINDS: Mapping[str, tuple[str, str, str, float]] = {
    "manhole_methane": ("gas", METHANE.name, "GM", 0.0),
    "well_methane": ("gas", METHANE.name, "GW", 0.0),
    "station_methane": ("gas", METHANE_LEL.name, "GS", 0.0),
    "gas_pressure": ("gas", GAS_PRESSURE.name, "GP", 2.5),
    "road_ponding": ("flood", PONDING_DEPTH.name, "FR", 0.0),
    "underpass_ponding": ("flood", PONDING_DEPTH.name, "FU", 0.0),
    "drain_level": ("flood", FREEBOARD.name, "FD", 2.5),
    "drain_pump_state": ("flood", PUMP_STATE.name, "FP", 0.0),
    "rain_gauge": ("rain", RAINFALL.name, "RG", 12.0),
    "hydrant_pressure": ("fire", PRESSURE.name, "HP", 0.25),
}
"""Device kind → domain, quantity, class code, what it shows when all is well."""

_DEVICES = (
    ("manhole_methane", "GM1", "A", 100.0),
    ("manhole_methane", "GM2", "A", 180.0),
    ("manhole_methane", "GM3", "B", 900.0),
    ("manhole_methane", "GM9a", "B", 5000.0),
    ("manhole_methane", "GM9b", "B", 5000.0),
    ("manhole_methane", "GM9c", "B", 5000.0),
    ("well_methane", "GV1", "A", 300.0),
    ("well_methane", "GV2", "A", 298.0),
    ("station_methane", "GS1", "B", 1500.0),
    ("gas_pressure", "GJ1", "A", 0.0),
    ("gas_pressure", "GJ8", "B", 1600.0),
    ("road_ponding", "FS1", "A", 2000.0),
    ("road_ponding", "FS2", "A", 2300.0),
    ("underpass_ponding", "FU1", "B", 2600.0),
    ("drain_level", "FM1", "A", 2000.0),
    ("drain_level", "FM2", "A", 2100.0),
    ("drain_level", "FM3", "B", 2600.0),
    ("drain_pump_state", "FP1", "B", 2600.0),
    ("rain_gauge", "FG1", "A", 2000.0),
    ("rain_gauge", "FG2", "B", 2600.0),
    ("hydrant_pressure", "H1", "A", 400.0),
)
"""Device kind, element, area and easting; a device is named after its element: `D-GM1`.

Several at one element have a letter each: `D-GM9a` is the first at `GM9`.
"""

SKILLS = {
    "T-gas": ("gas", "inspect", "repair", "ventilate"),
    "T-flood": ("flood", "pump", "barrier", "inspect"),
    "T-police": ("police", "cordon"),
    "T-fire": ("fire", "ventilate"),
    "T-medical": ("medical",),
}


def town(teams: Mapping[str, Sequence[str]] | None = None, people: float = 20.0) -> City:
    """Pipes G0 to G7 from GJ0 to GJ8, 200 m each; spots, an underpass and a tower beyond."""
    joints = [_node(f"GJ{n}", "gas", "junction", 200.0 * n, people) for n in range(9)]
    kinds = {"GM": "manhole_space", "GV": "valve_well", "GS": "station", "FS": "road"}
    kinds |= {"FU": "underpass", "FM": "manhole", "FG": "rain_gauge", "H1": "high_rise"}
    spots = [
        _node(element.rstrip("a"), _KINDS[kind][0], kinds[element[:2]], x_m, 0.0)
        for kind, element, _, x_m in _DEVICES
        if element[:2] in kinds and element[-1] not in "bc"
    ]
    spots.append(_node("FO1", "flood", "outfall", 2700.0, 0.0))
    pipes = [_link(f"G{n}", "gas", "pipe", f"GJ{n}", f"GJ{n + 1}") for n in range(8)]
    pump = _link("FP1", "flood", "pump", "FU1", "FO1")
    crews = SKILLS if teams is None else teams
    rows = {
        "nodes": [*joints, *spots],
        "links": [*pipes, pump],
        "teams": [
            {"id": name, "name": name, "skills": list(skills), "x_m": 1000.0, "y_m": 0.0}
            | {"speed_km_h": 30.0, "unit": name}
            for name, skills in crews.items()
        ],
    }
    return City.of_rows("points", "Pointham", rows)


def registry() -> Registry:
    """Return the devices of the town."""
    return Registry.of(_device(kind, element, area, x_m) for kind, element, area, x_m in _DEVICES)


def device(element: str) -> str:
    """Return the id of the device at an element."""
    return f"D-{element}"


def at(minute: float) -> int:
    """Return the event time of a minute of the story."""
    return START_MS + round(minute * MIN)


def make_stages(city: City, rules: RuleSet | None = None) -> dict[str, Stage]:
    """Return the seven stages over a town."""
    rules, devices = rules or default_rules(), registry()
    return {
        "monitor": MonitorStage(devices, rules.device),
        "warn": WarnStage(devices, rules),
        "assess": AssessStage(devices, city, None),
        "dispatch": DispatchStage(city, default_plans(), rules.response),
        "supervise": SuperviseStage(rules.response, rules.escalation),
        "evaluate": EvaluateStage(city),
        "report": ReportStage(city, rules.response),
    }


@dataclass
class Story:
    """The whole loop over the town; every device shows its normal value unless told otherwise."""

    city: City = field(default_factory=town)
    said: list[Message] = field(default_factory=list)
    shown: dict[str, float] = field(default_factory=dict)
    minute: float = -1.0
    stages: dict[str, Stage] = field(default_factory=dict)
    seq: int = -1

    def __post_init__(self) -> None:
        self.stages = self.stages or make_stages(self.city)
        self.number = registry().number
        self.router = Router(self.stages)
        self.shown = {device(element): _KINDS[kind][3] for kind, element, _, _ in _DEVICES}

    def run(self, minutes: int, *messages: Message, every: int = 1, **values: float) -> None:
        """Let minutes pass; `values` are what devices show from now on, by element.

        `messages` come with the first minute.
        """
        self.shown |= {device(element): value for element, value in values.items()}
        pending = list(messages)
        for _ in range(0, minutes, every):
            self.minute += every
            now_ms = at(self.minute)
            numbers = [self.number[name] for name in sorted(self.shown)]
            show = [self.shown[name] for name in sorted(self.shown)]
            batch = ReadingBatch.of(numbers, [now_ms] * len(show), show).by_device_and_time()
            self.seq += 1
            frame = Frame(FrameId("g-1", 1, self.seq), now_ms, batch)
            said = self.router.run([*pending, frame], now_ms)
            self.said += [message for message in said if not isinstance(message, Samples)]
            pending = []

    def finish(self) -> None:
        """End the run: scores and summary."""
        now_ms = at(self.minute)
        evaluate = self.stages["evaluate"]
        assert isinstance(evaluate, EvaluateStage)
        last = list(evaluate.finish(now_ms))
        self.said += last + self.router.run(last, now_ms, is_time_told=False)

    def silence(self, element: str) -> None:
        """Let a device say nothing from now on."""
        del self.shown[device(element)]

    def tell(self, order: WorkOrder, *kinds: FeedbackKind, element: str = "") -> list[Feedback]:
        """Return what a team says of an order at the next minute."""
        time_ms = at(self.minute + 1)
        return [
            Feedback(f"{order.id}/{kind}/{time_ms}", order.id, order.incident, order.team, kind,
                     time_ms, element)
            for kind in kinds
        ]  # fmt: skip

    def incidents(self) -> list[Incident]:
        """Return the newest version of every incident, in the order they were opened."""
        newest: dict[str, Incident] = {}
        for message in self.said:
            if isinstance(message, Incident):
                newest[message.id] = message
        return list(newest.values())

    def orders(self) -> list[WorkOrder]:
        """Return the orders that went out."""
        return [message for message in self.said if isinstance(message, WorkOrder)]

    def of(self, kind: type[Any]) -> list[Any]:
        """Return everything of a kind that was said."""
        return [message for message in self.said if isinstance(message, kind)]


def truth(
    name: str, kind: TrueKind, element: str, x_m: float, minute: float, **changes: Any
) -> TrueIncident:
    """Return something that really happened in the town."""
    domain = {"G": "gas", "F": "flood", "H": "fire"}[element[0]]
    fields: dict[str, Any] = {
        "id": name,
        "kind": kind,
        "is_hazard": True,
        "domain": domain,
        "area": "A",
        "element": element,
        "x_m": x_m,
        "y_m": 0.0,
        "level": Level.YELLOW,
        "onset_ms": at(minute),
        "detectable_ms": {},
    }
    return TrueIncident(**(fields | changes))


def _node(name: str, domain: str, kind: str, x_m: float, people: float) -> dict[str, Any]:
    return {
        "id": name,
        "domain": domain,
        "kind": kind,
        "area": "A",
        "x_m": x_m,
        "y_m": 0.0,
        "elevation_m": 0.0,
        "base_demand_m3_h": 0.0,
        "people": people,
    }


def _link(name: str, domain: str, kind: str, first: str, second: str) -> dict[str, Any]:
    return {
        "id": name,
        "domain": domain,
        "kind": kind,
        "area": "A",
        "from_node": first,
        "to_node": second,
        "length_m": 200.0,
        "diameter_mm": 100.0,
    }


def _device(kind: str, element: str, area: str, x_m: float) -> Device:
    domain, quantity, _, _ = _KINDS[kind]
    return Device(
        id=device(element),
        kind=kind,
        quantity=quantity,
        domain=domain,
        area=area,
        element=element.rstrip("abc"),
        gateway="g-1",
        x_m=x_m,
        y_m=5.0,
        interval_s=60,
        alarm_interval_s=60,
        upload_s=0,
        range_low=0.0,
        range_high=1000.0,
        accuracy=0.001,
        resolution=0.0,
        alarm_low=float("nan"),
        alarm_high=float("nan"),
        max_step=1000.0,
    )
