"""Warning models from outside the program: those of other packages and those read from files."""

from importlib.metadata import entry_points
from pathlib import Path

from pipeline.errors import RuleError
from pipeline.rules import RuleSet
from pipeline.warn.coupling.registry import GROUP, Registered, models_in_use
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
        RuleError: a coupling names no model or rule, or its figures or file are wrong; but for
            files it is a `RuleFileError` with all mistakes and their places.
    """
    models_in_use(Site.of(Registry.of([]), None), rules, outside_models(rules))
