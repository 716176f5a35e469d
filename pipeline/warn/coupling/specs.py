"""What warning models say of themselves: inputs, outputs, figures, and what they may not claim."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import inf
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from pipeline.errors import RuleError
from pipeline.rules.mistakes import Flaw, key_of

EFFECTS = ("raise", "lower", "hold", "explain", "consequence", "forecast")
"""Effects a model may have: those of `FindingEffect`, and a forecast, which is an alarm."""
_BASES = ("quoted", "example", "proposed")


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure of a model: its default, unit (UCUM), where it comes from, and its bounds.

    `is_count` says that it is a whole number. `level`, `confidence` and `threshold` have bounds
    of their own (`_MEANT`) when none are given.
    """

    value: float
    unit: str
    basis: str
    low: float = 0.0
    high: float = inf
    is_count: bool = False


class _Bounds(NamedTuple):
    low: float
    high: float
    is_count: bool

    def has(self, value: float) -> bool:
        if not (self.low <= value <= self.high and value < inf):
            return False
        return not self.is_count or value == int(value)

    def __str__(self) -> str:
        to = f"{self.low:g} or more" if self.high == inf else f"{self.low:g} to {self.high:g}"
        return f"a whole number, {to}" if self.is_count else f"a size of {to}"


_MEANT: Mapping[str, _Bounds] = MappingProxyType(
    {
        "level": _Bounds(0.0, 4.0, True),
        "confidence": _Bounds(0.0, 1.0, False),
        "threshold": _Bounds(0.0, 1.0, False),
    }
)
"""Figures that mean the same in every model: a level's number (0 none), and probabilities."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a warning model says of itself.

    Attributes:
        id: Domain (`any` for all) and name, such as `gas.digging`.
        version: Changes with what it finds.
        title: One line for people.
        domain: Domain of its findings.
        inputs: Rules, quantities and tables it looks at.
        outputs: What it may say.
        effect: One of `EFFECTS`.
        linger: Figure, in minutes, that says how long what it said stands on after it no longer
            holds; empty for not at all.
        may_not_claim: What it never says, in words; a test per model holds it to that.
        figures: Name → default with unit and basis.
    """

    id: str
    version: str
    title: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    effect: str
    linger: str
    may_not_claim: str
    figures: Mapping[str, Figure]

    def flaws(self, changed: Mapping[str, float]) -> Iterator[Flaw]:
        """Yield figures of a rule set that the model does not have, or that are out of bounds."""
        for name, value in changed.items():
            path = ("couplings", self.id, "figures", name)
            if name not in self.figures:
                known = f"it has {', '.join(sorted(self.figures)) or 'none'}"
                yield Flaw(path, value, "the model has no such figure", known)
            elif not self._bounds(name).has(value):
                unit = self.figures[name].unit
                fix = f"give {self._bounds(name)}" + (f" in {unit}" if unit != "1" else "")
                yield Flaw(path, value, "out of bounds", fix)

    def values(self, changed: Mapping[str, float], source: str) -> dict[str, float]:
        """Return every figure's value, those of a rule set before the defaults.

        Raises:
            RuleError: `changed` names a figure the model does not have, or one out of bounds.
        """
        for one in self.flaws(changed):
            raise RuleError(f"{source}: {key_of(one.path)} = {one.value}: {one.problem}; {one.fix}")
        return {name: changed.get(name, one.value) for name, one in self.figures.items()}

    def _bounds(self, name: str) -> _Bounds:
        figure = self.figures[name]
        given = _Bounds(figure.low, figure.high, figure.is_count)
        meant = _MEANT.get(name, given)
        return meant if given == (0.0, inf, False) and meant.has(figure.value) else given


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    version: str
    title: str
    domain: str
    inputs: list[str]
    outputs: list[str]
    effect: str
    linger: str
    may_not_claim: str
    figures: dict[str, Figure]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    note: str
    models: list[_Model]


def load_specs(text: str | bytes, source: str) -> dict[str, ModelSpec]:
    """Read specs by model id from JSON shaped like `models.json`.

    Raises:
        RuleError: naming file, key, value and fix.
    """
    try:
        file = msgspec.json.decode(text, type=_File)
    except msgspec.MsgspecError as error:
        raise RuleError(f"{source}: {error}; compare with coupling/models.json") from error
    specs: dict[str, ModelSpec] = {}
    for one in file.models:
        spec = ModelSpec(
            one.id,
            one.version,
            one.title,
            one.domain,
            tuple(one.inputs),
            tuple(one.outputs),
            one.effect,
            one.linger,
            one.may_not_claim,
            MappingProxyType(one.figures),
        )
        _check(spec, source)
        if spec.id in specs:
            raise RuleError(f"{source}: models.{spec.id}: stands there twice; remove one")
        specs[spec.id] = spec
    return specs


@cache
def own_specs() -> Mapping[str, ModelSpec]:
    """Return the specs of the models that come with the program, by id."""
    file = resources.files("pipeline.warn.coupling") / "models.json"
    return MappingProxyType(load_specs(file.read_bytes(), "pipeline/warn/coupling/models.json"))


def _check(spec: ModelSpec, source: str) -> None:
    where = f"{source}: models.{spec.id}"
    if spec.effect not in EFFECTS:
        raise RuleError(f"{where}.effect = {spec.effect!r}: give one of {', '.join(EFFECTS)}")
    if not spec.may_not_claim:
        raise RuleError(f"{where}.may_not_claim is empty: say what the model never says")
    if spec.linger and spec.linger not in spec.figures:
        raise RuleError(f"{where}.linger = {spec.linger!r}: name one of its figures or nothing")
    for name, figure in spec.figures.items():
        if figure.basis.split(":")[0] not in _BASES:
            raise RuleError(
                f"{where}.figures.{name}.basis = {figure.basis!r}: begin with quoted, example or "
                "proposed"
            )
        bounds = _Bounds(figure.low, figure.high, figure.is_count)
        if not bounds.has(figure.value):
            raise RuleError(f"{where}.figures.{name}.value = {figure.value:g}: give {bounds}")
