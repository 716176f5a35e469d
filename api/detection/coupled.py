"""Coupled rules against single signals: the same worlds, judged with and without the couplings."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import msgspec

from api.detection.intervals import Estimate, csi
from api.detection.places import placed
from api.detection.tape import judge, taped
from api.detection.writing import grid, shown
from api.library import find_scenario
from api.plan import plan_run
from pipeline.rules import RuleSet
from pipeline.warn.coupling.registry import without_any

COUPLED, PLAIN, BEST = "coupled", "all rules, no coupling", "best single rule of each scenario"
"""Names of variants; every other one is `only RULE`: that rule alone, without couplings."""
_ONLY = "only "
_FILE = "coupled.yaml"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    scenarios: dict[str, str]


class Trial(msgspec.Struct, frozen=True):
    """One world judged by one variant.

    Attributes:
        scenario: Name of the scenario.
        seed: Seed of the run.
        rules: Source and version of the rule set.
        variant: What judged it.
        hits: True events found.
        false: Claims that match none.
        missed: True events not found.
    """

    scenario: str
    seed: int
    rules: str
    variant: str
    hits: int
    false: int
    missed: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A variant over all trials.

    Attributes:
        variant: Its name.
        hits: True events found.
        false: Claims that match none.
        missed: True events not found.
        csi: Critical success index, interval by seed.
        by_scenario: Scenario → critical success index; None where there was nothing to tell.
    """

    variant: str
    hits: int
    false: int
    missed: int
    csi: Estimate
    by_scenario: Mapping[str, float | None]


def coupled_scenarios() -> Mapping[str, str]:
    """Return scenario → what has to be seen together in it."""
    content = resources.files("api.detection").joinpath(_FILE).read_bytes()
    return msgspec.yaml.decode(content, type=_File).scenarios


def only(rules: RuleSet, rule: str) -> RuleSet:
    """Return a rule set with one rule and no couplings: a single signal."""
    alone = replace(rules.rules[rule], is_chain_of="")
    return replace(without_any(rules), rules={rule: alone})


def trials_of(scenario: str, seed: int, rules: RuleSet) -> list[Trial]:
    """Return what each variant makes of one world; rules that raise nothing in it are left out.

    Args:
        scenario: Name or file; its places are moved by the seed as `bench detect` moves them.
        seed: Seed of the run.
        rules: The rule set in question.

    Raises:
        ScenarioError: there is no such scenario, or it is wrong.
    """
    file = find_scenario(scenario)
    plan = plan_run(placed(file, seed, "moved"), file.path, seed=seed)
    ticks = taped(plan)
    name = file.scenario.name

    def trial(variant: str, chosen: RuleSet) -> tuple[Trial, tuple[str, ...]]:
        judged = judge(plan, ticks, chosen)
        made = judged.evaluation
        return Trial(
            name, seed, _name(rules), variant, made.found, made.false, made.missed
        ), judged.rules

    whole, _ = trial(COUPLED, rules)
    plain, raised = trial(PLAIN, without_any(rules))
    alone = [trial(f"{_ONLY}{rule}", only(rules, rule))[0] for rule in raised]
    return [whole, plain, *alone]


