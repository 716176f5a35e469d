"""Takes a rule file while the platform runs, or refuses it whole."""

from pipeline.errors import RuleError
from pipeline.messages import RulesChanged, RuleText
from pipeline.rules import RuleSet, load_rules

TAKEN = "taken"
"""Reason of a rule file that is now in use."""


def read(text: RuleText, rules: RuleSet, now_ms: int) -> tuple[RuleSet | None, RulesChanged]:
    """Return the rule set in a file, None when it is refused, and what is to be said of it.

    Args:
        text: The file.
        rules: The set in use.
        now_ms: Event time.
    """
    try:
        found = load_rules(text.text, text.source)
    except RuleError as error:
        return None, refused(text, rules, str(error), now_ms)
    before, after = rules.rules, found.rules
    return found, RulesChanged(
        source=text.source,
        version=found.version,
        is_taken=True,
        added=tuple(sorted(set(after) - set(before))),
        removed=tuple(sorted(set(before) - set(after))),
        changed=tuple(sorted(one for one in after if one in before and after[one] != before[one])),
        time_ms=now_ms,
        reason=TAKEN,
        actor=text.by,
    )


def refused(text: RuleText, rules: RuleSet, reason: str, now_ms: int) -> RulesChanged:
    """Return that a rule file was refused and the set in use stays."""
    return RulesChanged(
        source=text.source,
        version=rules.version,
        is_taken=False,
        added=(),
        removed=(),
        changed=(),
        time_ms=now_ms,
        reason=reason,
        actor=text.by,
    )
