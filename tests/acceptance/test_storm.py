"""Acceptance 1: in a storm each city closes its roads at its own depth, whatever the colour."""

from pathlib import Path

import numpy as np
import pytest

from api.library import find_scenario
from api.plan import plan_run
from api.replaying.source import Recording, replay_detection
from api.session import RunSession
from pipeline.messages import Incident
from pipeline.rules import rules_named
from sensors.levels import Level

pytestmark = [pytest.mark.system, pytest.mark.slow]

SHORT = Path(__file__).parent.parent / "data" / "short-underpass.yaml"
CLOSED = "closure_depth_reached"
DEPTHS_CM = {"shanghai": 25, "beijing": 27, "handan": 30}


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Return a recorded cloudburst over an underpass whose pumps stand."""
    file, out = find_scenario(str(SHORT)), tmp_path_factory.mktemp("storm") / "run"
    burst = file.scenario.storms[0].model_copy(update={"total_mm": 100.0})
    scenario = file.scenario.model_copy(update={"storms": (burst,), "duration": 2 * 3600 + 1800})
    with RunSession(plan_run(scenario, file.path), out) as session:
        while not session.is_over:
            session.step()
        session.finish()
    return Recording.open(out)


def closures(storm: Recording, city: str) -> dict[str, Incident]:
    """Return element → the version of its incident that closed it, with the rules of a city."""
    found: dict[str, Incident] = {}
    for one in replay_detection(storm, rules_named(city)).of(Incident):
        if CLOSED in one.adjustments:
            found.setdefault(one.location.candidates[0], one)
    return found


def deepest_cm(storm: Recording, one: Incident, until_ms: int) -> float:
    """Return the deepest water that the incident's own devices had measured up to a moment."""
    registry = storm.plan.registry
    is_depth = np.array(registry.texts("quantity")) == "ponding_depth"
    devices = [n for n in map(registry.number.__getitem__, one.devices) if is_depth[n]]
    batch = storm.reader.readings(devices=devices, from_ms=storm.start_ms, to_ms=until_ms)
    return float(max(batch.value, default=0.0))


def test_each_city_closes_at_its_own_depth_whatever_the_colour(storm: Recording) -> None:
    by_city = {city: closures(storm, city) for city in DEPTHS_CM}
    for city, depth_cm in DEPTHS_CM.items():
        assert rules_named(city).closure.underpass_cm == depth_cm
        assert by_city[city], f"nothing was closed by the rules of {city}"
        for element, one in by_city[city].items():
            before_ms = one.time_ms - 2 * storm.tick_ms
            told = city, element, deepest_cm(storm, one, one.time_ms)
            assert told[2] >= depth_cm, told
            assert deepest_cm(storm, one, before_ms) < depth_cm, told
    shared = set.intersection(*(set(found) for found in by_city.values()))
    assert shared
    for element in shared:
        times = [by_city[city][element].time_ms for city in ("shanghai", "beijing", "handan")]
        assert times == sorted(times)
    levels = {one.level for found in by_city.values() for one in found.values()}
    assert levels - {Level.RED}, "a closure needs no red"
