"""Plain words for levels, times, causes and stages, as bulletins use them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

from pipeline.messages import BulletinKind, Cause, Mark
from sensors.field import FeedbackKind
from sensors.levels import Level

UNKNOWN = "not yet known"

PERSONS_PER_HOUSEHOLD = 2.62
"""Average household, China's census of 2020."""

KINDS: Mapping[BulletinKind, str] = MappingProxyType(
    {
        BulletinKind.NOTICE: "预警通报 · Warning notice",
        BulletinKind.FLASH: "快报 · Flash report",
        BulletinKind.FOLLOW_UP: "续报 · Follow-up report",
        BulletinKind.FINAL: "终报 · Final report",
        BulletinKind.SUMMARY: "通报 · Run summary",
    }
)

CAUSES: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.BURST: "burst of a water main",
        Cause.PUMP_OUTAGE: "outage of a pump",
        Cause.PUMP_SWITCH: "switching of a pump",
        Cause.DEVICE_FAULT: "fault of a device",
        Cause.LOW_SUPPLY: "low supply pressure",
        Cause.UNKNOWN: "disturbance of unknown cause",
        Cause.GAS_LEAK: "leak of gas",
        Cause.BIOGAS: "biogas in a sewer",
        Cause.STEADY_METHANE: "methane that does not rise",
        Cause.PONDING: "ponding on a road",
        Cause.PUMP_STOPPED: "ponding, its drainage pump stands",
        Cause.SURCHARGE: "full drains",
        Cause.FIRE_WATER: "fire water too low",
        Cause.STORM: "heavy rain",
    }
)

ADVICE: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.BURST: "Keep people and traffic clear of the place; ready tankers for the "
        "households without water; expect discoloured water when supply returns.",
        Cause.PUMP_OUTAGE: "Ready the standby pump; watch the tank levels; ask large users to "
        "draw less until the pump runs again.",
        Cause.LOW_SUPPLY: "Tell upper floors to store water; check valves and pumps that feed "
        "the area before digging anywhere.",
        Cause.GAS_LEAK: "No flame, no switch and no engine near the place; open covers only with "
        "a detector; air the spaces, keep people away, close the valves on both sides.",
        Cause.BIOGAS: "Patrol with a detector; air the space before anyone climbs in; treat it as "
        "a leak as soon as a second space shows methane.",
        Cause.STEADY_METHANE: "Patrol with a detector and check the device; treat it as a leak as "
        "soon as it rises or a second space shows methane.",
        Cause.PONDING: "Keep people and cars out of the water; open inlets and watch the depth.",
        Cause.PUMP_STOPPED: "Keep people and cars out of the underpass; start the pump or bring "
        "a mobile one; watch the power supply.",
        Cause.SURCHARGE: "Watch low roads of the area; keep inlets and outfalls free.",
        Cause.FIRE_WATER: "Tell the fire station; fill the roof tank; keep a pumper near the "
        "building until the pressure is back.",
        Cause.STORM: "Watch underpasses and low roads; have pumps and barriers ready.",
    }
)
OTHER_ADVICE = "Watch the pressure of the area and keep a team ready."

FEEDBACK: Mapping[FeedbackKind, str] = MappingProxyType(
    {
        FeedbackKind.ACCEPTED: "accepted the order",
        FeedbackKind.DEPARTED: "is on the way",
        FeedbackKind.ARRIVED: "arrived",
        FeedbackKind.FOUND: "found the damage",
        FeedbackKind.NOT_FOUND: "found nothing",
        FeedbackKind.ISOLATED: "isolated the damage",
        FeedbackKind.REPAIRED: "finished the repair",
        FeedbackKind.RESTORED: "restored the supply",
        FeedbackKind.DONE: "ended the order",
        FeedbackKind.REFUSED: "refused the order",
        FeedbackKind.REPLACED: "dropped the order for a newer one",
        FeedbackKind.VENTILATED: "aired the space",
        FeedbackKind.CORDONED: "closed off the place",
        FeedbackKind.PUMPING: "is pumping",
        FeedbackKind.ROAD_CLOSED: "closed the road",
        FeedbackKind.BARRIER_PLACED: "placed barriers",
        FeedbackKind.INLET_CLEARED: "cleared the inlets",
        FeedbackKind.REOPENED: "reopened the road",
    }
)

DOMAINS: Mapping[str, str] = MappingProxyType(
    {
        "water": "water mains",
        "gas": "gas",
        "flood": "drains and flooding",
        "fire": "fire water",
        "rain": "rain",
    }
)

MARKS: Mapping[Mark, str] = MappingProxyType(
    {
        Mark.CLOSURE_DEPTH: "Water stands at the depth at which the road is closed",
        Mark.WATER_GONE: "The water is gone",
    }
)

CALLS: Mapping[str, str] = MappingProxyType(
    {
        "gas_smell": "smell of gas",
        "no_water": "no water",
        "water_on_road": "water on the road",
        "road_flooded": "a flooded road",
    }
)
"""What citizens tell the hotline."""

CLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "ack": "acknowledgement",
        "assess": "assessment",
        "dispatch": "dispatch",
        "onsite": "arrival on scene",
        "contain": "containment",
        "close": "closing",
        "report": "report",
        "verify": "agreement of the sensors",
    }
)


def level_text(level: Level) -> str:
    """Return a level with its colour and number, such as `II orange (level 2)`."""
    return f"{level.roman} {level.colour} (level {level.value})"


def reason_text(reason: str) -> str:
    """Return a named reason as words."""
    return reason.replace("_", " ")


def minutes_text(minutes: float | None) -> str:
    """Return a duration in minutes as words, `not applicable` for None."""
    if minutes is None:
        return "not applicable"
    if abs(minutes) < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"


def number_text(value: float | None, decimals: int = 2) -> str:
    """Return a score, `undefined` where its denominator was zero."""
    return "undefined" if value is None else f"{value:.{decimals}f}"


def count_text(count: int, one: str, many: str) -> str:
    """Return a count with its noun in the right number."""
    return f"{count} {one if count == 1 else many}"


class CityTime:
    """Event time as the city's clocks show it."""

    def __init__(self, utc_offset_min: int) -> None:
        self._zone = timezone(timedelta(minutes=utc_offset_min))

    def full(self, time_ms: int) -> str:
        """Return date and time to the minute."""
        return self._at(time_ms).strftime("%Y-%m-%d %H:%M")

    def short(self, time_ms: int, *, day_of_ms: int) -> str:
        """Return the time of day, with the date when it is another day than `day_of_ms`."""
        moment, other = self._at(time_ms), self._at(day_of_ms)
        same_day = moment.date() == other.date()
        return moment.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M")

    def _at(self, time_ms: int) -> datetime:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return (epoch + timedelta(milliseconds=time_ms)).astimezone(self._zone)
