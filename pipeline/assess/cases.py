"""An incident in the making: its alarms, what is held of it, and its next version."""

from dataclasses import dataclass, field

import numpy as np

from pipeline.assess.history import History
from pipeline.assess.layout import Layout
from pipeline.assess.ledger import Ledger
from pipeline.messages import (
    Alarm,
    AlarmState,
    Cause,
    HealthKind,
    Incident,
    IncidentStatus,
    Location,
    ModelFinding,
    OperatorAct,
    WarningNotice,
)
from sensors.levels import Level, worst
from sensors.readings import Floats, Int64s

OVER = frozenset({AlarmState.CLEARED, AlarmState.WITHDRAWN})
"""States of an alarm that no longer stands."""
KINDS = tuple(HealthKind)
UNUSABLE = sum(
    1 << KINDS.index(kind) for kind in (HealthKind.STUCK, HealthKind.RANGE, HealthKind.SKEW)
)
"""Doubts that keep a device out of the evidence, as bits."""


@dataclass(slots=True)
class Case:
    """One incident while the platform has to do with it (mutable: only its stage changes it).

    Attributes:
        onset_ms: Sample time of the first sample that violated a limit.
        newest_raised_ms: The same of the newest alarm that joined.
        evidence_level: Worst level of its alarms; never lowered once confirmed.
        reference_ms: Sample times of the undisturbed reference (`evidence.Reference`), empty until
            first needed.
        reference: Its values.
        decided_ms: When it was confirmed or dismissed.
        ended_ms: When it was dismissed or closed.
        located_ms: When its place was last searched for.
        emitted_ms: When its newest version was emitted.
        has_arrived: Whether a team has arrived.
        is_stale: Whether the newest version lacks something.
        drafts: Draft warnings that wait for the decision.
        warning: The warning in its newest version, None before it is issued.
        family: What its alarms are about (`point_grouping.Family`); empty for water mains.
        marks: What sensors show at the place (`Mark`).
        placed_devices: How many devices its place was worked out from.
        people: People who live near its place.
        findings: Findings of warning models that were last taken into account, with level.
        is_slow: Whether it began with a change over hours (`AssessPolicy.slow_rules`).
        is_forecast: Whether it rests on forecasts or calls alone: nothing is measured there yet.
    """

    id: str
    area: str
    domain: str
    opened_ms: int
    onset_ms: int
    newest_raised_ms: int
    evidence_level: Level
    level: Level
    location: Location
    status: IncidentStatus = IncidentStatus.ASSESSING
    cause: Cause = Cause.UNKNOWN
    reason: str = ""
    version: int = 0
    alarms: list[str] = field(default_factory=list)
    devices: list[int] = field(default_factory=list)
    likelihood: int = 1
    consequence: int = 1
    risk_level: Level = Level.BLUE
    confidence: float = 0.0
    households: float = 0.0
    adjustments: list[str] = field(default_factory=list)
    reference_ms: Int64s = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    reference: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    decided_ms: int = 0
    ended_ms: int = 0
    located_ms: int = 0
    emitted_ms: int = 0
    has_arrived: bool = False
    is_stale: bool = True
    drafts: list[WarningNotice] = field(default_factory=list)
    warning: WarningNotice | None = None
    family: str = ""
    marks: list[str] = field(default_factory=list)
    placed_devices: int = 0
    people: float = 0.0
    findings: list[str] = field(default_factory=list)
    is_slow: bool = False
    is_forecast: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is still assessed or confirmed."""
        return self.status in (IncidentStatus.ASSESSING, IncidentStatus.CONFIRMED)

    def version_at(self, now_ms: int, reason: str, layout: Layout) -> Incident:
        """Return the next version of the incident."""
        self.version += 1
        self.emitted_ms, self.reason, self.is_stale = now_ms, reason, False
        return Incident(
            id=self.id,
            version=self.version,
            status=self.status,
            domain=self.domain,
            cause=self.cause,
            level=self.level,
            area=self.area,
            alarms=tuple(sorted(self.alarms)),
            devices=tuple(layout.ids[number] for number in sorted(self.devices)),
            location=self.location,
            likelihood=self.likelihood,
            consequence=self.consequence,
            risk_level=self.risk_level,
            confidence=self.confidence,
            households=self.households,
            opened_ms=self.opened_ms,
            time_ms=now_ms,
            reason=reason,
            adjustments=tuple(self.adjustments),
        )


@dataclass(slots=True)
class AssessState:
    """Everything the stage remembers.

    Attributes:
        doubts: Bits of `KINDS` that are on, one entry a device.
        alarms: Alarm id → newest state of each alarm that stands or belongs to an open case.
        owner: Alarm id → case it belongs to.
        cases: Cases by id, oldest first.
        pending: Alarms since the last moment.
        drafts: Draft warnings not yet given to a case.
        findings: Findings of warning models that stand, by id.
        acts: Acts of operators on warnings since the last moment.
        ledger: Mean residuals of the mains, for leaks that grow.
    """

    history: History
    doubts: Int64s
    alarms: dict[str, Alarm] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    pending: list[Alarm] = field(default_factory=list)
    drafts: list[WarningNotice] = field(default_factory=list)
    findings: dict[str, ModelFinding] = field(default_factory=dict)
    acts: list[OperatorAct] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)

    def standing(self, case: Case) -> list[Alarm]:
        """Return the alarms of a case that still stand."""
        known = [self.alarms[alarm] for alarm in case.alarms if alarm in self.alarms]
        return [alarm for alarm in known if alarm.state not in OVER]

    def findings_of(self, case: Case) -> list[ModelFinding]:
        """Return the findings that hold about the devices with an alarm of a case, by id."""
        if not self.findings:
            return []
        devices = {alarm.split("/", 1)[0] for alarm in case.alarms}
        return [
            self.findings[name]
            for name in sorted(self.findings)
            if self.findings[name].is_on and not devices.isdisjoint(self.findings[name].devices)
        ]

    def renew_findings(self, case: Case) -> bool:
        """Note the findings that hold about a case; return whether one is new or changed."""
        before = case.findings
        case.findings = [f"{one.id} {one.level}" for one in self.findings_of(case)]
        return not set(case.findings) <= set(before)

    def renew_evidence_level(self, case: Case) -> bool:
        """Bring a case's evidence up to date; return whether it got worse.

        So it did too when a warning model found something new about it.
        """
        is_new = self.renew_findings(case)
        now = worst(*(alarm.level for alarm in self.standing(case)))
        before = case.evidence_level
        if now is not None:
            confirmed = case.status is IncidentStatus.CONFIRMED
            case.evidence_level = worst(before, now) or now if confirmed else now
        return is_new or case.evidence_level.is_worse_than(before)

    def forget(self, now_ms: int, keep_ms: int, closed_ms: int) -> None:
        """Drop cases of the past, and alarms and findings nobody needs.

        Args:
            now_ms: Event time.
            keep_ms: How long a case is kept after it ended.
            closed_ms: How long one of water mains that was closed is kept.
        """
        for finding in [one for one in self.findings.values() if not one.is_on]:
            del self.findings[finding.id]
        for case in list(self.cases.values()):
            is_of_mains = case.status is IncidentStatus.CLOSED and not case.family
            kept_ms = max(keep_ms, closed_ms) if is_of_mains else keep_ms
            if not case.is_open and case.ended_ms + kept_ms < now_ms:
                del self.cases[case.id]
        for alarm in list(self.alarms.values()):
            case_id = self.owner.get(alarm.id, "")
            owner = self.cases.get(case_id)
            if alarm.state in OVER and (owner is None or not owner.is_open):
                del self.alarms[alarm.id]
                self.owner.pop(alarm.id, None)
