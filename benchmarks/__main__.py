"""Runs the benchmarks: `python -m benchmarks [NAME ...]`; table on stderr, JSON on stdout."""

import json
import os
import platform
import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from benchmarks import (
    bench_epanet,
    bench_fleet,
    bench_inprocess,
    bench_rule_tests,
    bench_rules,
    bench_wire,
)
from benchmarks.figures import Figure


def _inprocess() -> Figure:
    found = bench_inprocess.run()
    rest = {key: found[key] for key in ("readings", "lost", "seconds", "devices", "alarms_raised")}
    value, target = float(str(found["value"])), float(str(found["target"]))
    return Figure("inprocess_monitor_warn", value, "readings/s", target, detail=rest)


BENCHMARKS: dict[str, Callable[[], Figure | list[Figure]]] = {
    "inprocess": _inprocess,
    "senml": bench_wire.senml,
    "arrow": bench_wire.arrow,
    "single": bench_wire.single,
    "latency": bench_wire.latency,
    "epanet": bench_epanet.run,
    "epanet60": lambda: bench_epanet.run(60, 1),
    "fleet": bench_fleet.sizes,
    "rules": bench_rules.run,
    "rule_tests": bench_rule_tests.run,
}


def _row(figure: Figure) -> tuple[str, ...]:
    sign = "≥" if figure.is_more_better else "≤"
    detail = ", ".join(
        f"{key} {value}" for key, value in figure.detail.items() if not isinstance(value, dict)
    )
    return (
        figure.name,
        f"{figure.value:,.4g}" if figure.value < 1000 else f"{figure.value:,.0f}",
        "" if figure.target is None else f"{sign} {figure.target:,.0f}",
        figure.unit,
        ("" if figure.is_reached else "NOT REACHED ") + detail,
    )


def main() -> int:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown}; there are {list(BENCHMARKS)}", file=sys.stderr)
        return 2
    console = Console(stderr=True)
    table = Table(title="Tocsin benchmarks", box=None)
    for title in ("figure", "measured", "target", "unit", "detail"):
        table.add_column(title, justify="right" if title in ("measured", "target") else "left")
    figures = []
    for name in names:
        console.print(f"… {name}", style="dim")
        found = BENCHMARKS[name]()
        for figure in found if isinstance(found, list) else [found]:
            figures.append(figure)
            table.add_row(*_row(figure))
    console.print(table)
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "cpu": platform.machine(),
    }
    print(json.dumps({"machine": machine, "figures": [one.as_dict() for one in figures]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
