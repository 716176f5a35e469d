"""`tocsin rules`: check, show, test and explain the rules that raise alarms."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands import backtest
from api.commands.options import JsonOption

if TYPE_CHECKING:
    from api.rule_tests.checking import Survey
    from api.rule_tests.suite import Case, Outcome
    from pipeline.rules import RuleSet
    from pipeline.rules.mistakes import Mistake

app = typer.Typer(no_args_is_help=True, help="Check, show, test, explain and tune alarm rules.")

RulesOption = Annotated[
    str,
    typer.Option("--rules", help="Rule set: a shipped set's name, or a file.", metavar="SET"),
]


@app.command("check")
def check(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Rule files or names of shipped sets. Default: all shipped sets."),
    ] = None,
    tests: Annotated[
        Path | None,
        typer.Option(help="Folder of rule tests; rules that none of them names are listed."),
    ] = None,
    is_json: JsonOption = False,
) -> int:
    """Check rule files: every mistake with line, key, value and fix (exit 2).

    Of a good file it prints the rules per domain, where their thresholds come from, and what
    looks forgotten: device kinds nobody watches, levels that can never be reached or left.

    For example:

        tocsin rules check

        tocsin rules check my-rules.yaml --tests my-tests
    """
    import json
    from dataclasses import asdict

    from api.commands.errors import WRONG_USE, say
    from api.rule_tests.checking import named_in_tests, survey
    from pipeline.rules import load_rules, rule_text, shipped_sets
    from pipeline.rules.load import mistakes
    from pipeline.rules.mistakes import RuleFileError

    code, results = 0, list[dict[str, object]]()
    tested = None if tests is None else named_in_tests(tests)
    for name in files or shipped_sets():
        try:
            text = rule_text(name)
            found = mistakes(text, name) or _of_models(load_rules(text, name))
        except RuleFileError as error:
            found = list(error.mistakes)
        if found:
            code = WRONG_USE
            lines = [f"{one.file}:{one.line}:{one.column}: {_mistake(one)}" for one in found]
            results.append({"file": name, "mistakes": [asdict(one) for one in found]})
            if not is_json:
                say("\n".join(lines), code)
            continue
        seen = survey(load_rules(text, name), tested)
        results.append(
            {
                "file": name,
                "mistakes": [],
                "rules": dict(seen.per_domain),
                "thresholds": dict(seen.per_basis),
                "warnings": list(seen.warnings),
            }
        )
        if not is_json:
            _print_survey(name, seen)
    if is_json:
        typer.echo(json.dumps(results, indent=1, ensure_ascii=False))
    return code


@app.command("show")
def show(
    rule: Annotated[str | None, typer.Argument(help="One rule in full, such as gas.ch4_space.")] = (
        None
    ),
    rules: RulesOption = "national",
    is_json: JsonOption = False,
) -> int:
    """Show the rules of a set as a table, or one of them with its sources and its reason.

    In the table a level reads threshold, and below it m of n samples and where the threshold
    comes from: q quoted, e example, p proposed. For example:

        tocsin rules show

        tocsin rules show flood.ponding_underpass --rules handan
    """
    import json

    from api.rule_tests.showing import TITLES, page, plain, row
    from pipeline.rules import rules_named

    chosen = rules_named(rules)
    if rule is not None:
        one = chosen.rule(rule)
        text = json.dumps(plain(one), indent=1, ensure_ascii=False) if is_json else None
        typer.echo(text if text is not None else "\n".join(page(one, chosen)))
        return 0
    if is_json:
        listed = [plain(one) for one in chosen.rules.values()]
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(TITLES[0], no_wrap=True)
    for title in TITLES[1:]:
        table.add_column(title, overflow="fold")
    for one in chosen.rules.values():
        table.add_row(*row(one))
    Console().print(table)
    typer.echo(
        f"\n{chosen.source} {chosen.version}: {len(chosen.rules)} rules; roads close at "
        f"{chosen.closure.road_cm:g} cm and underpasses at {chosen.closure.underpass_cm:g} cm, "
        "whatever the colour."
    )
    return 0


@app.command("models")
def models(rules: RulesOption = "national", is_json: JsonOption = False) -> int:
    """List the warning models that join several signals: inputs, effect, what they never claim.

    For example:

        tocsin rules models
    """
    import json

    from api.rule_tests.showing import model_lines
    from api.warning_models import outside_models
    from pipeline.rules import rules_named
    from pipeline.warn.coupling.registry import listing

    chosen = rules_named(rules)
    rows = listing(chosen, outside_models(chosen))
    told = "\n".join(model_lines(rows))
    typer.echo(json.dumps(rows, indent=1, ensure_ascii=False) if is_json else told)
    return 0


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of rule files, for editors that check while you type.

    For example (VS Code reads it from a first line
    `# yaml-language-server: $schema=rules.schema.json`):

        tocsin rules schema > rules.schema.json
    """
    import json

    from pipeline.rules import json_schema

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


