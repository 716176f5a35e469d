"""Plays random inputs to the devices of a test and makes what fails as small as it gets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.rule_tests.document import CaseTable, DeviceTable, FileTable, tests_yaml
from api.rule_tests.invariants import broken_invariant
from api.rule_tests.suite import Case
from pipeline.rules import RuleSet
from sensors.devices import device_kind
from simulator.randomness import stream

MOST_DEVICES = 4
"""Devices of a random input."""
MOST_ITEMS = 12
"""Items of a random series."""
_MOST_TRIES = 150
"""Plays spent on making a failing input smaller."""

Items = tuple[tuple[str, ...], ...]
"""Items of each device's series."""


@dataclass(frozen=True, slots=True)
class Found:
    """An input that breaks an invariant: which, and a test file that shows it."""

    broken: str
    text: str


def fuzz_case(case: Case, count: int, seed: int) -> Found | None:
    """Play `count` random inputs to a test's devices; return the first failure made small.

    Raises:
        RuleError: the test itself is wrong.
    """
    rules = case.rules()
    devices = [one.model_copy(update={"count": 1}) for one in case.test.devices[:MOST_DEVICES]]
    values = [_telling_values(one, rules) for one in devices]
    for number in range(count):
        rng = stream(seed, "rule-fuzz", case.test.name, str(number))
        items: Items = tuple(_random_items(rng, some) for some in values)
        broken = _broken(case, rules, devices, items)
        if broken:
            small, told = _smallest(case, rules, devices, items, broken)
            return Found(told, _file(case, devices, small, told))
    return None


def _broken(case: Case, rules: RuleSet, devices: Sequence[DeviceTable], items: Items) -> str:
    return broken_invariant(_test(case, devices, items), rules, case.where)


def _test(case: Case, devices: Sequence[DeviceTable], items: Items) -> CaseTable:
    """Return the test with other inputs; devices without items are left out."""
    fed = [
        one.model_copy(update={"input": " ".join(some)})
        for one, some in zip(devices, items, strict=True)
        if some
    ]
    update = {"devices": fed, "expect": [], "invariants": True, "acts": [], "duration": None}
    return case.test.model_copy(update=update)


def _telling_values(device: DeviceTable, rules: RuleSet) -> list[float]:
    """Return values at, just inside and just outside what matters to a device."""
    kind = device_kind(device.kind)
    middle = (kind.range_low + kind.range_high) / 2
    values = [kind.range_low, kind.range_high, middle, kind.range_high + kind.max_step]
    for rule in rules.rules.values():
        if kind.kind not in rule.select.kinds:
            continue
        for limit in rule.thresholds.values():
            step = rule.deadband or abs(limit) / 10
            values += [
                limit,
                limit - step / 2,
                limit + step / 2,
                limit - 2 * step,
                limit + 2 * step,
            ]
    return [round(value, 6) for value in values]


def _random_items(rng: np.random.Generator, values: Sequence[float]) -> tuple[str, ...]:
    return tuple(_item(rng, values) for _ in range(int(rng.integers(1, MOST_ITEMS + 1))))


def _item(rng: np.random.Generator, values: Sequence[float]) -> str:
    count = int(rng.integers(1, 9))
    value = values[int(rng.integers(len(values)))]
    shape = rng.random()
    if shape < 0.12:
        return f"_x{count}"
    text = f"{value:g}"
    if shape < 0.3:
        other = values[int(rng.integers(len(values)))]
        text += f"{(other - value) / count:+.6g}"
    elif shape < 0.45:
        text += f"~{abs(value) * 0.02 + 0.001:.4g}"
    arrival = rng.random()
    marks = (("@late(10m)", 0.05), ("@together", 0.1), ("@reversed", 0.13), ("@twice", 0.2))
    mark = next((name for name, share in marks if arrival < share), "")
    return f"{text}x{count}{mark}"


def _smallest(
    case: Case, rules: RuleSet, devices: Sequence[DeviceTable], items: Items, broken: str
) -> tuple[Items, str]:
    """Take away from a failing input as long as it still fails."""
    tries = 0
    is_smaller = True
    while is_smaller and tries < _MOST_TRIES:
        is_smaller = False
        for candidate in _smaller(items):
            tries += 1
            told = _broken(case, rules, devices, candidate)
            if told:
                items, broken, is_smaller = candidate, told, True
                break
            if tries >= _MOST_TRIES:
                break
    return items, broken


def _smaller(items: Items) -> list[Items]:
    """Return inputs that are smaller by one step: a device less, an item less, a shorter item."""
    found: list[Items] = []
    fed = [place for place, some in enumerate(items) if some]
    if len(fed) > 1:
        found += [_with(items, place, ()) for place in fed]
    for place in fed:
        some = items[place]
        if len(some) > 1:
            found += [_with(items, place, some[:at] + some[at + 1 :]) for at in range(len(some))]
        for at, item in enumerate(some):
            for shorter in _shorter(item):
                found.append(_with(items, place, (*some[:at], shorter, *some[at + 1 :])))
    return found


def _with(items: Items, place: int, some: tuple[str, ...]) -> Items:
    return (*items[:place], some, *items[place + 1 :])


def _shorter(item: str) -> list[str]:
    body, _, mark = item.partition("@")
    core, _, count = body.rpartition("x")
    found = [body] if mark else []
    if int(count) > 1:
        end = f"@{mark}" if mark else ""
        found.append(f"{core}x{int(count) // 2}{end}")
    return found


def _file(case: Case, devices: Sequence[DeviceTable], items: Items, told: str) -> str:
    """Return a test file that fails as the fuzz did."""
    test = _test(case, devices, items).model_copy(update={"name": f"fuzz: {case.test.name}"})
    return tests_yaml(FileTable(note=told, tests=[test]))
