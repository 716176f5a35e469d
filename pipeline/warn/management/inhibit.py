"""Which standing alarms keep others from sounding: inhibitions and chains of rules."""

from collections.abc import Iterable

from pipeline.messages import Alarm, Held
from pipeline.rules import Inhibition, RuleSet
from pipeline.warn.management.matching import matcher
from pipeline.warn.management.records import Tag
from sensors.registry import Registry

_Key = tuple[str, ...]
_BLIND = frozenset({Held.SUPPRESSED, Held.OUT_OF_SERVICE})
"""A source that is out of use inhibits nothing."""


class Inhibitors:
    """Index of the alarms that stand and inhibit others.

    An alarm never inhibits itself, and only alarms of its own area. A rule that `is_chain_of`
    another is inhibited by that rule's alarm at the same device or network element.
    """

    def __init__(self, registry: Registry, rules: RuleSet) -> None:
        """Take devices (for their elements) and the inhibitions of the rule set."""
        self._elements, self._number = registry.texts("element"), registry.number
        self._inhibitions = [
            (one, matcher(one.source), matcher(one.target)) for one in rules.inhibitions
        ]
        self._sources = [matcher({**one.source, "level": "*"}) for one in rules.inhibitions]
        self._parent = {rule.id: rule.is_chain_of for rule in rules.rules.values()}
        self._parents = frozenset(self._parent.values()) - {""}
        self._is_idle = not self._inhibitions and not self._parents
        self._standing: dict[_Key, set[str]] = {}
        self._keys_of: dict[str, list[_Key]] = {}

    def note(self, name: str, tag: Tag) -> bool:
        """Take a tag's newest state; return whether it no longer inhibits what it did."""
        if self._is_idle:
            return False
        keys: list[_Key] = []
        if tag.is_active and tag.mode not in _BLIND:
            keys = list(self._as_source(tag.alarm))
        before = self._keys_of.pop(name, [])
        if keys:
            self._keys_of[name] = keys
        for key in before:
            self._standing[key].discard(name)
        for key in keys:
            self._standing.setdefault(key, set()).add(name)
        gone = [key for key in before if not self._standing[key]]
        for key in gone:
            del self._standing[key]
        return any(key not in keys for key in before)

    def may_be_source(self, alarm: Alarm) -> bool:
        """Return whether an alarm of this rule and device inhibits others at some level."""
        if self._is_idle:
            return False
        return alarm.rule in self._parents or any(fits(alarm) for fits in self._sources)

    def is_inhibited(self, name: str, alarm: Alarm) -> bool:
        """Return whether another alarm that stands keeps this one from sounding."""
        if self._is_idle:
            return False
        for key in self._as_target(alarm):
            standing = self._standing.get(key, ())
            if len(standing) > (name in standing):
                return True
        return False

    def _as_source(self, alarm: Alarm) -> Iterable[_Key]:
        if alarm.rule in self._parents:
            yield from self._places(alarm.rule, alarm)
        for one, is_source, _ in self._inhibitions:
            if is_source(alarm):
                yield self._equal(one, alarm)

    def _as_target(self, alarm: Alarm) -> Iterable[_Key]:
        parent = self._parent.get(alarm.rule, "")
        if parent:
            yield from self._places(parent, alarm)
        for one, _, is_target in self._inhibitions:
            if is_target(alarm):
                yield self._equal(one, alarm)

    def _places(self, parent: str, alarm: Alarm) -> Iterable[_Key]:
        yield ("device", parent, alarm.device)
        element = self._element(alarm.device)
        if element:
            yield ("element", parent, alarm.area, element)

    def _equal(self, one: Inhibition, alarm: Alarm) -> _Key:
        values = (
            self._element(alarm.device) if name == "element" else str(getattr(alarm, name, ""))
            for name in one.equal
        )
        return ("inhibition", one.id, alarm.area, *values)

    def _element(self, device: str) -> str:
        number = self._number.get(device)
        return "" if number is None else self._elements[number]
