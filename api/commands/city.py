"""`tocsin city`: import a network, generate a town, show what a city holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from sensors.city import City
    from sensors.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Import, generate and show cities.")

_TABLES = ("areas", "nodes", "links", "teams", "risk_points", "key_sites", "roads")

OutOption = Annotated[
    Path | None, typer.Option(help="City folder, made when missing. Default: cities/NAME.")
]


@app.command("import")
def import_city(
    inp: Annotated[Path, typer.Argument(help="EPANET network file (.inp).")],
    out: OutOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the city. Default: the file's.")] = None,
    pressure_share: Annotated[
        float, typer.Option(help="Pressure devices for each demand junction.", min=0.01, max=1.0)
    ] = 0.2,
) -> None:
    """Make a city of an EPANET network: divides it into DMAs and places devices.

    Tanks, patterns, controls and rules are kept as they are. Run any water scenario on it:

        tocsin city import Net3.inp --out cities/net3

        tocsin run water-burst --city cities/net3
    """
    from api.commands.errors import WrongUseError
    from api.plan import city_id_of
    from simulator.city.importing import import_inp
    from simulator.errors import PhysicsError

    text = _network_text(inp)
    city_id = city_id_of(name or inp.stem)
    folder = out or Path("cities") / city_id
    console = _console_for(folder)
    try:
        with console.status(f"importing {inp.name}"):
            city, registry = import_inp(text, city_id, name or inp.stem, pressure_share)
    except PhysicsError as error:
        raise WrongUseError(f"{inp}: {error}") from error
    _write(folder, city, registry, console)


@app.command("generate")
def generate(
    seed: Annotated[int, typer.Option(help="Seed; another seed, another town.", min=0)] = 7,
    junctions: Annotated[int, typer.Option(help="Water junctions.", min=20, max=2000)] = 120,
    out: OutOption = None,
) -> None:
    """Generate a small town with a water network.

    For example:

        tocsin city generate --seed 3 --junctions 200
    """
    from simulator.city.generate import generate_town

    folder = out or Path("cities") / f"town{seed}"
    console = _console_for(folder)
    with console.status(f"generating a town of {junctions} junctions"):
        city, registry = generate_town(
            seed, junctions=junctions, city_id=f"town{seed}", name=f"Town {seed}"
        )
    _write(folder, city, registry, console)


@app.command("show")
def show(folder: Annotated[Path, typer.Argument(help="City folder.")]) -> None:
    """Show what a city holds: areas, pipes, devices, teams, risk points.

    For example:

        tocsin city show cities/net3
    """
    from rich.console import Console

    from api.plan import read_city

    _print_city(folder, *read_city(folder), Console())


def _network_text(inp: Path) -> str:
    from api.commands.errors import WrongUseError

    if not inp.is_file():
        problem = "is a folder" if inp.is_dir() else "does not exist"
        raise WrongUseError(f"{inp} {problem}; give an EPANET network file (.inp)")
    return inp.read_text(encoding="utf-8", errors="replace")


def _console_for(folder: Path) -> "Console":
    """Return a console, once it is sure that the city can be written."""
    from rich.console import Console

    from api.commands.checks import check_folder
    from api.commands.errors import WrongUseError

    check_folder("--out", folder)
    is_city = (folder / "city.json").is_file()
    if folder.is_dir() and any(folder.iterdir()) and not is_city:
        raise WrongUseError(f"--out {folder} holds other things; name a new folder or a city's")
    return Console()


def _write(folder: Path, city: "City", registry: "Registry", console: "Console") -> None:
    from api.plan import write_city

    write_city(folder, city, registry)
    _print_city(folder, city, registry, console)


def _print_city(folder: Path, city: "City", registry: "Registry", console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(Text.assemble((city.name, "bold"), f" ({city.id}) in {folder}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title in ("what", "kind"):
        table.add_column(title)
    table.add_column("count", justify="right")
    counted = [(name, [str(row.get("kind", "")) for row in city.rows(name)]) for name in _TABLES]
    for name, kinds in [*counted, ("devices", list(registry.texts("kind")))]:
        for kind in sorted(set(kinds)):
            table.add_row(name.replace("_", " "), Text(kind), f"{kinds.count(kind):,}")
    console.print(table)
    nodes = city.rows("nodes")
    demand_m3_h = sum(max(row["base_demand_m3_h"] or 0.0, 0.0) for row in nodes)
    length_km = sum(row["length_m"] or 0.0 for row in city.rows("links")) / 1000
    people = sum(row["people"] or 0.0 for row in nodes)
    console.print(
        f"{length_km:,.1f} km of links, mean demand {demand_m3_h:,.0f} m3/h, {people:,.0f} people",
        highlight=False,
    )
