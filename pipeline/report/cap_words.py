"""Words and figures of CAP messages, read from `cap.yaml`."""

from functools import cache
from importlib import resources
from types import MappingProxyType

import msgspec
import yaml

from pipeline.errors import RuleError
from pipeline.messages import Cause
from sensors.levels import Level

_BASES = ("quoted", "example", "proposed")


class CapLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a level reads in CAP; `urgency_observed` holds once it is measured, not forecast."""

    severity: str
    urgency: str
    urgency_observed: str
    certainty: str
    response: tuple[str, ...]
    zh: str
    basis: str


class CapFigure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number with its unit and where it comes from."""

    value: float
    unit: str
    basis: str


class CapDomain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a domain is called, its CAP categories, and what to tell people in Chinese."""

    category: tuple[str, ...]
    en: str
    zh: str
    advice_zh: str


class CapWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything `cap.yaml` says."""

    levels: dict[str, CapLevel]
    likely_from: CapFigure
    radius_km: dict[str, CapFigure]
    organisation: str
    note: str
    domains: dict[str, CapDomain]
    causes: dict[str, str]

    def domain(self, name: str) -> CapDomain:
        """Return a domain's words, those of `other` for one the file does not name."""
        return self.domains.get(name, self.domains["other"])

    def radius_of(self, domain: str) -> float:
        """Return the radius of the circle around a place, km; the largest for other domains."""
        if domain in self.radius_km:
            return self.radius_km[domain].value
        return max(figure.value for figure in self.radius_km.values())


@cache
def cap_words() -> CapWords:
    """Return the words that come with the program."""
    file = resources.files("pipeline.report") / "cap.yaml"
    return read_cap_words(file.read_text("utf-8"), "cap.yaml")


def read_cap_words(text: str, source: str) -> CapWords:
    """Read and check the words of CAP messages.

    Raises:
        RuleError: something is missing, unknown or has no basis; the message says where.
    """
    try:
        words = msgspec.convert(yaml.safe_load(text), CapWords)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise RuleError(f"{source}: {error}; take cap.yaml of the program as a pattern") from error
    needed = {
        "levels": ({level.colour for level in Level}, set(words.levels)),
        "causes": ({cause.value for cause in Cause}, set(words.causes)),
        "domains": ({"other"}, set(words.domains)),
    }
    for key, (names, given) in needed.items():
        missing = sorted(names - given)
        if missing:
            raise RuleError(f"{source}: {key}: {', '.join(missing)} missing; add it")
    if not (len(words.organisation) == 14 and words.organisation.isdigit()):
        raise RuleError(f"{source}: organisation: {words.organisation!r} is not 14 digits")
    bases = {f"levels.{name}": level.basis for name, level in words.levels.items()}
    bases |= {f"radius_km.{name}": figure.basis for name, figure in words.radius_km.items()}
    for key, basis in bases.items():
        if basis not in _BASES:
            raise RuleError(f"{source}: {key}.basis: {basis!r}; use one of {', '.join(_BASES)}")
    return words


CAP_STATUSES = MappingProxyType({"exercise": "Exercise", "test": "Test"})
"""What a message may be; `Actual` is not among them and never will be."""
