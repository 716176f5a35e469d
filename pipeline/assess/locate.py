"""Finds the pipe whose leak would make the residuals: signatures against evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.assess.evidence import Evidence
from pipeline.assess.policy import AssessPolicy
from pipeline.ports import Conditions, NetworkModel
from sensors.readings import Floats

_FACTORS = np.geomspace(0.05, 12.0, 45)
_IMPOSSIBLE = -1e9
_AT_ONCE = 64
"""Pipes asked for at once, to bound what an answer takes in memory."""
_FEW_REFINED = 8
"""Candidates searched again in a network of more than `max_pipes`: solving one takes long."""
_NEAR_FACTORS = np.geomspace(0.6, 1.67, 15)


@dataclass(frozen=True, slots=True)
class LeakFit:
    """How well a leak explains the residuals, pipe by pipe.

    Attributes:
        pipes: Searched pipes, the best first.
        scores: Probability of each pipe when one of them leaks, same order.
        gain: Log-likelihood the best pipe gains over no leak at all.
        share: How much of the residuals the best pipe's leak explains, 0 to 1.
        leak_m3_h: Estimated leak of the best pipe, discharge at 30 m head.
        predicted: Change the best pipe's leak makes at each device of the evidence.
    """

    pipes: tuple[str, ...]
    scores: tuple[float, ...]
    gain: float
    share: float
    leak_m3_h: float
    predicted: Floats


@dataclass(frozen=True, slots=True)
class _Match:
    """The best amplitude of each signature: its factor and its log-likelihood."""

    factor: Floats
    likelihood: Floats


def log_likelihood(residual: Floats, predicted: Floats, sigma: Floats, share: float) -> Floats:
    """Return the Gaussian log-likelihood of residuals under predicted changes.

    The model errs by `share` of what it predicts, on top of `sigma`. Sums over the last axis.
    """
    variance = sigma**2 + (share * predicted) ** 2
    misfit = (residual - predicted) ** 2 / variance + np.log(variance)
    total: Floats = -0.5 * misfit.sum(axis=-1)
    return total


def match(
    signatures: Floats, residual: Floats, sigma: Floats, share: float, factors: Floats
) -> _Match:
    """Return the positive amplitude that makes each signature (pipes, devices) fit best.

    A leak so large that its own model error would cover anything explains nothing: amplitudes
    that leave more than they take away are out.
    """
    likelihood = np.stack(
        [log_likelihood(residual, signatures * factor, sigma, share) for factor in factors]
    )
    left = np.stack([(((residual - signatures * f) / sigma) ** 2).sum(axis=-1) for f in factors])
    likelihood = np.where(left < ((residual / sigma) ** 2).sum(), likelihood, _IMPOSSIBLE)
    best = np.argmax(likelihood, axis=0)
    return _Match(factors[best], np.max(likelihood, axis=0))


def locate(
    evidence: Evidence,
    model: NetworkModel,
    pipes: Sequence[str],
    at_ms: int,
    conditions: Conditions,
    policy: AssessPolicy,
) -> LeakFit | None:
    """Return how leaks in `pipes` fit the residuals; None when there is nothing to compare.

    All pipes are searched at one leak size first, then the best of them at the size found, for
    a leak's effect is not in proportion to its size.
    """
    if not len(evidence.device) or not len(pipes):
        return None
    residual, sigma, share = evidence.residual, evidence.sigma, policy.signature_share

    def signatures(chosen: Sequence[str], leak_m3_h: float) -> Floats:
        parts = [chosen[first : first + _AT_ONCE] for first in range(0, len(chosen), _AT_ONCE)]
        changes = [
            model.leak_changes(at_ms, conditions, part, leak_m3_h, evidence.device)
            for part in parts
        ]
        return np.nan_to_num(np.concatenate(changes))

    first = match(signatures(pipes, policy.leak_m3_h), residual, sigma, share, _FACTORS)
    is_large = len(model.pipes) > policy.max_pipes
    refined = min(policy.refined_pipes, _FEW_REFINED) if is_large else policy.refined_pipes
    order = np.argsort(-first.likelihood, kind="stable")[:refined]
    chosen = [pipes[index] for index in order.tolist()]
    size_m3_h = policy.leak_m3_h * float(first.factor[order[0]])
    second = match(signatures(chosen, size_m3_h), residual, sigma, share, _FACTORS)
    sizes_m3_h = size_m3_h * second.factor
    predicted = np.concatenate(
        [signatures([pipe], size) for pipe, size in zip(chosen, sizes_m3_h.tolist(), strict=True)]
    )
    last = match(predicted, residual, sigma, share, _NEAR_FACTORS)
    rank = np.argsort(-last.likelihood, kind="stable")
    best = int(rank[0])
    shown = predicted[best] * last.factor[best]
    return LeakFit(
        pipes=tuple(chosen[index] for index in rank.tolist()),
        scores=tuple(_scores(last.likelihood[rank], residual - shown, sigma).tolist()),
        gain=float(last.likelihood[best] - _nothing(residual, sigma)),
        share=_share(residual, shown, sigma),
        leak_m3_h=float(sizes_m3_h[best] * last.factor[best]),
        predicted=shown,
    )


def fault_gain(evidence: Evidence) -> tuple[int, float]:
    """Return the device whose fault alone explains most, and the log-likelihood it gains."""
    worst = int(np.argmax(np.abs(evidence.z)))
    return int(evidence.device[worst]), float(0.5 * evidence.z[worst] ** 2)


def _nothing(residual: Floats, sigma: Floats) -> float:
    return float(log_likelihood(residual, np.zeros_like(residual), sigma, 0.0))


def _scores(likelihood: Floats, left: Floats, sigma: Floats) -> Floats:
    """Return probabilities of the candidates, flattened where even the best fits badly."""
    temperature = max(1.0, float(np.mean((left / sigma) ** 2)))
    weight = np.exp((likelihood - likelihood.max()) / temperature)
    scores: Floats = np.round(weight / weight.sum(), 4)
    return scores


def _share(residual: Floats, predicted: Floats, sigma: Floats) -> float:
    """Return how much of the squared residuals, in standard deviations, a prediction takes away."""
    before, after = ((residual / sigma) ** 2).sum(), (((residual - predicted) / sigma) ** 2).sum()
    return float(np.clip(1.0 - after / before, 0.0, 1.0)) if before else 0.0
