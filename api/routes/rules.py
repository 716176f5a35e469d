"""The rules of a run: read them, and give it others while it runs."""

from dataclasses import asdict

from fastapi import APIRouter, status

from api.alarm_view import rules_in_force
from api.controller import RunController
from api.problems import ProblemError
from api.routes.acting import new_id
from api.routes.dependencies import AnyRun, DrivenRun
from api.rule_choice import RULES_FILE
from api.run_status import Run
from api.schemas.rules import NewRules, RulesInfo, RulesTaken
from api.warning_models import check_models
from pipeline.errors import RuleError
from pipeline.messages import RuleText
from pipeline.rules import RuleSet, load_rules

router = APIRouter(tags=["warn"])


@router.get("/rules", summary="Get the rules in force")
def show_rules(run: AnyRun) -> RulesInfo:
    """Return the rules in force and the file they came from."""
    source, text = _text_of(run)
    rules = _loaded(text, source)
    return RulesInfo(
        source=source,
        version=rules.version,
        city=rules.city,
        rules=sorted(rules.rules),
        text=text,
    )


@router.put("/rules", status_code=status.HTTP_202_ACCEPTED, summary="Go on with other rules")
def change_rules(run: DrivenRun, body: NewRules) -> RulesTaken:
    """Give a run a rule file to go on with; nothing remembered of its devices is lost.

    A file with a mistake is refused whole (422): `mistakes` names file, line, column, key, value
    and fix of each.
    """
    rules = _loaded(body.text, body.source)
    try:
        check_models(rules)
    except RuleError as error:
        raise _refused(error, body.source) from error
    now_ms = run.status().now_ms
    name = body.id or new_id("rules", now_ms)
    run.tell(RuleText(name, body.text, body.source, body.by, now_ms))
    return RulesTaken(id=name, source=body.source, version=rules.version)


def _text_of(run: Run) -> tuple[str, str]:
    newest = rules_in_force(run.entries())
    if newest is not None and newest[2]:
        return newest[0], newest[2]
    if isinstance(run, RunController):
        return run.rules.source, run.rules.text
    file = run.folder / RULES_FILE
    if file.is_file():
        return RULES_FILE, file.read_text(encoding="utf-8")
    raise ProblemError(
        404, "no-rules", f"run {run.id} kept no rules: it is of an older version", run=run.id
    )


def _loaded(text: str, source: str) -> RuleSet:
    try:
        return load_rules(text, source)
    except RuleError as error:
        raise _refused(error, source) from error


def _refused(error: RuleError, source: str) -> ProblemError:
    mistakes = [asdict(one) for one in getattr(error, "mistakes", ())]
    first = dict(mistakes[0]) if mistakes else {"file": source}
    return ProblemError(422, "invalid-rules", str(error), mistakes=mistakes, **first)
