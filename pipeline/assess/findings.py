"""What findings of warning models do to a case: its level, its cause, its consequence."""

import math
from collections.abc import Sequence

from pipeline.assess.consequence import Corroboration, assess_level
from pipeline.messages import Cause, FindingEffect, ModelFinding
from sensors.levels import Level

_WORST_C = 5


def consequence_with(consequence: int, findings: Sequence[ModelFinding]) -> int:
    """Return C, one higher where a finding says that more is at stake; 5 at most."""
    is_more = any(one.effect is FindingEffect.CONSEQUENCE for one in findings)
    return min(_WORST_C, consequence + is_more)


def level_with(
    evidence_level: Level,
    consequence: int,
    support: Corroboration,
    findings: Sequence[ModelFinding],
) -> tuple[Level, tuple[str, ...]]:
    """Return the warning level and the names of what moved it from the evidence level.

    Effects are not added up: what agrees, a high consequence and a model that raises make one
    step together, except where a model speaks for a level of its own that is worse. Nothing
    lowers what a model raises, and a decoy is held whatever raises it.
    """
    raising = [one for one in findings if one.effect is FindingEffect.RAISE]
    lowering = [one for one in findings if one.effect is FindingEffect.LOWER]
    lone = support.is_lone_and_doubtful or any(
        math.isnan(one.value) or consequence <= one.value for one in lowering
    )
    lone = lone and not raising
    level, reasons = assess_level(
        evidence_level, consequence, Corroboration(support.kinds_agree, lone)
    )
    names = [str(one) for one in reasons]
    names += sorted({one.model for one in raising if one.level.is_worse_than(evidence_level)})
    level = Level(min([level, *(one.level for one in raising)]))
    if level.value > evidence_level.value:
        names += sorted({one.model for one in lowering})
    if any(one.effect is FindingEffect.CONSEQUENCE for one in findings):
        names += sorted({o.model for o in findings if o.effect is FindingEffect.CONSEQUENCE})
    held = [one for one in findings if one.effect is FindingEffect.HOLD]
    for one in sorted(held, key=lambda one: one.id):
        if level.is_worse_than(one.level):
            level, names = one.level, [one.model]
    return level, tuple(names)


def confidence_with(confidence: float, findings: Sequence[ModelFinding]) -> float:
    """Return how sure a cause is when models that raise speak for it too."""
    return max([confidence, *(o.confidence for o in findings if o.effect is FindingEffect.RAISE)])


def is_held_as(cause: Cause, findings: Sequence[ModelFinding]) -> bool:
    """Return whether a model holds a case for a decoy of this cause."""
    held = [one for one in findings if one.effect is FindingEffect.HOLD]
    return any(one.cause == cause.value for one in held)


def is_supported(findings: Sequence[ModelFinding]) -> bool:
    """Return whether a model that couples it with another signal speaks for a case."""
    return any(one.effect is FindingEffect.RAISE for one in findings)
