"""Citizens who call the hotline: late, beside the place, twice, sometimes with nothing to tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.spatial import cKDTree
from scipy.special import ndtri, pdtr

from sensors.city import City
from sensors.field import HotlineReport
from sensors.readings import Floats, Int64s
from simulator.errors import InjectionError, ScenarioError
from simulator.randomness import Keys, keys, uniform

FILE = "hotline.yaml"
MINUTE_MS = 60_000
_DAY_MIN = 1440.0
_MOST = 100  # calls of one scene in one minute
_OF_CALL, _OF_MINUTE = 8, 1024  # random numbers kept for a call, and for all of a minute


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SubjectRates(_Part):
    """How people call about one subject; the file explains the figures."""

    callers_per_1000: float = Field(ge=0, le=1000)
    notice_min: float = Field(gt=0)
    delay_min: float = Field(gt=0)
    delay_spread: float = Field(ge=0, le=3)
    misplaced_m: float = Field(gt=0)
    misplaced_spread: float = Field(ge=0, le=3)
    false_per_100k_day: float = Field(ge=0)


class RepeatRates(_Part):
    """Who calls a second time, and when."""

    share: float = Field(ge=0, le=1)
    after_min: float = Field(gt=0)
    after_spread: float = Field(ge=0, le=3)


class HotlineRates(_Part):
    """Everything in the file; units are in the names."""

    format: int = Field(ge=1, le=1)
    farthest_m: float = Field(gt=0)
    subjects: Mapping[str, SubjectRates]
    repeat: RepeatRates


@dataclass(frozen=True, slots=True)
class Scene:
    """Something citizens can notice at this moment.

    Attributes:
        id: Stable id, such as that of the incident; random numbers hang on it.
        subject: `gas_smell`, `no_water`, `water_on_road` or `road_flooded`.
        x_m: Easting, metres in the city's plane.
        y_m: Northing of the same place.
        people: People who are near enough to notice it (`Hotline.people_within`).
        severity: How plain it is, 0 to 1.
        since_ms: When it began to be noticed.
    """

    id: str
    subject: str
    x_m: float
    y_m: float
    people: float
    severity: float
    since_ms: int


class Hotline:
    """The citizens of a city and their calls.

    Who notices a scene in a minute follows from seed, scene, that minute and how the scene was
    then: not from other scenes, nor from where ticks begin and end.
    """

    def __init__(self, city: City, seed: int, rates: HotlineRates | None = None) -> None:
        """Take the people of the city.

        Args:
            city: Its nodes say where people live and which area is where.
            seed: Seed of the run.
            rates: How people call; None for those that come with the program.
        """
        self._rates = hotline_rates() if rates is None else rates
        self._seed = seed
        nodes = city.tables["nodes"]
        domains = np.array(nodes.column("domain").to_pylist(), dtype=np.str_)
        people = nodes.column("people").to_numpy().astype(np.float64)
        people = np.maximum(np.nan_to_num(people), 0.0)
        by_domain = {str(name): people[domains == name].sum() for name in np.unique(domains)}
        home = max(by_domain, key=lambda name: (by_domain[name], name), default="")
        lives = (domains == home) & (people > 0)  # the same people may stand in several networks
        places = np.column_stack(
            [nodes.column(axis).to_numpy().astype(np.float64) for axis in ("x_m", "y_m")]
        )
        areas = [str(area or "") for area in nodes.column("area").to_pylist()]
        named = np.flatnonzero([bool(area) for area in areas])
        self._areas = [areas[place] for place in named.tolist()]
        self._area_tree = cKDTree(places[named]) if len(named) else None
        self._homes, self._people = places[lives], people[lives]
        self._home_tree = cKDTree(self._homes) if len(self._homes) else None
        self._below = np.cumsum(self._people)
        self._keys: dict[str, Keys] = {}
        self._near: dict[tuple[float, float, float], float] = {}
        self._waiting: list[HotlineReport] = []

    def people_within(self, x_m: float, y_m: float, radius_m: float) -> float:
        """Return how many people live within a radius of a place."""
        if self._home_tree is None:
            return 0.0
        place = (x_m, y_m, radius_m)
        if place not in self._near:
            found = self._home_tree.query_ball_point(place[:2], radius_m)
            self._near[place] = float(self._people[found].sum())
        return self._near[place]

    def calls(self, start_ms: int, end_ms: int, scenes: Sequence[Scene]) -> list[HotlineReport]:
        """Return the calls taken after `start_ms`, up to and including `end_ms`, by time and id.

        Ticks must run on from each other: a caller who has noticed something in an earlier
        tick may call in this one, also when the scene is over.

        Args:
            start_ms: Where the tick before ended.
            end_ms: End of the tick.
            scenes: What can be noticed during the tick.

        Raises:
            InjectionError: A scene has a subject the rates do not know.
        """
        for scene in scenes:
            if scene.subject not in self._rates.subjects:
                known = ", ".join(self._rates.subjects)
                raise InjectionError(
                    f"scene {scene.id}: unknown subject {scene.subject!r}; use one of {known}"
                )
        for place in self._noticed(scenes, _minutes(start_ms, end_ms)):
            self._notice(scenes[place], start_ms, end_ms)
        for subject in self._rates.subjects:
            self._imagine(subject, start_ms, end_ms)
        self._waiting.sort(key=lambda call: (call.time_ms, call.id))
        taken = [call for call in self._waiting if call.time_ms <= end_ms]
        del self._waiting[: len(taken)]
        return taken

    def _noticed(self, scenes: Sequence[Scene], minutes: Int64s) -> list[int]:
        """Return the places of the scenes that anybody notices in these minutes."""
        if not scenes:
            return []
        rates = [self._rates.subjects[scene.subject] for scene in scenes]
        since_ms, half_min, callers = (
            np.array(column)[:, None]
            for column in (
                [scene.since_ms for scene in scenes],
                [rate.notice_min for rate in rates],
                [_callers(scene, rate) for scene, rate in zip(scenes, rates, strict=True)],
            )
        )
        mean = callers * _share(minutes, since_ms, half_min)
        key = np.concatenate([self._key(scene.id) for scene in scenes])
        chance = uniform(np.repeat(key, len(minutes)), np.tile(minutes * _OF_MINUTE, len(scenes)))
        is_any = pdtr(0, mean) < chance.reshape(mean.shape)
        return [int(place) for place in np.flatnonzero(is_any.any(axis=1))]

    def _notice(self, scene: Scene, start_ms: int, end_ms: int) -> None:
        """Let people near a scene notice it: half of all that ever will within `notice_min`."""
        rates = self._rates.subjects[scene.subject]
        minutes = _minutes(start_ms, end_ms)
        share = _share(minutes, scene.since_ms, rates.notice_min)
        first_ms = np.maximum(minutes * MINUTE_MS, scene.since_ms)
        found = self._seen(scene.id, minutes, _callers(scene, rates) * share)
        place = np.tile((scene.x_m, scene.y_m), (len(found.minute), 1))
        self._call(found, scene.subject, place, first_ms[found.place], (start_ms, end_ms))

    def _imagine(self, subject: str, start_ms: int, end_ms: int) -> None:
        """Let people anywhere in the city tell of nothing."""
        rate = self._rates.subjects[subject].false_per_100k_day
        if len(self._below) == 0 or rate == 0:
            return
        minutes = _minutes(start_ms, end_ms)
        mean = rate * float(self._below[-1]) / 1e5 / _DAY_MIN
        found = self._seen(f"false-{subject}", minutes, np.full(len(minutes), mean))
        share = found.uniform(6) * self._below[-1]
        homes = self._homes[np.searchsorted(self._below, share, side="right")]
        self._call(found, subject, homes, found.minute * MINUTE_MS, (start_ms, end_ms))

    def _seen(self, scene: str, minutes: Int64s, mean: Floats) -> "_Seen":
        """Return a Poisson number of sightings in each minute."""
        key = self._key(scene)
        chance = uniform(key, minutes * _OF_MINUTE)
        counts = (pdtr(np.arange(_MOST)[:, None], mean) < chance).sum(axis=0)
        place = np.repeat(np.arange(len(minutes)), counts)
        nth = np.concatenate([np.arange(1, count + 1) for count in counts.tolist()] or [place])
        return _Seen(scene, key, place, minutes[place], nth.astype(np.int64))

    def _key(self, scene: str) -> Keys:
        if scene not in self._keys:
            self._keys[scene] = keys(self._seed, "hotline", [scene])
        return self._keys[scene]

    def _call(
        self,
        found: "_Seen",
        subject: str,
        places: Floats,
        first_ms: Int64s,
        tick: tuple[int, int],
    ) -> None:
        """Queue the calls of sightings that fall in the tick, and those that are repeated."""
        if len(found.minute) == 0:
            return
        rates, repeat = self._rates.subjects[subject], self._rates.repeat
        last_ms = (found.minute + 1) * MINUTE_MS
        seen_ms = first_ms + np.floor(found.uniform(0) * (last_ms - first_ms)).astype(np.int64)
        delay = _lognormal(rates.delay_min, rates.delay_spread, found.uniform(1))
        again = _lognormal(repeat.after_min, repeat.after_spread, found.uniform(5))
        calls_ms = seen_ms + np.ceil(delay * MINUTE_MS).astype(np.int64)
        repeats_ms = calls_ms + np.ceil(again * MINUTE_MS).astype(np.int64)
        off = _lognormal(rates.misplaced_m, rates.misplaced_spread, found.uniform(2))
        off = np.minimum(off, self._rates.farthest_m)
        angle = 2 * math.pi * found.uniform(3)
        told = np.round(places + off[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), 1)
        is_repeated = found.uniform(4) < repeat.share
        for row in np.flatnonzero((seen_ms > tick[0]) & (seen_ms <= tick[1])).tolist():
            name = f"H-{found.scene}-{found.minute[row]}-{found.nth[row]}"
            x_m, y_m = told[row].tolist()
            area = self._area_at(x_m, y_m)
            seen = int(seen_ms[row])
            at_ms = [int(calls_ms[row])] + ([int(repeats_ms[row])] if is_repeated[row] else [])
            self._waiting += [
                HotlineReport(f"{name}{mark}", seen, time_ms, subject, area, x_m, y_m)
                for mark, time_ms in zip(("", "-again"), at_ms, strict=False)
            ]

    def _area_at(self, x_m: float, y_m: float) -> str:
        if self._area_tree is None:
            return ""
        return self._areas[int(self._area_tree.query((x_m, y_m))[1])]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Sightings as columns: place in the minutes asked for, the minute, number within it."""

    scene: str
    key: Keys
    place: Int64s
    minute: Int64s
    nth: Int64s

    def uniform(self, number: int) -> Floats:
        """Return one of the random numbers of each sighting."""
        counters = self.minute * _OF_MINUTE + self.nth * _OF_CALL + number
        return uniform(np.repeat(self.key, len(counters)), counters)


