"""`tocsin city`: import a network, generate, check, show and draw cities."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from sensors.city import City
    from sensors.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Import, generate, check and show cities.")

_TABLES = (
    "districts", "areas", "nodes", "links", "roads", "teams", "stores", "shelters", "experts",
    "key_sites", "assets", "risk_points",
)  # fmt: skip
_LEAST_CORNERS, _MOST_CORNERS = 60, 200_000
_SWMM = ("[SUBCATCHMENTS]", "[CONDUITS]", "[RAINGAGES]", "[OUTFALLS]")

OutOption = Annotated[
    Path | None, typer.Option(help="City folder, made when missing. Default: cities/NAME.")
]
SizeOption = Annotated[
    str | None, typer.Option(help="Size of a whole city: town, city or metropolis.")
]
CornersOption = Annotated[
    int | None,
    typer.Option(
        help="Street corners of a whole city, instead of --size.",
        min=_LEAST_CORNERS,
        max=_MOST_CORNERS,
    ),
]


@app.command("import")
def import_city(
    inp: Annotated[Path, typer.Argument(help="EPANET or SWMM network file (.inp).")],
    out: OutOption = None,
    name: Annotated[str | None, typer.Option(help="Name of the city. Default: the file's.")] = None,
    pressure_share: Annotated[
        float, typer.Option(help="Pressure devices for each demand junction.", min=0.01, max=1.0)
    ] = 0.2,
    districts: Annotated[
        Path | None, typer.Option(help="Districts: GeoJSON file of polygons.")
    ] = None,
    assets: Annotated[Path | None, typer.Option(help="Assets: GeoJSON file of points.")] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            help="LON,LAT of the network's point 0, 0, for GeoJSON in degrees. "
            "Default: the south-west corner of what the GeoJSON files hold."
        ),
    ] = None,
) -> None:
    """Make a city of an EPANET or a SWMM network: divides it into areas and places devices.

    Tanks, patterns, controls and rules are kept as they are. Run any water scenario on it:

        tocsin city import Net3.inp --out cities/net3

        tocsin run water-burst --city cities/net3

    Districts and assets of your own, in degrees or in the network's metres:

        tocsin city import Net3.inp --districts districts.geojson --assets assets.geojson
    """
    from api.commands.errors import WrongUseError
    from api.plan import city_id_of
    from simulator.city.importing import import_inp
    from simulator.errors import PhysicsError, ScenarioError

    text = _text(inp, "an EPANET network file (.inp)")
    city_id = city_id_of(name or inp.stem)
    folder = out or Path("cities") / city_id
    console = _console_for(folder)
    try:
        with console.status(f"importing {inp.name}"):
            if _is_swmm(text):
                city, registry = _drainage_city(text, city_id, name or inp.stem)
            else:
                city, registry = import_inp(text, city_id, name or inp.stem, pressure_share)
            city = _with_geojson(city, districts, assets, origin)
    except PhysicsError as error:
        raise WrongUseError(f"{inp}: {error}") from error
    except ScenarioError as error:
        raise WrongUseError(str(error)) from error
    _write(folder, city, registry, console)


@app.command("generate")
def generate(
    seed: Annotated[int, typer.Option(help="Seed; another seed, another city.", min=0)] = 7,
    size: SizeOption = None,
    corners: CornersOption = None,
    junctions: Annotated[
        int, typer.Option(help="Junctions of a small town with water only.", min=20, max=2000)
    ] = 120,
    profile: Annotated[str, typer.Option(help="Devices of a whole city: a load profile.")] = (
        "default"
    ),
    out: OutOption = None,
) -> None:
    """Generate a whole city, or a small town with a water network only.

    A whole city has streets, a river, districts, people, teams, water, gas, drains and
    high-rises: a town of 1,000 street corners, a city of 10,000, a metropolis of 50,000.

        tocsin city generate --size town --seed 3

        tocsin city generate --seed 3 --junctions 200
    """
    from simulator.city.generate import generate_town

    count = _corners(size, corners)
    what = size or ("city" if count else "town")
    city_id = f"{what}{seed}"
    folder = out or Path("cities") / city_id
    console = _console_for(folder)
    name = f"{what.capitalize()} {seed}"
    if count is None:
        with console.status(f"generating a town of {junctions} junctions"):
            city, registry = generate_town(seed, junctions=junctions, city_id=city_id, name=name)
    else:
        with console.status(f"generating a city of {count:,} corners"):
            city, registry = _whole_city(seed, count, city_id, name, profile)
    _write(folder, city, registry, console)


@app.command("check")
def check(
    size: SizeOption = None,
    corners: CornersOption = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, from --first on.", min=1)] = 10,
    first: Annotated[int, typer.Option(help="First seed.", min=0)] = 1,
    storm: Annotated[
        bool, typer.Option(help="Rain 100 mm/h for half an hour on each, not a drizzle.")
    ] = True,
) -> None:
    """Generate cities and check every network; exit 1 when one fails.

    Checked are: the road graph, a way to a source or an outfall from every node, service heads
    over two days, gas pressures over a day, ponding and continuity in a storm. For example:

        tocsin city check --size town --seeds 50
    """
    from rich.console import Console

    from simulator.city.check import check_seed

    console = Console()
    count = _corners(size, corners) or _sizes()["town"]
    failed = 0
    for seed in range(first, first + seeds):
        found = check_seed(seed, count, with_storm=storm)
        failed += bool(found.problems)
        verdict = "; ".join(found.problems) or "passed"
        facts = ", ".join(found.facts)
        console.print(
            f"seed {seed}: {verdict} ({facts})", highlight=False, markup=False, soft_wrap=True
        )
    console.print(f"{seeds - failed} of {seeds} passed", highlight=False)
    if failed:
        raise typer.Exit(1)


@app.command("show")
def show(
    folder: Annotated[Path, typer.Argument(help="City folder.")],
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Also draw a map: PNG file to write.")
    ] = None,
) -> None:
    """Show what a city holds: areas, networks, devices, teams, risk points; draw its map.

    For example:

        tocsin city show cities/net3 --map net3.png
    """
    from rich.console import Console

    from api.commands.errors import WrongUseError
    from api.plan import read_city

    if map_file is not None and map_file.suffix.lower() != ".png":
        raise WrongUseError(f"--map {map_file}: the map is a picture; name a .png file")
    city, registry = read_city(folder)
    console = Console()
    _print_city(folder, city, registry, console)
    if map_file is not None:
        from simulator.city.picture import draw_map

        try:
            draw_map(city, map_file)
        except OSError as error:
            raise WrongUseError(f"--map {map_file}: {error.strerror}; name another file") from error
        console.print(f"map: {map_file}", highlight=False, markup=False, soft_wrap=True)


def _sizes() -> dict[str, int]:
    from simulator.city.whole import SIZES

    return dict(SIZES)


def _corners(size: str | None, corners: int | None) -> int | None:
    """Return how many corners a whole city has; None when none is asked for."""
    from api.commands.errors import WrongUseError

    if size is None:
        return corners
    if corners is not None:
        raise WrongUseError("--size and --corners: give one of them")
    if size not in _sizes():
        raise WrongUseError(f"--size {size}: use one of {', '.join(_sizes())}, or --corners N")
    return _sizes()[size]


def _whole_city(
    seed: int, corners: int, city_id: str, name: str, profile: str
) -> tuple["City", "Registry"]:
    from api.commands.errors import WrongUseError
    from simulator.city.profiles import place_fleet
    from simulator.city.whole import generate_city
    from simulator.errors import PhysicsError, ScenarioError

    try:
        city = generate_city(seed, corners, city_id, name)
        return city, place_fleet(city, profile, seed)
    except (PhysicsError, ScenarioError) as error:
        raise WrongUseError(str(error)) from error


def _is_swmm(text: str) -> bool:
    """Return whether a network file is SWMM's: by sections that EPANET does not have."""
    heads = {line.strip().upper() for line in text.splitlines() if line.lstrip().startswith("[")}
    return any(section in heads for section in _SWMM)