@app.command("test")
def run_tests(
    paths: Annotated[list[Path], typer.Argument(help="Files of rule tests, or folders of them.")],
    chosen: Annotated[
        str, typer.Option("-k", help="Only tests whose file or name has this in it.")
    ] = "",
    junit: Annotated[Path | None, typer.Option(help="Write the outcome as JUnit XML.")] = None,
    fuzz: Annotated[
        int, typer.Option(help="Also play so many random inputs to each test's devices.", min=0)
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the random inputs.", min=0)] = 1,
    is_json: JsonOption = False,
) -> int:
    """Run declarative tests of rules: series in, expected alarms and levels at times.

    Exit code 1 when an expectation is not met, 2 when a test itself is wrong.

    A test file says what devices show in a compact notation, in relative time, and what must
    come of it. The real stages run; no number of devices or samples is too many. A test reads:

        tests:
          - name: low pressure is orange after two samples

            devices: [{id: P1, kind: network_pressure, input: "0.3x6 0.08x4"}]

            expect:
              - alarm: {rule: water.pressure_head, level: orange, state: raised}
                at: 35m

    Series: `0.3x12` twelve times, `0.3-0.01x20` a ramp, `0.3~0.005x100` noise, `_x3` nothing,
    `stuckx9`, `sin(0.3,0.05,24h)x288`, `(0.3x5 0.1)x4`; arriving `@late(10m)`, `@together`,
    `@reversed`, `@twice`. With `--fuzz` random series are played, and what fails is printed as
    the smallest test file that still fails. For example:

        tocsin rules test tests/rules

        tocsin rules test my-tests -k pressure --junit out/junit.xml --fuzz 200 --seed 7
    """
    from api.commands.errors import FAILED, WRONG_USE, WrongUseError
    from api.rule_tests.suite import load_cases, outcome_lines, outcomes_json, write_junit

    cases = load_cases(paths, chosen)
    if not cases:
        raise WrongUseError(f"-k {chosen}: no test has that in its file or name; leave it out")
    outcomes = [_run(case, is_quiet=is_json) for case in cases]
    failed = [outcome for outcome in outcomes if not outcome.is_passed]
    if junit is not None:
        write_junit(outcomes, junit)
    if is_json:
        typer.echo(outcomes_json(outcomes))
    else:
        for outcome in failed:
            typer.echo("\n".join(outcome_lines(outcome)))
        seconds = sum(outcome.seconds for outcome in outcomes)
        readings = sum(outcome.readings for outcome in outcomes)
        typer.echo(
            f"{len(cases) - len(failed)} of {len(cases)} tests passed "
            f"({readings:,} readings in {seconds:.1f} s)"
        )
    is_sound = _fuzz(cases, fuzz, seed, is_quiet=is_json) if fuzz else True
    if any(outcome.error for outcome in failed):
        return WRONG_USE
    return FAILED if failed or not is_sound else 0


@app.command("explain")
def explain(
    alarm: Annotated[str, typer.Argument(help="Alarm id, or any part of it that is its own.")],
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run. Default: the newest in ./runs.")
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option("--rules", help="Rule set of the run, when its folder does not say."),
    ] = None,
    is_json: JsonOption = False,
) -> int:
    """Explain an alarm of a recorded run: which samples, which rule, which numbers, which source.

    For example:

        tocsin run water-burst --out runs/b1

        tocsin rules explain WP-D01-0007-6/water.pressure_drop --run runs/b1
    """
    import json

    from api.rule_tests.explain import explained
    from api.rule_tests.explain_text import explained_lines

    told = explained(alarm, run, rules)
    if is_json:
        typer.echo(json.dumps(told.plain(), indent=1, ensure_ascii=False))
    else:
        typer.echo("\n".join(explained_lines(told)))
    return 0


def _run(case: "Case", *, is_quiet: bool) -> "Outcome":
    """Run a test; long ones say how far they are, on stderr."""
    import sys

    from api.rule_tests.suite import run_case

    if is_quiet or not sys.stderr.isatty():
        return run_case(case)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(case.test.name, total=None)
        return run_case(case, lambda done, of: bar.update(task, completed=done, total=of))


def _fuzz(cases: "list[Case]", count: int, seed: int, *, is_quiet: bool) -> bool:
    """Fuzz the devices of each test; print the smallest failing input of the first failure."""
    from api.rule_tests.fuzz import fuzz_case

    played = 0
    for case in cases:
        found = fuzz_case(case, count, seed)
        played += count
        if found is not None:
            typer.echo(f"FUZZ {case.where}: {found.broken}\n", err=is_quiet)
            typer.echo(found.text, err=is_quiet)
            return False
    typer.echo(f"{played} random inputs kept every invariant (seed {seed})", err=is_quiet)
    return True


def _of_models(rules: "RuleSet") -> list["Mistake"]:
    from api.warning_models import check_models
    from pipeline.errors import RuleError
    from pipeline.rules.mistakes import Mistake, RuleFileError

    try:
        check_models(rules)
    except RuleFileError as error:
        return list(error.mistakes)
    except RuleError as error:  # of a model's file, or of a package that registers models
        problem = str(error).removeprefix(f"{rules.source}: ")
        return [Mistake(rules.source, 1, 1, "", "", problem, "")]
    return []


def _mistake(one: "Mistake") -> str:
    return str(one).removeprefix(f"{one.file}:{one.line}: ")


def _print_survey(name: str, seen: "Survey") -> None:
    typer.echo(f"{name} is right")
    rules = ", ".join(f"{domain} {count}" for domain, count in seen.per_domain.items())
    total = sum(seen.per_basis.values())
    shares = ", ".join(
        f"{word} {count} ({100 * count / max(total, 1):.0f} %)"
        for word, count in seen.per_basis.items()
    )
    typer.echo(f"  {sum(seen.per_domain.values())} rules: {rules}")
    typer.echo(f"  {total} thresholds: {shares}")
    for warning in seen.warnings:
        typer.echo(f"  note: {warning}")


app.command("backtest")(backtest.backtest)
app.command("why-not")(backtest.why_not)
app.command("tune")(backtest.tune)
