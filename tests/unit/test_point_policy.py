"""The file of limits for points: every mistake is named with file, key, value and fix."""

import json
import re
from importlib import resources
from typing import Any

import pytest

from pipeline.assess.layout import Layout
from pipeline.assess.point_policy import default_point_policy, load_point_policy
from pipeline.assess.policy import AssessPolicy
from pipeline.errors import RuleError
from tests.unit.point_town import registry, town


def changed(*path: str, to: Any) -> str:
    file = json.loads((resources.files("pipeline.assess") / "points.json").read_text("utf-8"))
    place = file
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(file)


def test_default_limits_are_those_of_the_domain_reference() -> None:
    limits = default_point_policy().limits
    assert (limits.closure_underpass_cm, limits.closure_road_cm) == (25.0, 30.0)
    assert (limits.gas_join_m, limits.gas_join_min) == (150.0, 60.0)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("limits", "gas_join_m", "value"), -1, r"gas_join_m.value = -1: must be above 0"),
        (("limits", "gas_join_m", "unit"), "km", r"gas_join_m.unit = 'km': must be 'm'"),
        (("limits", "silent_min", "unit"), "s", r"silent_min.unit = 's': must be 'min'"),
        (("limits", "gas_join_m", "basis"), "guess", r"gas_join_m.basis = 'guess'"),
        (("limits", "new_m"), {"value": 1, "unit": "m", "basis": "proposed"}, "new_m"),
        (("limits",), {}, "gas_join_m"),
        (("confidence", "storm"), 1.5, r"confidence.storm = 1.5"),
    ],
)
def test_mistake_is_named(path: tuple[str, ...], value: object, named: str) -> None:
    with pytest.raises(RuleError, match=r"^mine\.json: ") as error:
        load_point_policy(changed(*path, to=value), "mine.json")
    assert re.search(named, str(error.value))


def test_devices_of_other_domains_are_no_part_of_the_water_mains() -> None:
    layout = Layout.of(registry(), town(), AssessPolicy())
    assert len(layout.pressure) == len(layout.pumps) == len(layout.measuring) == 0
    assert layout.links == {}
