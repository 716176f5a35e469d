"""What else than a leak may explain residuals: a network run in another way than last heard."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipeline.assess.evidence import Evidence
from pipeline.assess.locate import log_likelihood, match
from pipeline.assess.policy import AssessPolicy
from pipeline.ports import Conditions, NetworkModel
from sensors.readings import Floats

_STEP_M = 1.0
_METRES = np.geomspace(0.1, 3.0, 25)
"""Changes of a tank's level looked at, metres up and down: proposed."""


def operation_gain(
    evidence: Evidence,
    model: NetworkModel,
    at_ms: int,
    conditions: Conditions,
    policy: AssessPolicy,
) -> float:
    """Return the log-likelihood gained by one pump or tank being otherwise than last heard.

    A tank whose level fell unheard lowers the pressure of all it feeds, as a leak beside it does.
    Compare with `LeakFit.gain`, which is over the same residuals; 0 where nothing gains.

    Args:
        evidence: Residuals under `conditions`.
        model: The platform's model.
        at_ms: Time of the samples.
        conditions: Pumps and tanks as last heard.
        policy: Limits of the assessment.
    """
    residual, sigma, share = evidence.residual, evidence.sigma, policy.signature_share
    usual = model.expect(at_ms, conditions)[evidence.device]
    nothing = float(log_likelihood(residual, np.zeros_like(residual), sigma, 0.0))
    gains = [0.0]
    for other, metres in _otherwise(conditions):
        change: Floats = np.nan_to_num(model.expect(at_ms, other)[evidence.device] - usual)
        fit = match(change[np.newaxis], residual, sigma, share, metres)
        gains.append(float(fit.likelihood[0]) - nothing)
    return max(gains)


def _otherwise(conditions: Conditions) -> Iterator[tuple[Conditions, Floats]]:
    """Yield how one pump or tank might be instead, and the factors its change may have."""
    for pump, is_on in conditions.pump_on.items():
        yield replace(conditions, pump_on={**conditions.pump_on, pump: not is_on}), np.ones(1)
    for tank, level_m in conditions.tank_level_m.items():
        for step_m in (_STEP_M, -_STEP_M):
            moved_m = max(level_m + step_m, 0.0)
            if moved_m != level_m:
                levels = {**conditions.tank_level_m, tank: moved_m}
                yield replace(conditions, tank_level_m=levels), _METRES
