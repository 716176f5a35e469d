"""Warning models written as a rule expression: rules that stand together near in place and time.

    expression := any [ "within" reach ]
    any        := all ( "or" all )*
    all        := one ( "and" one )*
    one        := [ "not" ] ( "(" any ")" | rule compare bound )
    compare    := ">=" | ">" | "<=" | "<"
    bound      := a level (blue, yellow, orange, red) or a number in the rule's unit
    reach      := number "m" [ "and" number "min" ] | number "min" [ "and" number "m" ]

Levels count upwards: `>= yellow` is yellow or worse. A number is compared with the value an alarm
of the rule stands with. Without a distance the rules must stand in one area.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.errors import RuleError
from pipeline.messages import Alarm
from pipeline.warn.coupling.claims import Claim
from pipeline.warn.coupling.view import View, one_worse
from sensors.levels import Level

_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w.]*)|(?P<sign>>=|<=|[<>()]))"
)
_LEVELS = frozenset(level.colour for level in Level)
_UNITS = ("m", "min")


@dataclass(frozen=True, slots=True)
class Reach:
    """How near alarms must be: metres, None for one area; minutes of onset, None for any."""

    metres: float | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Atom:
    """An alarm of a rule that stands at a level or a value."""

    rule: str
    compare: str
    bound: float
    is_level: bool

    def holds(self, alarm: Alarm) -> bool:
        """Return whether an alarm of the rule satisfies it."""
        if self.is_level:  # 1 is red: severity grows the other way
            return _COMPARE[self.compare](-float(alarm.level), -self.bound)
        return _COMPARE[self.compare](alarm.value, self.bound)

    def found(self, near: "Near") -> list[Alarm] | None:
        """Return the alarms that satisfy it; None when none does."""
        found = [alarm for alarm in near(self.rule) if self.holds(alarm)]
        return found or None

    def atoms(self) -> "tuple[Atom, ...]":
        """Return itself."""
        return (self,)


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: "tuple[Node, ...]"

    def found(self, near: "Near") -> list[Alarm] | None:
        """Return the alarms of every part; None when one does not hold."""
        found: list[Alarm] = []
        for part in self.parts:
            of_part = part.found(near)
            if of_part is None:
                return None
            found += of_part
        return found

    def atoms(self) -> tuple[Atom, ...]:
        """Return the atoms that must stand, left to right."""
        return tuple(atom for part in self.parts for atom in part.atoms())


@dataclass(frozen=True, slots=True)
class Any:
    """One part holds at least."""

    parts: "tuple[Node, ...]"

    def found(self, near: "Near") -> list[Alarm] | None:
        """Return the alarms of the parts that hold; None when none does."""
        of_parts = [part.found(near) for part in self.parts]
        held = [one for one in of_parts if one is not None]
        return [alarm for one in held for alarm in one] if held else None

    def atoms(self) -> tuple[Atom, ...]:
        """Return the atoms of every part, left to right."""
        return tuple(atom for part in self.parts for atom in part.atoms())


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Node"

    def found(self, near: "Near") -> list[Alarm] | None:
        """Return no alarm when the part does not hold; None when it does."""
        return [] if self.part.found(near) is None else None

    def atoms(self) -> tuple[Atom, ...]:
        """Return nothing: what does not stand has no place."""
        return ()


Node = Atom | All | Any | Not
Near = Callable[[str], list[Alarm]]
"""Rule → its alarms near the place in question."""


def every_atom(node: Node) -> tuple[Atom, ...]:
    """Return all atoms left to right, also those that must not stand."""
    if isinstance(node, Atom):
        return (node,)
    parts = (node.part,) if isinstance(node, Not) else node.parts
    return tuple(atom for part in parts for atom in every_atom(part))


class ExpressionError(RuleError):
    """An expression cannot be read: where it stands, and what is wrong with it and what to do."""

    def __init__(self, where: str, text: str, problem: str, fix: str) -> None:
        """Take file and key, the expression, the mistake with its position, and the fix."""
        self.problem, self.fix = problem, fix
        super().__init__(f"{where}: {problem} in {text!r}; {fix}")


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    text: str
    node: Node
    reach: Reach


def parse(text: str, where: str) -> Expression:
    """Return a parsed expression.

    Args:
        text: The expression.
        where: File and key, for messages.

    Raises:
        ExpressionError: with the position of the mistake, what stands there and what could.
    """
    return _Parser(text, where).expression()


@dataclass(frozen=True, slots=True)
class ExpressionModel:
    """An expression as a warning model: raises where its rules stand together.

    Attributes:
        level: Level it speaks for; None for one worse than the worst alarm it rests on.
    """

    model: str
    expression: Expression
    confidence: float
    level: Level | None

    def judge(self, view: View, now_ms: int) -> list[Claim]:
        """Return a finding for each element at which the expression holds."""
        claims: dict[str, Claim] = {}
        anchors = {atom.rule for atom in self.expression.node.atoms()}
        for anchor in view.alarms(sorted(anchors)):
            found = self.expression.node.found(lambda rule, at=anchor: self._near(rule, at, view))  # type: ignore[misc]
            key = view.element(anchor)
            if not found or key in claims or anchor not in found:
                continue
            claims[key] = self._claim(key, anchor, found, view)
        return [claims[key] for key in sorted(claims)]

    def _near(self, rule: str, anchor: Alarm, view: View) -> list[Alarm]:
        reach, alarms = self.expression.reach, view.alarms((rule,))
        if reach.metres is None:
            alarms = [one for one in alarms if one.area == anchor.area]
        metres = float("inf") if reach.metres is None else reach.metres
        return view.beside(anchor, alarms, metres, reach.minutes)

    def _claim(self, key: str, anchor: Alarm, found: list[Alarm], view: View) -> Claim:
        x_m, y_m = view.place(anchor)
        return Claim(
            key=key,
            domain=anchor.domain,
            area=anchor.area,
            level=self.level or one_worse(*(alarm.level for alarm in found)),
            devices=tuple(sorted({alarm.device for alarm in found})),
            elements=tuple(sorted({view.element(alarm) for alarm in found})),
            evidence=tuple(sorted({alarm.id for alarm in found})),
            x_m=x_m,
            y_m=y_m,
            confidence=self.confidence,
            reason="expression_holds",
        )


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str, where: str) -> None:
        self._text, self._where = text, where
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                start = place + len(text[place:]) - len(text[place:].lstrip())
                raise self._wrong(start, text[start], "a rule, a level, a number or a sign")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match.group(kind), match.start(kind)))
            place = match.end()

    def expression(self) -> Expression:
        node = self._any()
        reach = Reach()
        if self._is("within"):
            self._take()
            reach = self._reach()
        if self._next < len(self._tokens):
            raise self._here("the end, `and`, `or` or `within`")
        if not node.atoms():
            raise self._wrong(0, self._text, "at least one rule that must stand")
        return Expression(self._text, node, reach)

    def _any(self) -> Node:
        parts = [self._all()]
        while self._is("or"):
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self) -> Node:
        parts = [self._one()]
        while self._is("and"):
            self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Node:
        if self._is("not"):
            self._take()
            return Not(self._one())
        if self._is("("):
            self._take()
            node = self._any()
            if not self._is(")"):
                raise self._here("`)`")
            self._take()
            return node
        kind, rule, _ = self._peek()
        if kind != "word" or "." not in rule:
            raise self._here("a rule such as rain.local_1h, `not` or `(`")
        self._take()
        compare = self._peek()[1]
        if compare not in _COMPARE:
            raise self._here("one of >= > <= <")
        self._take()
        return self._bound(rule, compare)

    def _bound(self, rule: str, compare: str) -> Atom:
        kind, text, _ = self._peek()
        if kind == "number":
            self._take()
            return Atom(rule, compare, float(text), is_level=False)
        if text not in _LEVELS:
            raise self._here("blue, yellow, orange, red or a number")
        self._take()
        return Atom(rule, compare, float(Level.of_colour(text)), is_level=True)

    def _reach(self) -> Reach:
        sizes: dict[str, float] = {}
        while True:
            kind, text, _ = self._peek()
            if kind != "number":
                raise self._here("a distance such as 500 m or a time such as 15 min")
            self._take()
            unit = self._peek()[1]
            if unit not in _UNITS or unit in sizes:
                raise self._here(" or ".join(one for one in _UNITS if one not in sizes))
            self._take()
            sizes[unit] = float(text)
            if len(sizes) == len(_UNITS) or not self._is("and"):
                return Reach(sizes.get("m"), sizes.get("min"))
            self._take()

    def _peek(self) -> tuple[str, str, int]:
        if self._next < len(self._tokens):
            return self._tokens[self._next]
        return "end", "", len(self._text)

    def _take(self) -> None:
        self._next += 1

    def _is(self, text: str) -> bool:
        return self._peek()[1] == text

    def _here(self, wanted: str) -> ExpressionError:
        _, text, place = self._peek()
        return self._wrong(place, text or "the end", wanted)

    def _wrong(self, place: int, found: str, wanted: str) -> ExpressionError:
        problem = f"position {place + 1}: found {found!r}"
        return ExpressionError(self._where, self._text, problem, f"write {wanted}")
