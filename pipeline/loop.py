"""The order, keys and feedback of the seven stages, as data any runner can read."""

from dataclasses import dataclass
from types import UnionType

from pipeline.messages import (
    Alarm,
    AlarmFlood,
    AlarmHandling,
    Bulletin,
    CaseEvaluation,
    Closure,
    DeviceHealth,
    Dispatch,
    Incident,
    Milestone,
    ModelFinding,
    OperatorAct,
    RuleText,
    RunEvaluation,
    Samples,
    Slip,
    WarningNotice,
)
from sensors.field import DeviceStatus, Feedback, HotlineReport
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame


@dataclass(frozen=True, slots=True)
class Step:
    """One stage's place in the loop.

    Attributes:
        name: The stage.
        chinese: Its name in the field.
        takes: Message types it is given, from the wire or from any stage.
        key: What its state is partitioned by (`area` or `incident`).
    """

    name: str
    chinese: str
    takes: UnionType | type
    key: str


LOOP: tuple[Step, ...] = (
    Step("monitor", "监测", Frame | DeviceStatus, "area"),
    Step(
        "warn",
        "预警",
        Samples | DeviceHealth | HotlineReport | OperatorAct | RuleText | Incident,
        "area",
    ),
    Step(
        "assess",
        "研判",
        Samples
        | DeviceHealth
        | Alarm
        | ModelFinding
        | WarningNotice
        | Closure
        | Feedback
        | OperatorAct,
        "incident",
    ),
    Step("dispatch", "派单", Incident | Feedback | Closure, "incident"),
    Step(
        "supervise",
        "督办",
        Alarm | Incident | WarningNotice | Dispatch | Feedback | Bulletin,
        "incident",
    ),
    Step(
        "evaluate",
        "评估",
        Alarm
        | AlarmHandling
        | AlarmFlood
        | Incident
        | WarningNotice
        | Slip
        | Milestone
        | Closure
        | TrueIncident,
        "incident",
    ),
    Step(
        "report",
        "通报",
        Alarm
        | ModelFinding
        | Incident
        | WarningNotice
        | Dispatch
        | Feedback
        | Slip
        | Milestone
        | Closure
        | CaseEvaluation
        | RunEvaluation
        | HotlineReport,
        "incident",
    ),
)
"""The seven stages in order. Only `evaluate` takes ground truth.

A runner gives each message to every stage that takes its type, in loop order; what a stage
returns goes to stages that take it, later ones in the same pass and earlier ones in the next.
"""

STAGES: tuple[str, ...] = tuple(step.name for step in LOOP)
"""Names of the stages in order."""
