"""Limits of the assessment, each with its unit in the name and its source in `BASIS`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sensors.levels import Level

MINUTE_MS = 60_000
ASSESS_LIMIT_MS: Mapping[Level, int] = MappingProxyType(
    {
        Level.BLUE: 60 * MINUTE_MS,
        Level.YELLOW: 30 * MINUTE_MS,
        Level.ORANGE: 15 * MINUTE_MS,
        Level.RED: 10 * MINUTE_MS,
    }
)
"""Assess limits of the default response plan."""


@dataclass(frozen=True, slots=True)
class AssessPolicy:
    """What the assessment decides by; the defaults work.

    Attributes:
        issue_before_assess: Issue the warning when the incident opens (预警 before 研判) and
            update it after, instead of holding the draft until the incident is confirmed.
        join_window_ms: An alarm joins an open incident when it was raised at most this long
            after the incident's newest alarm.
        join_distance_m: Network distance within which alarms of areas that do not touch belong
            together.
        settle_ms: How long after opening the assessment waits for the devices' next samples.
        coverage_share: It waits no longer once this share of pressure devices has reported.
        decide_after_ms: Latest decision after opening, whatever the evidence.
        assess_limit_ms: Level → latest decision after opening at that level.
        early_rules: Rules whose provisional alarms already open an incident.
        slow_rules: Rules on changes over hours: their cases are looked into by the ledger of
            residuals, not by what changed at once.
        slow_margin_ms: So long before such a rule's first violating sample the undisturbed blocks
            end: what grows has grown for a while when it is seen.
        slow_decide_ms: Latest decision about such a case after opening.
        slow_relocate_ms: Shortest time between two searches for its place.
        slow_until_ms: How long after opening its place is searched again.
        slow_distance_m: A slow change so near to an incident of the mains is part of it …
        slow_after_ms: … while that is open, and so long after it ended.
        low_head_rule: Rule that watches the service pressure.
        relocate_ms: Shortest time between two searches for one incident's place.
        relocate_until_ms: How long after opening the place is searched again.
        relocate_ratio: A new first candidate replaces the old one when it is so much likelier.
        relocate_heard: A burst whose alarms get worse is placed anew, though a team is there, when
            so many times more devices tell of it than when it was placed.
        update_ms: Shortest time between two versions that only list more alarms.
        reopen_ms: An alarm that gets worse so long after it was raised opens nothing again: its
            value before the fall is of another hour of the day by then.
        quiet_ms: After a closure, how long old alarms of the same group open nothing.
        reference_margin_ms: How long before the first violating sample the undisturbed
            reference ends: a device sampled every 300 s may have missed the onset by that much.
        reference_age_ms: Oldest sample that still serves as a reference.
        stale_ms: A device whose newest sample is so far behind the others', and by twice its own
            interval, says nothing of now.
        mean_samples: So many samples before and after are averaged against instrument noise.
        clear_sigma: A device's residual is clear beyond this many standard deviations.
        clear_devices: So many clear devices decide without a confirmed alarm.
        explained_share: The model explains a change when this share of it is in the model.
        leak_share: A leak explains the residuals when this share of them is in its signature.
        leak_gain: Log-likelihood a leak must gain over "nothing happened" to be believed.
        empty_tank_m: A tank measured below this level while no pump runs is as good as empty:
            pumps that could start would have done so long before.
        least_confidence: A burst less sure than this is not sent out: more samples may tell, and
            if none do it is dismissed.
        factor_least: Smallest factor by which a batch of devices gone wrong changes at once.
        factor_tolerance: Largest distance of each of them from the median factor, as a share.
        second_confidence: A second burst in the wake of an open one near by must be this sure;
            else it is held to be part of the first.
        works_distance_m: So far from a burst the work on it moves pressures.
        fault_margin: Log-likelihood by which one cause must beat another to replace it.
        model_share: Model error, as a share of the modelled change.
        signature_share: Model error, as a share of a leak's signature.
        pressure_floor_mpa: Model error of a pressure change that is always there.
        flow_floor_m3_h: Model error of a flow change that is always there.
        leak_m3_h: Leak size the first search assumes, discharge at 30 m head.
        looks_at_once: Cases looked into at one moment where the network is large.
        model_step_min: The model of a large network is asked once for so many minutes in which
            the same pumps ran.
        max_pipes: Up to so many pipes are all searched; beyond, those of the areas concerned.
        refined_pipes: Candidates searched again at the estimated leak size.
        candidates: Candidates an incident lists.
        low_head_mpa: Minimum service pressure; below it a household counts as out of supply.
        people_per_household: Mean household size.
        household_bounds: Households out of service from which C is 2, 3, 4 and 5.
        key_site_distance_m: A key site this near to the place counts as exposed.
        key_site_consequence: C of an exposed key site.
        agree_ms: Two kinds of sensor agree when their samples are this close in time …
        agree_distance_m: … and this close in space.
        quality_limit: A device below this quality needs corroboration.
        quality_step: Quality a device loses for each kind of doubt that is on.
        risk_bounds: Smallest R = L·C of yellow, orange and red.
    """

    issue_before_assess: bool = False
    join_window_ms: int = 30 * MINUTE_MS
    join_distance_m: float = 1000.0
    settle_ms: int = 6 * MINUTE_MS
    coverage_share: float = 0.8
    decide_after_ms: int = 20 * MINUTE_MS
    assess_limit_ms: Mapping[Level, int] = field(default_factory=lambda: ASSESS_LIMIT_MS)
    early_rules: tuple[str, ...] = ("water.pressure_drop",)
    slow_rules: tuple[str, ...] = ("water.dma_drift", "water.dma_night_ratio")
    slow_margin_ms: int = 120 * MINUTE_MS
    slow_decide_ms: int = 360 * MINUTE_MS
    slow_relocate_ms: int = 30 * MINUTE_MS
    slow_until_ms: int = 24 * 60 * MINUTE_MS
    slow_distance_m: float = 3000.0
    slow_after_ms: int = 1440 * MINUTE_MS
    low_head_rule: str = "water.pressure_head"
    relocate_ms: int = 5 * MINUTE_MS
    relocate_until_ms: int = 60 * MINUTE_MS
    relocate_ratio: float = 2.0
    relocate_heard: float = 1.25
    update_ms: int = 5 * MINUTE_MS
    reopen_ms: int = 120 * MINUTE_MS
    quiet_ms: int = 30 * MINUTE_MS
    reference_margin_ms: int = 6 * MINUTE_MS
    reference_age_ms: int = 180 * MINUTE_MS
    stale_ms: int = 30 * MINUTE_MS
    mean_samples: int = 3
    clear_sigma: float = 4.0
    clear_devices: int = 2
    explained_share: float = 0.6
    leak_share: float = 0.5
    leak_gain: float = 10.0
    empty_tank_m: float = 1.0
    least_confidence: float = 0.1
    factor_least: float = 2.0
    factor_tolerance: float = 0.1
    second_confidence: float = 0.9
    works_distance_m: float = 3000.0
    fault_margin: float = 3.0
    model_share: float = 0.25
    signature_share: float = 0.15
    pressure_floor_mpa: float = 0.003
    flow_floor_m3_h: float = 4.0
    leak_m3_h: float = 100.0
    looks_at_once: int = 4
    model_step_min: int = 5
    max_pipes: int = 400
    refined_pipes: int = 24
    candidates: int = 8
    low_head_mpa: float = 0.14
    people_per_household: float = 2.62
    household_bounds: tuple[float, float, float, float] = (2000.0, 5000.0, 10000.0, 30000.0)
    key_site_distance_m: float = 300.0
    key_site_consequence: int = 3
    agree_ms: int = 15 * MINUTE_MS
    agree_distance_m: float = 500.0
    quality_limit: float = 0.7
    quality_step: float = 0.4
    risk_bounds: tuple[int, int, int] = (5, 10, 17)

    def limit_ms(self, level: Level) -> int:
        """Return how long after opening an incident of `level` must be decided at the latest."""
        return min(self.decide_after_ms, self.assess_limit_ms[level])


BASIS: Mapping[str, str] = MappingProxyType(
    {
        "issue_before_assess": "switch: sources differ on the order of 预警 and 研判",
        "join_window_ms": "quoted: events under 30 min apart in one area are one (NWS counting)",
        "join_distance_m": "proposed: two times the 500 m of the corroboration rule",
        "settle_ms": "proposed: one normal sampling interval (300 s) and one minute",
        "coverage_share": "proposed",
        "decide_after_ms": "proposed",
        "assess_limit_ms": "proposed: response plan of the rule set, assess_min",
        "early_rules": "proposed: a burst must not wait for its own confirmation",
        "slow_rules": "name in the rule set",
        "slow_margin_ms": "proposed: the rule needs three blocks of 30 min, and one of lag",
        "slow_decide_ms": "proposed: a leak that grows for a day shows clearly within a quarter",
        "slow_relocate_ms": "proposed: one block of residuals",
        "slow_until_ms": "proposed: until a team is there, at most a day",
        "slow_distance_m": "proposed: one pressure zone",
        "slow_after_ms": "proposed: half of the 48 h whose median is the usual of a slow change",
        "low_head_rule": "name in the rule set",
        "looks_at_once": "proposed: 0.2 s of work for 10,000 pipes on one core",
        "relocate_ms": "proposed: one normal sampling interval",
        "relocate_until_ms": "proposed: the on-scene limit of yellow",
        "relocate_ratio": "proposed: a crew is not sent on for a coin's toss",
        "relocate_heard": "proposed: one gateway silences more devices than that",
        "update_ms": "proposed: one normal sampling interval",
        "reopen_ms": "proposed: demand of an hour differs from that two hours before as much as a "
        "fall of the blue limit (a city of 193,954 devices in its morning rise)",
        "quiet_ms": "quoted: events under 30 min apart in one area are one (NWS counting)",
        "reference_margin_ms": "proposed: one normal sampling interval (300 s) and one minute",
        "reference_age_ms": "proposed",
        "stale_ms": "proposed: two normal sampling intervals of a flow meter (900 s)",
        "mean_samples": "proposed: 15 min at the normal sampling interval",
        "clear_sigma": "proposed: as yellow of the residual rule water.pressure_z",
        "clear_devices": "proposed: a second device confirms a provisional alarm",
        "explained_share": "proposed",
        "leak_share": "proposed",
        "leak_gain": "proposed: odds of about 20,000 to 1",
        "empty_tank_m": "proposed",
        "least_confidence": "proposed",
        "factor_least": "proposed: a milder fall is alike everywhere when a pump stops",
        "factor_tolerance": "proposed: the noise of what is left, a tenth of a pressure, is a few "
        "percent of it",
        "second_confidence": "proposed: two bursts at once are rare, their wakes are not",
        "works_distance_m": "proposed: one pressure zone",
        "fault_margin": "proposed: odds of about 20 to 1",
        "model_share": "proposed: for roughness and demand errors of 10 %",
        "signature_share": "proposed: for roughness and demand errors of 10 %",
        "pressure_floor_mpa": "proposed: demand noise between two samples",
        "flow_floor_m3_h": "proposed: demand noise between two samples",
        "leak_m3_h": "proposed: middle of the range of bursts",
        "model_step_min": "proposed: the normal sampling interval of pressure; demand of an hour "
        "moves far less in it",
        "max_pipes": "proposed: about one second of solving",
        "refined_pipes": "proposed",
        "candidates": "proposed: what a crew can walk in one shift",
        "low_head_mpa": "quoted: end-of-network minimum of the rule water.pressure_head",
        "people_per_household": "quoted: 2.62, seventh national census 2020",
        "household_bounds": "quoted: levels of gas supply incidents",
        "key_site_distance_m": "proposed",
        "key_site_consequence": "proposed",
        "agree_ms": "proposed: rule set, risk.adjust",
        "agree_distance_m": "proposed: rule set, risk.adjust",
        "quality_limit": "proposed: rule set, risk.adjust",
        "quality_step": "proposed",
        "risk_bounds": "example: bands A of the rule set",
    }
)
"""Where each limit comes from: quoted, example or proposed, as in the rule set."""
