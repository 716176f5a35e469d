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
    UNCLAIMED,
    Cause,
    Incident,
    IncidentStatus,
    Location,
    Mark,
    WarningNotice,
    WarningStatus,
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
    "NOTICES",
    "UNCLAIMED",
    "Alarm",
    "AlarmState",
    "Bulletin",
    "BulletinKind",
    "CaseEvaluation",
    "Cause",
    "CitizenTold",
    "Closure",
    "DeviceHealth",
    "Dispatch",
    "HealthKind",
    "Incident",
    "IncidentStatus",
    "Location",
    "Mark",
    "Message",
    "Milestone",
    "OfIncident",
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
)
"""Everything a stage may be given or may return."""