def _drainage_city(text: str, city_id: str, name: str) -> tuple["City", "Registry"]:
    from simulator.city.drainage import import_swmm
    from simulator.city.profiles import place_fleet

    city = import_swmm(text, city_id, name)
    return city, place_fleet(city)


def _with_geojson(
    city: "City", districts: Path | None, assets: Path | None, origin: str | None
) -> "City":
    from simulator.city.geojson_import import (
        projected,
        read_shapes,
        with_assets,
        with_districts,
    )

    zones = [] if districts is None else read_shapes(
        _text(districts, "a GeoJSON file"), districts.name, "Polygon"
    )  # fmt: skip
    points = [] if assets is None else read_shapes(
        _text(assets, "a GeoJSON file"), assets.name, "Point"
    )  # fmt: skip
    zones, points = projected([zones, points], _origin(origin))
    if zones:
        city = with_districts(city, zones)
    return with_assets(city, points) if points else city


def _origin(text: str | None) -> tuple[float, float] | None:
    from api.commands.errors import WrongUseError

    if text is None:
        return None
    try:
        longitude, latitude = (float(part) for part in text.split(","))
    except ValueError as error:
        raise WrongUseError(f"--origin {text}: give LON,LAT in degrees, as 123.4,41.8") from error
    if not (abs(longitude) <= 180 and abs(latitude) < 90):
        raise WrongUseError(f"--origin {text}: longitude is up to 180, latitude below 90 degrees")
    return longitude, latitude


def _text(file: Path, wanted: str) -> str:
    from api.commands.errors import WrongUseError

    if not file.is_file():
        problem = "is a folder" if file.is_dir() else "does not exist"
        raise WrongUseError(f"{file} {problem}; give {wanted}")
    return file.read_text(encoding="utf-8", errors="replace")


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
    for title in ("what", "domain", "kind"):
        table.add_column(title)
    table.add_column("count", justify="right")
    counts: dict[tuple[str, str, str], int] = {}
    for name in _TABLES:
        for row in city.rows(name):
            key = name, str(row.get("domain") or ""), str(row.get("kind") or "")
            counts[key] = counts.get(key, 0) + 1
    for domain, kind in zip(registry.texts("domain"), registry.texts("kind"), strict=True):
        counts["devices", domain, kind] = counts.get(("devices", domain, kind), 0) + 1
    order = [*_TABLES, "devices"]
    for name, domain, kind in sorted(counts, key=lambda key: (order.index(key[0]), *key[1:])):
        count = f"{counts[name, domain, kind]:,}"
        table.add_row(name.replace("_", " "), Text(domain), Text(kind), count)
    console.print(table)
    nodes = city.rows("nodes")
    demand_m3_h = sum(
        max(row["base_demand_m3_h"] or 0.0, 0.0) for row in nodes if row["domain"] == "water"
    )
    length_km = sum(row["length_m"] or 0.0 for row in city.rows("links")) / 1000
    homes = [row for row in nodes if row["domain"] == "road"] or nodes
    people = sum(row["people"] or 0.0 for row in homes)
    console.print(
        f"{length_km:,.1f} km of links, mean demand {demand_m3_h:,.0f} m3/h, {people:,.0f} people",
        highlight=False,
    )
