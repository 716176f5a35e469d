"""`tocsin city`: import a network, generate a town, show what a city holds."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.plan import city_id_of, read_city, write_city
from simulator.city.generate import generate_town
from simulator.city.importing import import_inp

app = typer.Typer(no_args_is_help=True, help="Import, generate and show cities.")


@app.command("import")
def import_city(
    inp: Annotated[Path, typer.Argument(help="EPANET network file (.inp).", exists=True)],
    out: Annotated[Path | None, typer.Option(help="City folder. Default: cities/NAME.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the city. Default: the file's.")] = None,
    pressure_share: Annotated[
        float, typer.Option(help="Pressure devices for each demand junction.", min=0.01, max=1.0)
    ] = 0.2,
) -> None:
    """Make a city of an EPANET network: districts it into DMAs and places devices.

    Tanks, patterns, controls and rules are kept as they are. Run any water scenario on it:

        tocsin city import Net3.inp --out cities/net3

        tocsin run water-burst --city cities/net3
    """
    city_id = city_id_of(name or inp.stem)
    text = inp.read_text(encoding="utf-8", errors="replace")
    city, registry = import_inp(text, city_id, name or inp.stem, pressure_share=pressure_share)
    folder = out or Path("cities") / city_id
    write_city(folder, city, registry)
    _print_city(folder)


@app.command("generate")
def generate(
    seed: Annotated[int, typer.Option(help="Seed; another seed, another town.")] = 7,
    junctions: Annotated[int, typer.Option(help="Water junctions.", min=20, max=2000)] = 120,
    out: Annotated[Path | None, typer.Option(help="City folder. Default: cities/townSEED.")] = None,
) -> None:
    """Generate a small town with a water network."""
    city, registry = generate_town(
        seed, junctions=junctions, city_id=f"town{seed}", name=f"Town {seed}"
    )
    folder = out or Path("cities") / city.id
    write_city(folder, city, registry)
    _print_city(folder)


@app.command("show")
def show(folder: Annotated[Path, typer.Argument(help="City folder.")]) -> None:
    """Show what a city holds: areas, pipes, devices, teams, risk points."""
    _print_city(folder)


def _print_city(folder: Path) -> None:
    city, registry = read_city(folder)
    console = Console()
    console.print(f"[bold]{city.name}[/] ({city.id}) in {folder}", highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("what", "kind", "count"):
        table.add_column(title)
    for name in ("areas", "nodes", "links", "teams", "risk_points", "key_sites", "roads"):
        rows = city.rows(name)
        kinds = sorted({str(row.get("kind", "")) for row in rows})
        for kind in kinds:
            count = sum(str(row.get("kind", "")) == kind for row in rows)
            table.add_row(name.replace("_", " "), kind, f"{count:,}")
    kinds_of_device = list(registry.texts("kind"))
    for kind in sorted(set(kinds_of_device)):
        table.add_row("devices", kind, f"{kinds_of_device.count(kind):,}")
    console.print(table)
    demand = sum(max(row["base_demand_m3_h"] or 0.0, 0.0) for row in city.rows("nodes"))
    length_km = sum(row["length_m"] or 0.0 for row in city.rows("links")) / 1000
    people = sum(row["people"] or 0.0 for row in city.rows("nodes"))
    console.print(
        f"{length_km:,.1f} km of links, mean demand {demand:,.0f} m3/h, {people:,.0f} people",
        highlight=False,
    )
