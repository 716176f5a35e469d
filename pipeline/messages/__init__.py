"""What the stages pass to each other; frozen, changed only by making a new one.

Every message but the bulk ones (`Samples`, frames) is a *transition*: it says who (`actor`)
decided what about whom (`subject`), when and why, and is appended to the event log.

The chain: frame → samples → alarm → draft warning → incident → warning → order → slip →
closure → case evaluation → bulletin.
"""

from pipeline.messages.handling import (
    Closure,
    Dispatch,
    Milestone,
    OfIncident,
    Slip,
)
from pipeline.messages.incidents import (
    NOTICES,
    OUTSIDE,
    PATROLLED,
    UNCLAIMED,
    Cause,
    Incident,
    IncidentStatus,
    Location,
    Mark,
    WarningNotice,
    WarningStatus,
)
from pipeline.messages.operators import (
    KEPT_FROM_ASSESS,
    AlarmFlood,
    AlarmHandling,
    AlarmStanding,
    FindingEffect,
    Held,
    ModelFinding,
    OperatorAct,
    OperatorActKind,
    RulesChanged,
    RuleText,
)
from pipeline.messages.outcomes import (
    Bulletin,
    BulletinKind,
    CaseEvaluation,
    CitizenTold,
    RunEvaluation,
)
from pipeline.messages.readings import (
    Alarm,
    AlarmState,
    DeviceHealth,
    HealthKind,
    Samples,
)
from sensors.field import DeviceStatus, Feedback, HotlineReport, WorkOrder
from sensors.ground_truth import TrueIncident
from sensors.readings import Frame

__all__ = [
    "KEPT_FROM_ASSESS",
    "NOTICES",
    "OUTSIDE",
    "PATROLLED",
    "UNCLAIMED",
    "Alarm",
    "AlarmFlood",
    "AlarmHandling",
    "AlarmStanding",
    "AlarmState",
    "Bulletin",
    "BulletinKind",
    "CaseEvaluation",
    "Cause",
    "CitizenTold",
    "Closure",
    "DeviceHealth",
    "Dispatch",
    "FindingEffect",
    "HealthKind",
    "Held",
    "HotlineReport",
    "Incident",
    "IncidentStatus",
    "Location",
    "Mark",
    "Message",
    "Milestone",
    "ModelFinding",
    "OfIncident",
    "OperatorAct",
    "OperatorActKind",
    "RuleText",
    "RulesChanged",
    "RunEvaluation",
    "Samples",
    "Slip",
    "Transition",
    "WarningNotice",
    "WarningStatus",
]

Transition = (
    DeviceHealth
    | Alarm
    | AlarmHandling
    | AlarmFlood
    | ModelFinding
    | RulesChanged
    | WarningNotice
    | Incident
    | Dispatch
    | Slip
    | Milestone
    | Closure
    | CaseEvaluation
    | RunEvaluation
    | Bulletin
    | CitizenTold
)
"""Messages that are appended to the event log."""

Message = (
    Frame
    | DeviceStatus
    | Samples
    | Transition
    | WorkOrder
    | Feedback
    | HotlineReport
    | TrueIncident
    | OperatorAct
    | RuleText
)
"""Everything a stage may be given or may return."""
