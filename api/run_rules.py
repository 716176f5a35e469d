"""The rules in force in a run, as a table: those it began with, or those it was given since."""

from functools import lru_cache

from api.alarm_view import rules_in_force
from api.controller import RunController
from api.problems import ProblemError
from api.rule_choice import RULES_FILE
from api.run_status import Run
from pipeline.errors import RuleError
from pipeline.rules import RuleSet, default_rules, load_rules


def rules_in_use(run: Run) -> RuleSet:
    """Return the rules in force; those of the program for a run that kept none.

    Raises:
        ProblemError: 422, the run kept rules that this version does not take.
    """
    newest = rules_in_force(run.entries())
    if newest is not None and newest[2]:
        return _read(newest[2], newest[0])
    if isinstance(run, RunController):
        return run.rules
    file = run.folder / RULES_FILE
    return (
        _read(file.read_text(encoding="utf-8"), RULES_FILE) if file.is_file() else default_rules()
    )


@lru_cache(maxsize=16)
def _read(text: str, source: str) -> RuleSet:
    try:
        return load_rules(text, source)
    except RuleError as error:
        raise ProblemError(422, "invalid-rules", str(error), file=source) from error
