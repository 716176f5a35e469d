"""What the tables call a hazard: true kinds and claimed causes, from `hazards.yaml`."""

from collections.abc import Sequence
from functools import cache
from importlib import resources

import msgspec

from sensors.ground_truth import TrueKind

_FILE = "hazards.yaml"


class Hazard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hazard of the tables.

    Attributes:
        name: Its name for people.
        domain: Domain of its true and claimed incidents.
        kinds: True kinds that belong to it.
        causes: Claimed causes that count for it when the claim is false.
    """

    name: str
    domain: str
    kinds: tuple[TrueKind, ...]
    causes: tuple[str, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    hazards: tuple[Hazard, ...]


@cache
def hazards() -> Sequence[Hazard]:
    """Return the hazards in the order of the file."""
    content = resources.files("api.detection").joinpath(_FILE).read_bytes()
    return msgspec.yaml.decode(content, type=_File).hazards


def hazard_of_kind(kind: str) -> str:
    """Return the hazard a true kind belongs to; the kind itself when it is in none."""
    return next((item.name for item in hazards() if kind in item.kinds), kind)


def hazard_of_claim(domain: str, cause: str) -> str:
    """Return the hazard a claim was about; the first of its domain when its cause is in none."""
    here = [item for item in hazards() if item.domain == domain]
    named = [item for item in here if cause in item.causes]
    return next((item.name for item in [*named, *here]), domain or "unknown")