def run_trials(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    rules: RuleSet,
    out: Path,
    told: Callable[[Sequence[Trial]], object] = bool,
) -> list[Trial]:
    """Do all worlds that `out` does not hold yet, append each as it ends, and return all.

    Raises:
        ScenarioError: there is no such scenario, or it is wrong.
        ValueError: a line of `out` is damaged.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    known = [one for one in read_trials(out) if one.rules == _name(rules)]
    done = {(one.scenario, one.seed) for one in known}
    names = [find_scenario(name).scenario.name for name in scenarios]
    with out.open("ab") as lines:
        for seed in seeds:
            for name, given in zip(names, scenarios, strict=True):
                if (name, seed) in done:
                    continue
                fresh = trials_of(given, seed, rules)
                lines.write(msgspec.json.encode(fresh) + b"\n")
                lines.flush()
                known += fresh
                told(fresh)
    wanted = {(name, seed) for name in names for seed in seeds}
    return [one for one in known if (one.scenario, one.seed) in wanted]


def read_trials(file: Path) -> list[Trial]:
    """Return the trials of a results file, one line a world; a half line at its end is left out.

    Raises:
        ValueError: another line is damaged; names file and line.
    """
    found: list[Trial] = []
    lines = file.read_bytes().split(b"\n")[:-1] if file.is_file() else []
    for number, line in enumerate(lines, 1):
        try:
            found += msgspec.json.decode(line, type=list[Trial])
        except msgspec.MsgspecError as error:
            raise ValueError(f"{file}: line {number}: {error}; remove that line") from error
    return found


def standings(trials: Sequence[Trial]) -> list[Standing]:
    """Return the variants over all trials: coupled, uncoupled, best of each, then single rules.

    A single rule that raised nothing in a world missed everything in it. Of each scenario the
    best single rule is the one with the highest index there, known only afterwards: an opponent
    nobody could have chosen beforehand.
    """
    worlds: dict[tuple[str, int], dict[str, Trial]] = defaultdict(dict)
    for one in trials:
        worlds[one.scenario, one.seed][one.variant] = one
    names = sorted({one.variant for one in trials} - {COUPLED, PLAIN})
    every = {name: [_of(world, name) for world in worlds.values()] for name in names}
    best = _best({name: rows for name, rows in every.items() if name.startswith(_ONLY)})
    chosen = [_of(world, best.get(key[0], "")) for key, world in worlds.items()]
    both = {name: [world[name] for world in worlds.values()] for name in (COUPLED, PLAIN)}
    singles = sorted(
        (_standing(name, rows) for name, rows in every.items()),
        key=lambda one: (-(one.csi.value or 0.0), one.variant),
    )
    head = [_standing(name, rows) for name, rows in both.items()]
    return [*head, _standing(BEST, chosen), *singles]


def markdown(found: Sequence[Standing], title: str) -> str:
    """Return the table for people."""
    scenarios = sorted({name for one in found for name in one.by_scenario})
    head = ["", "hits", "false", "missed", "CSI", *scenarios]
    rows = [
        [
            one.variant,
            str(one.hits),
            str(one.false),
            str(one.missed),
            shown(one.csi, is_share=True),
            *(_share(one.by_scenario.get(name)) for name in scenarios),
        ]
        for one in found
    ]
    said = (
        "Nobody acts on these worlds, so every variant sees the same. CSI = hits / (hits + false "
        "+ misses), 95 % by bootstrap over seeds; `-`: no event and no claim."
    )
    return f"# {title}\n\n{said}\n\n{grid(head, rows)}\n"


def _name(rules: RuleSet) -> str:
    return f"{rules.source} {rules.version}"


def _of(world: Mapping[str, Trial], variant: str) -> Trial:
    """Return the trial of a variant in a world; one that said nothing there missed everything."""
    if variant in world:
        return world[variant]
    whole = world[COUPLED]
    return Trial(whole.scenario, whole.seed, whole.rules, variant, 0, 0, whole.hits + whole.missed)


def _best(singles: Mapping[str, Sequence[Trial]]) -> dict[str, str]:
    """Return scenario → single rule with the highest index, the fewest false ones of equals."""
    ranks: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
    for name, rows in singles.items():
        for scenario in {one.scenario for one in rows}:
            here = [one for one in rows if one.scenario == scenario]
            false = sum(one.false for one in here)
            ranks[scenario].append((-(_csi(here) or 0.0), false, name))
    return {scenario: min(order)[2] for scenario, order in ranks.items()}


def _standing(variant: str, rows: Sequence[Trial]) -> Standing:
    clusters: dict[Hashable, tuple[int, int, int]] = {}
    by_scenario: dict[str, list[Trial]] = defaultdict(list)
    for one in rows:
        hits, false, missed = clusters.get(one.seed, (0, 0, 0))
        clusters[one.seed] = hits + one.hits, false + one.false, missed + one.missed
        by_scenario[one.scenario].append(one)
    return Standing(
        variant=variant,
        hits=sum(one.hits for one in rows),
        false=sum(one.false for one in rows),
        missed=sum(one.missed for one in rows),
        csi=csi(clusters),
        by_scenario={name: _csi(here) for name, here in sorted(by_scenario.items())},
    )


def _csi(rows: Sequence[Trial]) -> float | None:
    hits = sum(one.hits for one in rows)
    whole = hits + sum(one.false + one.missed for one in rows)
    return hits / whole if whole else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
