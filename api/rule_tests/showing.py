"""Rules as tables and text for people, and as plain values for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pipeline.rules import Rule, RuleSet
from sensors.levels import Level

MILDEST_FIRST = (Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED)
TITLES = ("rule", *(level.colour for level in MILDEST_FIRST), "clear", "alone")


def row(rule: Rule) -> tuple[str, ...]:
    """Return a rule as one row of a table under `TITLES`, each cell of two lines.

    A level has its threshold over its hold and the first letter of its basis.
    """
    sign = "≥" if rule.direction.value == "high" else "≤"
    return (
        f"{rule.id}\n  {rule.signal.function.value}, {rule.unit}",
        *(_level(rule, level, sign) for level in MILDEST_FIRST),
        f"{rule.clear_consecutive}×\n{rule.deadband:g}",
        rule.max_level_alone.colour,
    )


def _level(rule: Rule, level: Level, sign: str) -> str:
    if level not in rule.thresholds:
        return "–"
    hold = rule.holds.get(level)
    held = "" if hold is None else f"{hold.m}/{hold.n} "
    lasting = f"{rule.holds_s[level]:g}s " if level in rule.holds_s else ""
    basis = rule.basis[level].value[0] if level in rule.basis else "?"
    return f"{sign}{rule.thresholds[level]:g}\n{held}{lasting}{basis}"


def page(rule: Rule, rules: RuleSet) -> Iterator[str]:
    """Yield one rule in full, line by line."""
    yield f"{rule.id}: {rule.indicator}"
    yield f"  set        {rules.source} {rules.version}" + (
        f", figures of {rule.since}" if rule.since else ""
    )
    chosen = {
        "kinds": rule.select.kinds,
        "domains": rule.select.domains,
        "areas": rule.select.areas,
        "elements": rule.select.elements,
        "profiles": rule.select.profiles,
        "devices": rule.select.devices,
        "but": rule.select.but,
    }
    watched = "; ".join(f"{name} {', '.join(some)}" for name, some in chosen.items() if some)
    yield f"  watches    {watched or 'nothing'} ({rule.select.quantity or 'their quantity'})"
    figures = ", ".join(f"{key} {value:g}" for key, value in rule.signal.figures.items())
    yield f"  signal     {rule.signal.function.value}" + (f" ({figures})" if figures else "")
    yield f"  sampling   {rule.sample_s:g} s, {rule.sample_alarm_s:g} s in alarm"
    for level in MILDEST_FIRST:
        if level not in rule.thresholds:
            continue
        side = "at or above" if rule.direction.value == "high" else "at or below"
        hold = rule.holds.get(level)
        parts = [f"{side} {rule.thresholds[level]:g} {rule.unit}"]
        if hold is not None:
            parts.append(f"{hold.m} of {hold.n} samples")
        if level in rule.holds_s:
            parts.append(f"for {rule.holds_s[level]:g} s")
        if level in rule.windows_s:
            parts.append(f"window {rule.windows_s[level]:g} s")
        basis = rule.basis[level].value if level in rule.basis else "no basis"
        yield f"  {level.colour:<6} {level.roman:<3} {', '.join(parts)} [{basis}]"
    yield (
        f"  clears     {rule.clear_consecutive} samples in a row beyond the deadband of "
        f"{rule.deadband:g} {rule.unit}, one level at a time"
    )
    yield f"  alone      {rule.max_level_alone.colour} at most"
    flags = [
        *(["latching"] if rule.is_latching else []),
        *(["asks for a re-sample"] if rule.asks_resample else []),
        *([f"first-out of {rule.is_chain_of}"] if rule.is_chain_of else []),
    ]
    if flags:
        yield f"  also       {', '.join(flags)}"
    texts = source_texts(rules)
    for key in rule.sources:
        yield f"  source     {key}" + (f": {texts[key]}" if key in texts else "")
    if not rule.sources:
        yield "  source     none: every figure is this program's own proposal"
    if rule.rationale is not None:
        yield f"  cause      {rule.rationale.cause}"
        yield f"  otherwise  {rule.rationale.consequence}"
        yield f"  action     {rule.rationale.action} (within {rule.rationale.respond_min:g} min)"
    if rule.note:
        yield f"  note       {rule.note}"


def source_texts(rules: RuleSet) -> Mapping[str, str]:
    """Return key → text of the sources a rule set lists; empty when it lists none."""
    texts: Mapping[str, str] = getattr(rules, "sources", {})
    return texts


def plain(rule: Rule) -> dict[str, Any]:
    """Return a rule as plain values, levels by their colours."""
    return {one.name: _plain(getattr(rule, one.name)) for one in fields(rule)}


def _plain(value: Any) -> Any:
    if isinstance(value, Level):
        return value.colour
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return getattr(value, "value", value)


def model_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the rows of the registry of warning models as text."""
    for row_of in rows:
        state = "" if row_of["is_on"] else " (off)"
        yield f"{row_of['id']} {row_of['version']}{state}: {row_of['title']}"
        yield f"  effect         {row_of['effect']} ({row_of['domain']})"
        yield f"  looks at       {', '.join(row_of['inputs'])}"
        yield f"  may say        {', '.join(row_of['outputs'])}"
        yield f"  never claims   {row_of['may_not_claim']}"
        for name in ("expression", "file"):
            if row_of[name]:
                yield f"  {name:<14} {row_of[name]}"
        for one in row_of["figures"]:
            yield f"  {one['name']:<14} {one['value']:g} {one['unit']} [{one['basis']}]"
        yield ""
