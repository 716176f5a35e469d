"""How bad it is: households out of service, key sites, likelihood, colours and level."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.assess.evidence import Evidence
from pipeline.assess.layout import Layout
from pipeline.assess.policy import AssessPolicy
from pipeline.assess.reasons import Adjustment
from sensors.city import City
from sensors.levels import Level
from sensors.readings import Floats


@dataclass(frozen=True, slots=True)
class Exposure:
    """Static risk of the city: risk points by element, and the places of key sites."""

    risk: Mapping[str, tuple[int, int]]
    key_sites_m: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, city: City) -> "Exposure":
        """Read the static likelihood and consequence of each element, and the key sites."""
        risk: dict[str, tuple[int, int]] = {}
        for row in city.rows("risk_points"):
            likelihood, consequence = risk.get(row["element"], (1, 1))
            risk[row["element"]] = (
                max(likelihood, row["likelihood"] or 1),
                max(consequence, row["consequence"] or 1),
            )
        sites = tuple((float(row["x_m"]), float(row["y_m"])) for row in city.rows("key_sites"))
        return cls(risk, sites)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an incident means.

    Attributes:
        level: Evidence level after the adjustments.
        adjustments: Why it differs from the evidence level.
        likelihood: Live L, 1 to 5.
        consequence: C, 1 to 5.
        risk_level: Colour of R = L·C.
        households: Households out of service.
    """

    level: Level
    adjustments: tuple[str, ...]
    likelihood: int
    consequence: int
    risk_level: Level
    households: float


@dataclass(frozen=True, slots=True)
class Corroboration:
    """How well the evidence is supported: two kinds of sensor, or one doubtful device."""

    kinds_agree: bool
    is_lone_and_doubtful: bool


def households_affected(
    layout: Layout, evidence: Evidence, element: str, policy: AssessPolicy
) -> float:
    """Return households out of service.

    These are the people at nodes whose nearest pressure device shows less than the minimum
    service pressure now and more before, and at both ends of the element held to be broken.
    """
    low = evidence.is_pressure & (evidence.after < policy.low_head_mpa)
    low &= evidence.before >= policy.low_head_mpa
    affected = np.isin(layout.server, evidence.device[low])
    pipe = layout.links.get(element)
    if pipe is not None:
        affected[[pipe.from_node, pipe.to_node]] = True
    return round(float(layout.people[affected].sum()) / policy.people_per_household, 1)


def consequence_of(
    households: float,
    element: str,
    place_m: tuple[float, float],
    exposure: Exposure,
    policy: AssessPolicy,
) -> int:
    """Return C: the highest of households, key sites and the element's static consequence."""
    by_households = 1 + sum(households >= bound for bound in policy.household_bounds)
    near = any(math.dist(site, place_m) <= policy.key_site_distance_m
               for site in exposure.key_sites_m)  # fmt: skip
    by_site = policy.key_site_consequence if near else 1
    return max(by_households, by_site, exposure.risk.get(element, (1, 1))[1])


def corroboration(
    layout: Layout, evidence: Evidence, quality: Floats, policy: AssessPolicy
) -> Corroboration:
    """Return whether pressure and flow agree near each other, or one doubtful device stands alone.

    `quality` has one entry a registered device, 1 for no doubt.
    """
    clear = evidence.clear(policy)
    devices = evidence.device[clear]
    pressure = np.flatnonzero(clear & evidence.is_pressure)
    flow = np.flatnonzero(clear & ~evidence.is_pressure)
    agree = any(
        math.dist(layout.place_m[evidence.device[one]], layout.place_m[evidence.device[other]])
        <= policy.agree_distance_m
        and abs(int(evidence.after_ms[one] - evidence.after_ms[other])) <= policy.agree_ms
        for one in pressure.tolist()
        for other in flow.tolist()
    )
    lone = len(devices) == 1 and bool(quality[devices[0]] < policy.quality_limit)
    return Corroboration(agree, lone)


def assess_level(
    evidence_level: Level, consequence: int, support: Corroboration
) -> tuple[Level, tuple[Adjustment, ...]]:
    """Return the warning level and why it differs from the evidence level, at most one step.

    That C = 5 makes yellow at least orange needs no rule of its own: C >= 4 already does.
    """
    reasons: list[Adjustment] = []
    level = evidence_level
    if support.kinds_agree or consequence >= 4:
        reasons.append(
            Adjustment.KINDS_AGREE if support.kinds_agree else Adjustment.HIGH_CONSEQUENCE
        )
        level = Level(max(Level.RED, level - 1))
    elif support.is_lone_and_doubtful and consequence <= 2:
        if level is Level.RED:
            reasons.append(Adjustment.RED_NEVER_LOWERED)
        else:
            reasons.append(Adjustment.UNCORROBORATED)
            level = Level(min(Level.BLUE, level + 1))
    return level, tuple(reasons)


def risk_colour(likelihood: int, consequence: int, policy: AssessPolicy) -> Level:
    """Return the colour of R = L·C in the configured bands."""
    yellow, orange, red = policy.risk_bounds
    product = likelihood * consequence
    return Level(Level.BLUE - (product >= yellow) - (product >= orange) - (product >= red))


def live_likelihood(static: int, evidence_level: Level | None) -> int:
    """Return L live: max(L static, 1 + evidence), evidence 1 for blue to 4 for red, 0 for none."""
    return max(static, 1 if evidence_level is None else 6 - evidence_level)
