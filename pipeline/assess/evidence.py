"""What the devices show against what the model expects: changes, residuals and their sigma."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.assess.history import History
from pipeline.assess.layout import Layout
from pipeline.assess.policy import MINUTE_MS, AssessPolicy
from pipeline.ports import Conditions, NetworkModel, agreed
from sensors.readings import Floats, Int64s

Flags = NDArray[np.bool_]
FRESH_MS = 30 * MINUTE_MS
"""How a network is run is known while half its pumps and tanks were heard so lately: proposed."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The last samples before anything happened, one row a device of `Layout.measuring`.

    Newest first; time 0 and NaN where there are fewer.
    """

    time_ms: Int64s
    value: Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """Changes since the reference at the usable pressure and flow devices, as columns.

    Attributes:
        device: Numbers of the devices that have a reference and a sample after onset.
        is_pressure: Which of them measure pressure; the others measure flow.
        measured: Measured change, in the quantity's unit; means of a few samples.
        modelled: Change the model expects from demand, pumps and tanks alone.
        noise: Standard deviation of a change when nothing at all happened.
        sigma: The same with the model's error in what it expects.
        before: Newest value of the reference.
        after: Newest measured value.
        after_ms: Its sample time.
        stopped: Pumps that ran at the reference and stand now.
        started: Pumps that stood at the reference and run now.
        standing: Pumps that stand now.
        has_running: Whether any pump runs now.
        has_empty_tank: Whether a tank is measured empty now.
    """

    device: Int64s
    is_pressure: Flags
    measured: Floats
    modelled: Floats
    noise: Floats
    sigma: Floats
    before: Floats
    after: Floats
    after_ms: Int64s
    stopped: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    has_running: bool = False
    has_empty_tank: bool = False

    @classmethod
    def none(cls) -> "Evidence":
        """Return evidence of no device at all."""
        no = np.zeros(0)
        number, flag = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        return cls(number, flag, no, no, no, no, no, no, number)

    def of(self, rows: Flags) -> "Evidence":
        """Return the evidence of some of the devices, (devices,) true for those kept."""
        return replace(
            self,
            device=self.device[rows],
            is_pressure=self.is_pressure[rows],
            measured=self.measured[rows],
            modelled=self.modelled[rows],
            noise=self.noise[rows],
            sigma=self.sigma[rows],
            before=self.before[rows],
            after=self.after[rows],
            after_ms=self.after_ms[rows],
        )

    @property
    def residual(self) -> Floats:
        """Measured change that demand, pumps and tanks do not explain."""
        return self.measured - self.modelled

    @property
    def z(self) -> Floats:
        """Residual in standard deviations."""
        return self.residual / self.sigma

    def clear(self, policy: AssessPolicy) -> Flags:
        """Return which devices deviate clearly from the model."""
        return np.abs(self.z) >= policy.clear_sigma

    def explained_share(self, policy: AssessPolicy) -> float:
        """Return how much of the clear measured changes the model explains, 0 to 1.

        Pressure and flow are added in standard deviations of the noise.
        """
        changed = np.abs(self.measured) >= policy.clear_sigma * self.noise
        if not changed.any():
            return 0.0
        weight = np.abs(self.measured[changed] / self.noise[changed]).sum()
        left = np.abs(self.residual[changed] / self.noise[changed]).sum()
        return float(np.clip(1.0 - left / weight, 0.0, 1.0))


def take_reference(
    history: History,
    layout: Layout,
    onset_ms: int,
    policy: AssessPolicy,
    known: Reference | None = None,
) -> Reference:
    """Return the newest samples well before `onset_ms`; rows already `known` are kept.

    A late batch may bring a reference that was not there at the first look.
    """
    time_ms, value = history.recent(
        layout.measuring,
        policy.mean_samples,
        onset_ms - policy.reference_age_ms,
        onset_ms - policy.reference_margin_ms,
        history.switches(layout.pumps),
    )
    if known is None:
        return Reference(time_ms, value)
    kept = known.time_ms[:, :1] > 0
    return Reference(np.where(kept, known.time_ms, time_ms), np.where(kept, known.value, value))


def conditions_at(history: History, layout: Layout, at_ms: int, *, is_after: bool) -> Conditions:
    """Return pumps and tanks as measured at `at_ms`.

    Before an onset the sample before counts; after it the next one does, because a pump that
    switched between two of its samples is what moved the pressures that raised the alarm. Of
    several devices at one pump or tank those nearest in time count (`ports.agreed`).
    """
    pumps, tanks = (
        agreed(
            [layout.element[number] for number in devices.tolist()],
            *history.around(devices, at_ms, is_after=is_after),
        )
        for devices in (layout.pumps, layout.tanks)
    )
    return Conditions({pump: value > 0.5 for pump, value in pumps.items()}, tanks)


def is_operation_heard(history: History, layout: Layout, now_ms: int) -> bool:
    """Return whether half the pumps and tanks or more were heard lately, or there are none."""
    operation = np.concatenate([layout.pumps, layout.tanks])
    if not len(operation):
        return True
    heard = history.newest_ms(operation) >= now_ms - FRESH_MS
    return bool(heard.mean() >= 0.5)


def gather(
    history: History,
    layout: Layout,
    reference: Reference,
    onset_ms: int,
    doubtful: Flags,
    model: NetworkModel | None,
    policy: AssessPolicy,
    step_min: int = 1,
) -> Evidence:
    """Compare the newest samples with the reference and with the model.

    Each side is the mean of up to `policy.mean_samples` samples, each modelled at its own time,
    to `step_min` minutes. Devices that are far behind the others are left out.
    """
    after_ms, after = history.recent(
        layout.measuring, policy.mean_samples, onset_ms, but=history.switches(layout.pumps)
    )
    usable = (reference.time_ms[:, 0] > 0) & (after_ms[:, 0] > 0) & ~doubtful[layout.measuring]
    usable &= _is_current(after_ms[:, 0], usable, layout, policy)
    device = layout.measuring[usable]
    before_ms, before = reference.time_ms[usable], reference.value[usable]
    after_ms, after = after_ms[usable], after[usable]
    measured = np.nanmean(after, axis=1) - np.nanmean(before, axis=1)
    modelled = np.zeros(len(device))
    if model is not None:
        modelled = expected(history, layout, model, device, after_ms, step_min, is_after=True)
        modelled -= expected(history, layout, model, device, before_ms, step_min, is_after=False)
    samples = 1.0 / (before_ms > 0).sum(axis=1) + 1.0 / (after_ms > 0).sum(axis=1)
    noise = np.hypot(layout.accuracy[device] * np.sqrt(samples), layout.floor[device])
    last_ms = int(after_ms[:, 0].max(initial=onset_ms))
    first_ms = int(before_ms[:, 0].max(initial=onset_ms - policy.reference_age_ms))
    conditions = conditions_at(history, layout, last_ms, is_after=True)
    now = conditions.pump_on
    then = conditions_at(history, layout, first_ms, is_after=False).pump_on
    fit = np.isfinite(modelled)
    return Evidence(
        device=device[fit],
        is_pressure=np.isin(device[fit], layout.pressure),
        measured=measured[fit],
        modelled=modelled[fit],
        noise=noise[fit],
        sigma=np.hypot(noise, policy.model_share * modelled)[fit],
        before=before[fit, 0],
        after=after[fit, 0],
        after_ms=after_ms[fit, 0],
        stopped=tuple(pump for pump, on in now.items() if not on and then.get(pump, False)),
        started=tuple(pump for pump, on in now.items() if on and not then.get(pump, True)),
        standing=tuple(pump for pump, on in now.items() if not on),
        has_running=any(now.values()),
        has_empty_tank=any(
            level < policy.empty_tank_m for level in conditions.tank_level_m.values()
        ),
    )


def _is_current(newest_ms: Int64s, usable: Flags, layout: Layout, policy: AssessPolicy) -> Flags:
    """Return which of the measuring devices are up to date with the newest of the `usable` ones.

    After an outage what was kept comes in late: what a device saw an hour ago, when nobody knows
    which pumps ran, is not to be held against what the others see now.
    """
    pace_ms = 2 * layout.interval_ms[layout.measuring]
    latest_ms = newest_ms[usable].max(initial=0)
    current: Flags = newest_ms >= latest_ms - np.maximum(pace_ms, policy.stale_ms)
    return current


def expected(
    history: History,
    layout: Layout,
    model: NetworkModel,
    device: Int64s,
    time_ms: Int64s,
    step_min: int = 1,
    *,
    is_after: bool,
) -> Floats:
    """Return the mean of what the model expects at a device's sample times.

    The model is asked for whole minutes; minutes of the same `step_min` in which the same pumps
    ran share the answer for the last of them.

    Args:
        history: What the devices said.
        layout: Where they are.
        model: The platform's own model.
        device: Numbers of the devices.
        time_ms: Sample times, one row a device; times of 0 count nothing.
        step_min: Minutes that share an answer; 1 for none.
        is_after: Which side of a switch counts (see `conditions_at`).

    Returns:
        One value a device, in its unit; NaN where the model says nothing.
    """
    minute_ms = time_ms // MINUTE_MS * MINUTE_MS
    moments: dict[tuple[object, ...], tuple[Conditions, list[int]]] = {}
    for at_ms in np.unique(minute_ms[time_ms > 0]).tolist():
        conditions = conditions_at(history, layout, at_ms, is_after=is_after)
        share = (at_ms // (step_min * MINUTE_MS), *sorted(conditions.pump_on.items()))
        minutes = [*moments[share][1], at_ms] if share in moments else [at_ms]
        moments[share] = (conditions, minutes)
    total = np.zeros(len(device))
    for conditions, minutes in moments.values():
        count = (np.isin(minute_ms, minutes) & (time_ms > 0)).sum(axis=1)
        rows = count > 0
        total[rows] += (model.expect(minutes[-1], conditions)[device] * count)[rows]
    mean: Floats = total / np.maximum((time_ms > 0).sum(axis=1), 1)
    return mean