@cache
def hotline_rates() -> HotlineRates:
    """Return the rates that come with the program."""
    return parse_rates(resources.files("simulator").joinpath(FILE).read_text("utf-8"), FILE)


def parse_rates(text: str, source: str) -> HotlineRates:
    """Validate the text of a rates file; `source` is named in errors (ScenarioError)."""
    try:
        content: Any = yaml.safe_load(text)
        return HotlineRates.model_validate(content)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    except ValidationError as error:
        lines = (
            f"{source}: {'.'.join(map(str, item['loc'])) or '(top)'}: {item['msg']}"
            f" (got {repr(item['input'])[:80]}); correct it"
            for item in error.errors()
        )
        raise ScenarioError("\n".join(lines)) from error


def _minutes(start_ms: int, end_ms: int) -> Int64s:
    """Return every minute since the epoch that a tick touches."""
    return np.arange(start_ms // MINUTE_MS, end_ms // MINUTE_MS + 1, dtype=np.int64)


def _callers(scene: Scene, rates: SubjectRates) -> float:
    """Return how many people near a scene will ever call about it."""
    return scene.people * rates.callers_per_1000 / 1000 * min(max(scene.severity, 0.0), 1.0)


def _share(minutes: Int64s, since_ms: Int64s | int, half_min: Floats | float) -> Floats:
    """Return which share of those who ever notice a scene does so in each minute."""
    since = np.maximum(minutes * MINUTE_MS - since_ms, 0) / MINUTE_MS
    until = np.maximum((minutes + 1) * MINUTE_MS - since_ms, 0) / MINUTE_MS
    share: Floats = np.exp2(-since / half_min) - np.exp2(-until / half_min)
    return share


def _lognormal(median: float, spread: float, chance: Floats) -> Floats:
    values: Floats = median * np.exp(spread * ndtri(chance))
    return values
