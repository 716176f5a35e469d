"""Cities at hand: from a folder, a network file, or generated; large ones are kept in a cache."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from sensors.city import City
from sensors.errors import RegistryError
from sensors.registry import Registry
from simulator.city.fleet_profile import load_profile
from simulator.city.generate import generate_town
from simulator.city.importing import import_inp
from simulator.city.profiles import place_fleet
from simulator.errors import PhysicsError, ScenarioError
from simulator.scenario import GenerateSpec, Scenario
from simulator.scenario.places import DEFAULT_JUNCTIONS

Note = Callable[[str], object]
"""Told what takes long, for people."""

_CACHED_FROM = 1000
"""Cities of so many corners are kept; smaller ones are made in seconds."""
_DEVICES = "devices.parquet"
_SWMM_SECTIONS = ("[SUBCATCHMENTS]", "[CONDUITS]", "[OUTFALLS]")


def load_city(
    scenario: Scenario,
    source: Path,
    city_folder: Path | None = None,
    *,
    size: str | None = None,
    profile: str | None = None,
    note: Note = str,
) -> tuple[City, Registry]:
    """Return the city and the registry a scenario runs on.

    Args:
        scenario: The scenario.
        source: Its file, for relative paths and messages.
        city_folder: A city folder instead of the scenario's city.
        size: `town`, `city` or `metropolis`: a generated whole city instead of the scenario's.
        profile: Load profile instead of the scenario's.
        note: Told what takes long.

    Raises:
        ScenarioError: a network file or the profile is missing or wrong.
        RegistryError: a city folder is damaged.
        PhysicsError: no city could be generated from this seed.
    """
    spec, base = scenario.city, source.parent
    chosen = profile or _beside(scenario.profile, base)
    if chosen is not None:
        load_profile(chosen)  # a wrong one is told before anything long begins
    if city_folder is not None:
        return _with_fleet(*read_city(city_folder), chosen, note)
    if size is not None:
        seed = 7 if spec.generate is None else spec.generate.seed
        whole = GenerateSpec.model_validate({"size": size, "seed": seed})
        return whole_city(whole, chosen or "default", note)
    if spec.folder is not None:
        return _with_fleet(*read_city(base / spec.folder), chosen, note)
    if spec.inp is not None:
        city, registry = _imported(base / spec.inp, source, scenario.pressure_share)
        return _with_fleet(city, registry, chosen, note)
    assert spec.generate is not None
    if spec.generate.is_whole:
        return whole_city(spec.generate, chosen or "default", note)
    town = spec.generate
    made = generate_town(
        town.seed,
        junctions=town.junctions or DEFAULT_JUNCTIONS,
        city_id=f"town{town.seed}",
        name=f"Town {town.seed}",
        pressure_share=scenario.pressure_share,
    )
    return _with_fleet(*made, chosen, note)


def whole_city(spec: GenerateSpec, profile: str, note: Note = str) -> tuple[City, Registry]:
    """Return a generated whole city and its fleet; large ones come from the cache.

    Raises:
        ScenarioError: there is no such profile.
        PhysicsError: no city could be generated from this seed.
    """
    from simulator.city.whole import SIZES, generate_city

    loaded = load_profile(profile)
    corners = spec.corners or SIZES[spec.size or "town"]
    name = f"{spec.size or f'corners{corners}-'}{spec.seed}"

    def made() -> City:
        note(f"generating a city of {corners:,} corners (seed {spec.seed})")
        city: City = generate_city(spec.seed, corners, name, f"City {name}")
        return city

    if corners < _CACHED_FROM:
        city = made()
        note(f"placing the devices of profile {loaded.name}")
        return city, place_fleet(city, profile)
    folder = cache_folder() / f"{name}-{corners}-{_version()}"
    if not (folder / "city.json").is_file():
        _publish(folder, made().save)
    city = City.load(folder)
    digest = hashlib.sha256(loaded.model_dump_json().encode()).hexdigest()[:12]
    devices = folder / f"fleet-{loaded.name}-{digest}.parquet"
    if not devices.is_file():
        note(f"placing the devices of profile {loaded.name}")
        _publish(devices, place_fleet(city, profile).save)
    return city, Registry.load(devices)


def city_size(asked: str | None) -> str | None:
    """Return the size a `--city` asks to generate; None when it names a folder, or nothing.

    A folder that is called like a size is named by path: `./town`.
    """
    return asked if asked in ("town", "city", "metropolis") else None


def cache_folder() -> Path:
    """Return where generated cities are kept: `$XDG_CACHE_HOME/tocsin` or `~/.cache/tocsin`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "tocsin" / "cities"


def city_id_of(name: str) -> str:
    """Return a name as a city id: lower case, one topic segment."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "city"


def read_city(folder: Path) -> tuple[City, Registry]:
    """Read a city folder with its device table.

    Raises:
        RegistryError: it is no city folder, or something in it is missing or damaged.
    """
    try:
        return City.load(folder), Registry.load(folder / _DEVICES)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RegistryError(
            f"{folder}: the city is damaged ({error}); make it anew with `tocsin city import`"
        ) from error


def write_city(folder: Path, city: City, registry: Registry) -> None:
    """Write a city folder with its device table."""
    city.save(folder)
    registry.save(folder / _DEVICES)


def _imported(file: Path, source: Path, pressure_share: float) -> tuple[City, Registry]:
    """Return an EPANET or SWMM file as a city with devices."""
    if not file.is_file():
        raise ScenarioError(f"{source}: city.inp: {file} does not exist")
    text = file.read_text(encoding="utf-8", errors="replace")
    city_id = city_id_of(file.stem)
    try:
        if any(section in text.upper() for section in _SWMM_SECTIONS):
            from simulator.city.drainage import import_swmm

            city: City = import_swmm(text, city_id, file.stem)
            return city, place_fleet(city)
        return import_inp(text, city_id, file.stem, pressure_share)
    except PhysicsError as error:
        raise ScenarioError(f"{source}: city.inp: {file}: {error}") from error


def _with_fleet(
    city: City, registry: Registry, profile: str | None, note: Note
) -> tuple[City, Registry]:
    """Return the city with the devices of a profile, or with its own when none is asked for."""
    if profile is None:
        return city, registry
    note(f"placing the devices of profile {profile}")
    return city, place_fleet(city, profile)


def _beside(profile: str | None, base: Path) -> str | None:
    """Return a scenario's profile; a file's name is relative to the scenario."""
    if profile is not None and profile.endswith((".yaml", ".yml")):
        return str(base / profile)
    return profile


def _version() -> str:
    """Return what the cached cities depend on: the program's version and the generator's text."""
    digest = hashlib.sha256()
    for package in ("simulator.city", "simulator.physics.gas", "simulator.physics.flood"):
        folder = resources.files(package)
        for item in sorted(folder.iterdir(), key=lambda file: file.name):
            if item.name.endswith((".py", ".yaml", ".json")):
                digest.update(item.read_bytes())
    return f"{version('tocsin')}-{digest.hexdigest()[:10]}"


def _publish(place: Path, write: Callable[[Path], None]) -> None:
    """Write a file or folder beside its place, then move it there in one step.

    Two programs that make the same city at once do no harm: the later one's is thrown away.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        write(draft)
        try:
            draft.rename(place)
        except OSError:
            if not place.exists():
                raise
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink(missing_ok=True)
