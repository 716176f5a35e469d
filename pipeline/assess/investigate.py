"""Looks into one case: evidence, search, decision, place and consequence in one go."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.csgraph import dijkstra

from pipeline.assess.cases import KINDS, UNUSABLE, AssessState, Case
from pipeline.assess.causes import (
    AlarmPicture,
    Verdict,
    decide,
    decide_slow,
    decide_without_model,
    is_ripe,
    needs_search,
    too_little,
)
from pipeline.assess.consequence import (
    Assessment,
    Exposure,
    consequence_of,
    corroboration,
    households_affected,
    live_likelihood,
    risk_colour,
)
from pipeline.assess.evidence import (
    Evidence,
    Reference,
    conditions_at,
    gather,
    is_operation_heard,
    take_reference,
)
from pipeline.assess.findings import consequence_with, level_with
from pipeline.assess.layout import Layout
from pipeline.assess.locate import LeakFit, locate
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.rivals import operation_gain
from pipeline.messages import AlarmState, Cause, Location
from pipeline.ports import Conditions, NetworkModel
from sensors.levels import Level
from sensors.readings import Floats


@dataclass(frozen=True, slots=True)
class Finding:
    """What looking into a case found; `verdict` is None while waiting can help."""

    verdict: Verdict | None
    evidence: Evidence
    fit: LeakFit | None


class Investigator:
    """Looks into cases by the devices' history and the platform's own network model."""

    def __init__(
        self,
        layout: Layout,
        exposure: Exposure,
        model: NetworkModel | None,
        policy: AssessPolicy,
    ) -> None:
        self._layout, self._exposure = layout, exposure
        self._model, self._policy = model, policy

    @property
    def is_large(self) -> bool:
        """Whether the network has more pipes than one search goes through."""
        return self._model is not None and len(self._model.pipes) > self._policy.max_pipes

    def is_ready(self, state: AssessState, case: Case, now_ms: int) -> bool:
        """Return whether pumps and enough pressure devices have reported since onset.

        Until then a pump's switching may still look like a burst, and a silent neighbour like
        an undisturbed one.
        """
        if now_ms >= case.opened_ms + self._policy.settle_ms:
            return True
        newest_ms = state.history.newest_ms()
        usable = (newest_ms > 0) & ((state.doubts & UNUSABLE) == 0)
        pumps = self._layout.pumps[usable[self._layout.pumps]]
        pressure = self._layout.pressure[usable[self._layout.pressure]]
        if not (newest_ms[pumps] >= case.onset_ms).all() or not len(pressure):
            return False
        covered = float((newest_ms[pressure] >= case.onset_ms).mean())
        return covered >= self._policy.coverage_share

    def due_ms(self, case: Case) -> int:
        """Return when a case must be decided at the latest."""
        if case.is_slow:
            return case.opened_ms + self._policy.slow_decide_ms
        return case.opened_ms + self._policy.limit_ms(case.evidence_level)

    def note(self, state: AssessState, now_ms: int) -> None:
        """Keep the ledger of residuals up to date, where there is a model and a flow meter."""
        if self._model is not None and len(self._layout.flow):
            state.ledger.note(state.history, self._layout, self._model, now_ms)

    def picture(self, state: AssessState, case: Case, now_ms: int) -> AlarmPicture:
        """Return what the alarms of a case say together."""
        standing = state.standing(case)
        devices = sorted({self._layout.number[alarm.device] for alarm in standing})
        low = {
            alarm.device
            for alarm in standing
            if alarm.rule == self._policy.low_head_rule and alarm.level <= Level.YELLOW
        }
        return AlarmPicture(
            is_over=not standing,
            is_raised=any(alarm.state is not AlarmState.PROVISIONAL for alarm in standing),
            low_head=len(low),
            devices=tuple(devices),
            is_doubtful=all(bool(state.doubts[number] & UNUSABLE) for number in devices),
            is_due=now_ms >= self.due_ms(case),
        )

    def look_into(
        self,
        state: AssessState,
        case: Case,
        alarms: AlarmPicture,
        now_ms: int,
        *,
        search: bool = True,
    ) -> Finding:
        """Gather evidence, search for a leak when it is worth it, and decide."""
        if case.is_slow:
            return self._look_into_slow(state, case, alarms, now_ms, search=search)
        known = Reference(case.reference_ms, case.reference) if len(case.reference) else None
        reference = take_reference(state.history, self._layout, case.onset_ms, self._policy, known)
        case.reference_ms, case.reference = reference.time_ms, reference.value
        evidence = gather(
            state.history,
            self._layout,
            reference,
            case.onset_ms,
            (state.doubts & UNUSABLE) != 0,
            self._model,
            self._policy,
            self._policy.model_step_min if self.is_large else 1,
        )
        if self._model is None:
            return Finding(decide_without_model(evidence, alarms, self._policy), evidence, None)
        fit = None
        is_worth_it = is_ripe(evidence, alarms, self._policy) and not alarms.is_over
        if search and is_worth_it and needs_search(evidence, self._policy):
            fit = self._search(state, case, evidence, self._model)
            case.located_ms = now_ms
        operation = 0.0  # in a large network a fit is over some of the devices: no comparison
        is_heard = self.is_large or is_operation_heard(state.history, self._layout, now_ms)
        if fit is not None and not is_heard:
            at_ms, conditions = self._moment(state, evidence)
            operation = operation_gain(evidence, self._model, at_ms, conditions, self._policy)
        return Finding(decide(evidence, fit, alarms, self._policy, operation), evidence, fit)

    def _look_into_slow(
        self, state: AssessState, case: Case, alarms: AlarmPicture, now_ms: int, *, search: bool
    ) -> Finding:
        """Look into a change over hours by the ledger of residuals."""
        doubtful = (state.doubts & UNUSABLE) != 0
        evidence = state.ledger.evidence(
            state.history, self._layout, case.onset_ms, now_ms, doubtful, self._policy
        )
        if evidence is None or self._model is None:
            verdict = too_little(alarms)
            return Finding(verdict, evidence or Evidence.none(), None)
        fit = None
        if search:
            case.located_ms = now_ms
            if needs_search(evidence, self._policy) and not alarms.is_over:
                fit = self._search(state, case, evidence, self._model)
        return Finding(decide_slow(evidence, fit, alarms, self._policy), evidence, fit)

    def _search(
        self, state: AssessState, case: Case, evidence: Evidence, model: NetworkModel
    ) -> LeakFit | None:
        at_ms, conditions = self._moment(state, evidence)
        pipes = [pipe for pipe in model.pipes if pipe in self._layout.links]
        if len(pipes) <= self._policy.max_pipes:
            return locate(evidence, model, pipes, at_ms, conditions, self._policy)
        near = self._near(case)
        pipes = [pipe for pipe in pipes if self._layout.links[pipe].area in near]
        pipes = self._closest(case, pipes)
        shows = np.array([self._layout.area[number] in near for number in evidence.device.tolist()])
        fit = locate(evidence.of(shows), model, pipes, at_ms, conditions, self._policy)
        if fit is None:
            return None
        predicted = np.zeros(len(evidence.device))
        predicted[shows] = fit.predicted
        return replace(fit, predicted=predicted)

    def _moment(self, state: AssessState, evidence: Evidence) -> tuple[int, Conditions]:
        """Return the moment the newest samples stand for, and how the network was run then."""
        at_ms = int(np.median(evidence.after_ms)) // 60_000 * 60_000
        return at_ms, conditions_at(state.history, self._layout, at_ms, is_after=True)

    def _near(self, case: Case) -> frozenset[str]:
        """Return the areas of a case's devices and those that touch them."""
        areas = {self._layout.area[number] for number in case.devices}
        touching = (self._layout.neighbours.get(area, frozenset()) for area in areas)
        return frozenset[str]().union(areas, *touching)

    def _closest(self, case: Case, pipes: list[str]) -> list[str]:
        """Return at most `max_pipes` pipes, those nearest to the case's devices, in order."""
        most = self._policy.max_pipes
        if len(pipes) <= most:
            return pipes
        links = self._layout.links
        place_m = np.array([(links[pipe].x_m, links[pipe].y_m) for pipe in pipes])
        away_m = np.full(len(pipes), np.inf)
        for x_m, y_m in self._layout.place_m[case.devices].tolist():
            away_m = np.minimum(away_m, np.hypot(place_m[:, 0] - x_m, place_m[:, 1] - y_m))
        chosen = np.sort(np.argsort(away_m, kind="stable")[:most])
        return [pipes[index] for index in chosen.tolist()]

    def place(self, case: Case, finding: Finding) -> Location:
        """Return where a confirmed case is held to be."""
        cause = finding.verdict.cause if finding.verdict is not None else case.cause
        evidence, limit = finding.evidence, self._policy.candidates
        if cause is Cause.BURST and finding.fit is not None:
            fit = finding.fit
            return self._at(fit.pipes[:limit], fit.scores[:limit], "leak_signature")
        if cause is Cause.PUMP_OUTAGE:
            pumps = (evidence.stopped or evidence.standing)[:limit]
            return self._at(pumps, (1.0,) + (0.5,) * (len(pumps) - 1), "measured_pump_state")
        if not evidence.is_pressure.any():
            return case.location
        drop = np.where(evidence.is_pressure, evidence.residual / evidence.noise, np.inf)
        return self._around(int(evidence.device[np.argmin(drop)]), "largest_drop")

    def assess(self, state: AssessState, case: Case, finding: Finding) -> Assessment:
        """Return level, likelihood and consequence of a case at its place."""
        element = case.location.candidates[0] if case.location.candidates else ""
        households = households_affected(self._layout, finding.evidence, element, self._policy)
        place_m = (case.location.x_m, case.location.y_m)
        findings = state.findings_of(case)
        consequence = consequence_of(households, element, place_m, self._exposure, self._policy)
        consequence = consequence_with(consequence, findings)
        support = corroboration(self._layout, finding.evidence, self._quality(state), self._policy)
        level, adjustments = level_with(case.evidence_level, consequence, support, findings)
        static = self._exposure.risk.get(element, (1, 1))[0]
        likelihood = live_likelihood(static, case.evidence_level)
        return Assessment(
            level=level,
            adjustments=adjustments,
            likelihood=likelihood,
            consequence=consequence,
            risk_level=risk_colour(likelihood, consequence, self._policy),
            households=households,
        )

    def area_of(self, case: Case) -> str:
        """Return the area of a case's place, or its own where the place names no link."""
        first = case.location.candidates[0] if case.location.candidates else ""
        pipe = self._layout.links.get(first)
        return pipe.area if pipe is not None and pipe.area else case.area

    def _quality(self, state: AssessState) -> Floats:
        doubts = sum((state.doubts >> bit) & 1 for bit in range(len(KINDS)))
        return 1.0 - self._policy.quality_step * np.asarray(doubts, dtype=np.float64)

    def _at(self, elements: tuple[str, ...], scores: tuple[float, ...], method: str) -> Location:
        pipe = self._layout.links.get(elements[0])
        x_m, y_m = (pipe.x_m, pipe.y_m) if pipe is not None else (0.0, 0.0)
        return Location(elements, scores, x_m, y_m, method)

    def _around(self, device: int, method: str) -> Location:
        """Return the pipes nearest to a device along the network."""
        layout = self._layout
        x_m, y_m = layout.place_m[device].tolist()
        if layout.node[device] < 0:
            return Location((), (), x_m, y_m, method)
        reach_m = dijkstra(layout.graph, directed=False, indices=layout.node[device])
        nearest = sorted(
            (min(reach_m[pipe.from_node], reach_m[pipe.to_node]), name)
            for name, pipe in layout.links.items()
        )[: self._policy.candidates]
        weight = 1.0 / np.arange(1.0, len(nearest) + 1)
        scores = np.round(weight / weight.sum(), 4).tolist()
        return Location(tuple(name for _, name in nearest), tuple(scores), x_m, y_m, method)
