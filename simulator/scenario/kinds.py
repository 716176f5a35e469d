"""The table of what may happen: domain, element, size and picks of each kind, from `kinds.yaml`."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from sensors.ground_truth import TrueKind
from simulator.errors import ScenarioError


class Amount(BaseModel):
    """Size of an incident: what it measures, its unit and the sane range with its reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    unit: str
    low: float
    high: float
    why: str


class HappeningKind(BaseModel):
    """One kind of incident, as a scenario may ask for it.

    Attributes:
        domain: Network it happens to.
        element: Kind of element it befalls; empty for none.
        picks: Words of `{pick: ...}` that fit; the first is the usual one.
        amount: What `amount` means; None when the kind has none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: str
    element: str
    picks: tuple[str, ...]
    amount: Amount | None = None


@cache
def happening_kinds() -> Mapping[TrueKind, HappeningKind]:
    """Return every kind a scenario may ask for; ScenarioError when the table is wrong."""
    text = resources.files("simulator.scenario").joinpath("kinds.yaml").read_text("utf-8")
    found = {}
    for name, row in yaml.safe_load(text).items():
        try:
            found[TrueKind(name)] = HappeningKind.model_validate(row)
        except (ValidationError, ValueError) as error:
            raise ScenarioError(f"kinds.yaml: {name}: {error}") from error
    return MappingProxyType(found)
