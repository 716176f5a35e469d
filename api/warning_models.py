"""Warning models from outside the program: those of other packages and those read from files."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from pipeline.errors import RuleError
from pipeline.rules import RuleFileError, RuleSet
from pipeline.rules.load import located
from pipeline.rules.naming import unmatched_flaws
from pipeline.warn.coupling.registry import GROUP, Registered, models_in_use, own_models
from pipeline.warn.coupling.site import Site
from sensors.registry import Registry


def outside_models(rules: RuleSet) -> tuple[Registered, ...]:
    """Return the models that installed packages register, then those the rule set names by file.

    A file's path is relative to the rule file's folder.

    Raises:
        RuleError: an entry point cannot be loaded or is no model, or a file is none.
    """
    found: list[Registered] = []
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        try:
            model = point.load()
        except Exception as error:  # another package's import may fail in any way
            raise RuleError(
                f"{GROUP}: {point.name} = {point.value}: cannot be loaded: {error}; "
                "mend or remove the package that registers it"
            ) from error
        if not isinstance(model, Registered):
            raise RuleError(
                f"{GROUP}: {point.name} = {point.value}: is {type(model).__name__}; "
                "register a pipeline.warn.coupling.registry.Registered"
            )
        found.append(model)
    if any(one.file and one.is_on for one in rules.couplings):
        from pipeline.adapters.onnx_model import models_from_files

        found += models_from_files(rules, Path(rules.source).parent)
    return tuple(found)


def check_models(rules: RuleSet) -> None:
    """Build the warning models of a rule set as the platform does, without devices.

    Raises:
        RuleError: a coupling names no model or rule, its figures or file are wrong, or a silence
            or inhibition is for no rule and no model; but for files it is a `RuleFileError` with
            all mistakes and their places.
    """
    outside = outside_models(rules)
    models_in_use(Site.of(Registry.of([]), None), rules, outside)
    flaws = list(unmatched_flaws(rules, alarm_names(rules, outside)))
    if flaws:
        raise RuleFileError(located(rules, flaws))


def alarm_names(rules: RuleSet, outside: Sequence[Registered]) -> set[str]:
    """Return what alarms can have for a rule: ids of rules and of all models, on or off."""
    models = {one.spec.id for one in (*own_models(), *outside)}
    return {*rules.rules, *models, *(one.model for one in rules.couplings)}
