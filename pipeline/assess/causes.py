"""Decides what caused an incident: operation, a faulty device, a burst, or something unknown."""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.assess.evidence import Evidence
from pipeline.assess.locate import LeakFit, fault_gain
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.reasons import Reason
from pipeline.assess.same_factor import of_one_factor
from pipeline.messages import Cause, IncidentStatus


@dataclass(frozen=True, slots=True)
class AlarmPicture:
    """What the alarms of an incident say together.

    Attributes:
        is_over: Every alarm was withdrawn or cleared.
        is_raised: At least one alarm stands confirmed.
        low_head: Devices whose service pressure is below the yellow limit or worse.
        devices: Numbers of the devices with an alarm that stands.
        is_doubtful: Each of those devices is known to be doubtful.
        is_due: The time to decide is up.
    """

    is_over: bool
    is_raised: bool
    low_head: int
    devices: tuple[int, ...]
    is_doubtful: bool
    is_due: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision: confirmed or dismissed, which cause, why, and how sure."""

    status: IncidentStatus
    cause: Cause
    reason: Reason
    confidence: float


def is_ripe(evidence: Evidence, alarms: AlarmPicture, policy: AssessPolicy) -> bool:
    """Return whether to decide: an alarm is confirmed, enough devices agree, or time is up."""
    clear = int(evidence.clear(policy).sum())
    return alarms.is_raised or alarms.is_due or clear >= policy.clear_devices


def needs_search(evidence: Evidence, policy: AssessPolicy) -> bool:
    """Return whether the residuals are worth a search for a leak."""
    return bool(evidence.clear(policy).any())


def decide(
    evidence: Evidence,
    fit: LeakFit | None,
    alarms: AlarmPicture,
    policy: AssessPolicy,
    operation: float = 0.0,
) -> Verdict | None:
    """Return what an incident is held to be, or None while waiting can still help.

    `fit` is None when no search was made or there is no network model; `operation` is what the
    network being run in another way than last heard gains (`rivals.operation_gain`).
    """
    if alarms.is_over:
        return withdrawn()
    if not is_ripe(evidence, alarms, policy):
        return None
    if evidence.standing and _is_dry(evidence):
        return _confirmed(Cause.PUMP_OUTAGE, Reason.PUMPS_STAND_AND_TANK_EMPTY, 0.9)
    clear = int(evidence.clear(policy).sum())
    is_leak = fit is not None and _is_leak(fit, policy)
    share = evidence.explained_share(policy)
    lone = _lone_fault(evidence, fit, alarms, policy) if clear == 1 else None
    if lone is not None:
        return lone
    if _is_mixed_up(evidence, policy):
        reason = Reason.DEVICES_SHOW_ONE_FACTOR
        return _waited(alarms, _dismissed(Cause.DEVICE_FAULT, reason, 0.8))
    if clear == 0 or (share >= policy.explained_share and not is_leak):
        return _explained(evidence, alarms, share, policy)
    if fit is not None and is_leak:
        if operation > 0.0 and operation >= fit.gain - policy.fault_margin:
            return _waited(alarms, _dismissed(Cause.UNKNOWN, Reason.OPERATION_MAY_EXPLAIN, 0.5))
        rival = fault_gain(evidence)[1] if clear == 1 else 0.0
        ahead = max(0.0, fit.gain - rival + policy.fault_margin)
        sure = fit.share * (1.0 - math.exp(-ahead / policy.leak_gain))
        if sure < policy.least_confidence:
            return _waited(alarms, _dismissed(Cause.UNKNOWN, Reason.EVIDENCE_TOO_WEAK, 1.0 - sure))
        return _confirmed(Cause.BURST, Reason.LEAK_FITS_RESIDUALS, sure)
    return _unfitted(evidence, alarms, clear, policy)


def decide_slow(
    evidence: Evidence, fit: LeakFit | None, alarms: AlarmPicture, policy: AssessPolicy
) -> Verdict | None:
    """Return what a change over hours is held to be: a leak, a faulty meter, or nothing sure.

    Nothing but a leak that fits is confirmed: demand grows too, and a meter that drifts stands
    alone. Until time is up more blocks may tell.
    """
    if alarms.is_over:
        return withdrawn()
    clear = int(evidence.clear(policy).sum())
    if fit is not None and clear >= policy.clear_devices and _is_leak(fit, policy):
        ahead = fit.gain - fault_gain(evidence)[1]
        if ahead >= policy.fault_margin:
            sure = fit.share * (1.0 - math.exp(-ahead / policy.leak_gain))
            return _confirmed(Cause.BURST, Reason.LEAK_FITS_RESIDUALS, sure)
    if clear == 1:
        fault = _dismissed(Cause.DEVICE_FAULT, Reason.NEIGHBOURS_CONTRADICT_DEVICE, 0.7)
        return _waited(alarms, fault)
    return too_little(alarms)


def too_little(alarms: AlarmPicture) -> Verdict | None:
    """Return the verdict on a case whose evidence is too weak when time is up, before it None."""
    if alarms.is_over:
        return withdrawn()
    return _waited(alarms, _dismissed(Cause.UNKNOWN, Reason.EVIDENCE_TOO_WEAK, 0.5))


def decide_without_model(
    evidence: Evidence, alarms: AlarmPicture, policy: AssessPolicy
) -> Verdict | None:
    """Decide by the measured changes alone: coarser, and every confidence is low."""
    if alarms.is_over:
        return withdrawn()
    if not is_ripe(evidence, alarms, policy):
        return None
    clear = evidence.clear(policy)
    if alarms.low_head and evidence.stopped:
        return _confirmed(Cause.PUMP_OUTAGE, Reason.PUMPS_STAND_AND_PRESSURE_LOW, 0.5)
    if evidence.stopped or evidence.started:
        return _dismissed(Cause.PUMP_SWITCH, Reason.EXPLAINED_BY_OPERATION, 0.5)
    if alarms.is_doubtful and not clear.any():
        return _waited(alarms, _dismissed(Cause.DEVICE_FAULT, Reason.DEVICE_DOUBTFUL, 0.5))
    if not clear.any():
        return _waited(alarms, _dismissed(Cause.UNKNOWN, Reason.EVIDENCE_TOO_WEAK, 0.3))
    others = np.abs(evidence.z[~clear & evidence.is_pressure])
    if int(clear.sum()) == 1 and len(others) >= 2 and others.max() < policy.clear_sigma / 2:
        return _dismissed(Cause.DEVICE_FAULT, Reason.NEIGHBOURS_CONTRADICT_DEVICE, 0.4)
    return _confirmed(Cause.BURST, Reason.LARGEST_DROP_WITHOUT_MODEL, 0.3)


def _lone_fault(
    evidence: Evidence, fit: LeakFit | None, alarms: AlarmPicture, policy: AssessPolicy
) -> Verdict | None:
    """Return a device fault when the one clear device stands against all its neighbours.

    A leak near it would move others too: when the best leak fits worse than "this device alone
    is wrong", the device is. Not so where operation explains most of its own change.
    """
    alone, faulty_gain = fault_gain(evidence)
    row = int(np.flatnonzero(evidence.device == alone)[0])
    own = abs(float(evidence.residual[row])) / max(abs(float(evidence.measured[row])), 1e-9)
    ahead = faulty_gain - (fit.gain if fit is not None else 0.0)
    if ahead < policy.fault_margin or own < 1.0 - policy.explained_share:
        return None
    sure = 1.0 - math.exp(-ahead / policy.leak_gain)
    if alone in alarms.devices:
        return _dismissed(Cause.DEVICE_FAULT, Reason.NEIGHBOURS_CONTRADICT_DEVICE, sure)
    return _waited(alarms, _dismissed(Cause.UNKNOWN, Reason.EXPLAINED_BY_MODEL, sure))


def _is_mixed_up(evidence: Evidence, policy: AssessPolicy) -> bool:
    """Return whether all that is clear is a batch of devices that show one wrong factor.

    As many others or more must show nothing at all: a batch runs on a share of the devices.
    """
    clear = evidence.clear(policy)
    low = clear & evidence.is_pressure & (evidence.residual < 0)
    batch = of_one_factor(
        np.where(low, evidence.before, np.nan),
        evidence.after,
        least=policy.factor_least,
        tolerance=policy.factor_tolerance,
    )
    others = int((evidence.is_pressure & ~clear).sum())
    left = int((clear & ~batch).sum())
    return bool(batch.any()) and left < policy.clear_devices and others >= int(batch.sum())


def _is_dry(evidence: Evidence) -> bool:
    """Return whether nothing feeds the network: no pump runs and a tank has run empty.

    No model is right about an empty network, so its residuals say nothing of a leak.
    """
    return evidence.has_empty_tank and not evidence.has_running


def _is_leak(fit: LeakFit, policy: AssessPolicy) -> bool:
    return fit.gain >= policy.leak_gain and fit.share >= policy.leak_share


def _explained(
    evidence: Evidence, alarms: AlarmPicture, share: float, policy: AssessPolicy
) -> Verdict | None:
    """Decide where the model knows why: pumps, tanks and the time of day."""
    if alarms.low_head and evidence.standing:
        return _confirmed(Cause.PUMP_OUTAGE, Reason.PUMPS_STAND_AND_PRESSURE_LOW, max(share, 0.5))
    if (evidence.stopped or evidence.started) and share >= policy.explained_share:
        return _dismissed(Cause.PUMP_SWITCH, Reason.EXPLAINED_BY_OPERATION, share)
    if alarms.is_doubtful:
        return _waited(alarms, _dismissed(Cause.DEVICE_FAULT, Reason.DEVICE_DOUBTFUL, 0.7))
    return _waited(alarms, _dismissed(Cause.UNKNOWN, Reason.EXPLAINED_BY_MODEL, 0.7))


def _unfitted(
    evidence: Evidence, alarms: AlarmPicture, clear: int, policy: AssessPolicy
) -> Verdict | None:
    """Decide where something happened that no single leak explains.

    It is a warning when customers are short of water; a change that nobody can explain and that
    leaves everyone supplied stays in the log.
    """
    if clear < policy.clear_devices:
        return _waited(alarms, _dismissed(Cause.UNKNOWN, Reason.EVIDENCE_TOO_WEAK, 0.5))
    low = int((evidence.clear(policy) & evidence.is_pressure & (evidence.residual < 0)).sum())
    if alarms.low_head and low >= policy.clear_devices:
        verdict = _confirmed(Cause.LOW_SUPPLY, Reason.SEVERAL_DEVICES_LOW_NO_LEAK_FITS, 0.5)
    else:
        verdict = _dismissed(Cause.UNKNOWN, Reason.UNEXPLAINED_CHANGE, 0.3)
    return _waited(alarms, verdict)


def _waited(alarms: AlarmPicture, verdict: Verdict) -> Verdict | None:
    """Return a verdict that later samples may still overturn only when time is up."""
    return verdict if alarms.is_due else None


def withdrawn() -> Verdict:
    """Return the verdict on a case none of whose alarms stands any more."""
    return _dismissed(Cause.UNKNOWN, Reason.ALARMS_WITHDRAWN, 0.9)


def _confirmed(cause: Cause, reason: Reason, confidence: float) -> Verdict:
    return Verdict(IncidentStatus.CONFIRMED, cause, reason, _rounded(confidence))


def _dismissed(cause: Cause, reason: Reason, confidence: float) -> Verdict:
    return Verdict(IncidentStatus.DISMISSED, cause, reason, _rounded(confidence))


def _rounded(confidence: float) -> float:
    return round(min(max(confidence, 0.05), 0.99), 3)
