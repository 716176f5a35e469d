"""What models say is told once, taken back, and the same in any batching and after restarts."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pipeline.errors import RuleError
from pipeline.messages import Alarm, ModelFinding
from pipeline.rules import default_rules
from pipeline.rules.management import Coupling
from pipeline.stage import pack, unpack
from pipeline.warn.coupling.desk import Couplings
from pipeline.warn.coupling.memory import CouplingState
from pipeline.warn.coupling.registry import (
    Registered,
    listing,
    models_in_use,
    own_models,
    without,
    without_any,
)
from pipeline.warn.coupling.site import Site
from pipeline.warn.coupling.specs import load_specs
from sensors.city import City
from sensors.field import HotlineReport
from sensors.levels import Level
from sensors.readings import ReadingBatch
from tests.unit.coupling_town import MIN, T0, Street, permit, registry
from tests.unit.test_coupling_models import storm


def bad_day(*, restart: bool = False, shuffle: bool = False) -> list[bytes]:
    """Play rain, full drains, a standing pump, foul spaces, a strike and calls; return all said."""
    street = Street(permits=[permit("digging", 5320.0), permit("gathering", 5000.0)])
    order = random.Random(3)
    said: list[Alarm | ModelFinding] = []
    steps = {
        0: [("RG", Level.YELLOW), ("DL", Level.YELLOW)],
        4: [("M1", Level.YELLOW)],
        6: [("M2", Level.ORANGE), ("GP", Level.BLUE)],
        20: [("UP", Level.BLUE), ("WP", Level.YELLOW)],
    }
    for minute in range(30):
        for device, level in steps.get(minute, []):
            street.alarm(device, level)
        if minute == 26:
            for device in ("M1", "GP"):
                street.clear(device)
        now_ms = T0 + minute * MIN
        rows = [("PU", 0.0), ("M1", 0.05 + 0.1 * minute), ("GP", 2.5 - 0.3 * (minute > 5))]
        late = [(name, now_ms - 30_000 * k, value) for name, value in rows for k in (0, 1)]
        calls = [
            HotlineReport(f"c{minute}{k}", now_ms, now_ms, "gas_smell", "A", 5000.0 + 30 * k, 0.0)
            for k in range(2 if minute in (8, 9) else 0)
        ]
        if shuffle:
            order.shuffle(late)
            order.shuffle(calls)
        for call in calls:
            street.desk.take(call)
        numbers = [street.registry.number[name] for name, _, _ in late]
        batch = ReadingBatch.of(numbers, [at for _, at, _ in late], [v for _, _, v in late])
        alarms, street._alarms = street._alarms, []
        said += street.desk.judge(batch.by_device_and_time(), alarms, now_ms)
        if restart:
            snapshot = pack("c", 1, street.desk.state)
            due = street.desk.next_due()
            street.desk = Couplings(street.registry, street.rules, _city(street))
            street.desk.state = unpack(snapshot, "c", 1, CouplingState)
            assert pack("c", 1, street.desk.state) == snapshot
            assert street.desk.next_due() == due
    return [pack(type(one).__name__, 0, one) for one in said]


def _city(street: Street) -> City:
    return City.of_rows("s", "Street", {"permits": street.permits})


def test_restarts_and_order_within_a_tick_change_nothing() -> None:
    expected = bad_day()
    models = {model for model in _spec_ids() if any(model.encode() in one for one in expected)}
    assert {"flood.rain_level_pump", "gas.leak_neighbours", "gas.digging", "any.hotline"} <= models
    assert bad_day(restart=True) == expected
    assert bad_day(shuffle=True) == expected


def _spec_ids() -> list[str]:
    return [one.spec.id for one in own_models()]


def test_without_a_city_nothing_is_coupled_across_areas() -> None:
    for has_city, models in ((True, ["gas.leak_neighbours"]), (False, [])):
        street = Street(has_city=has_city)
        street.alarm("M1", Level.YELLOW)
        street.alarm("M2", Level.YELLOW)
        assert [one.model for one in street.ask() if isinstance(one, ModelFinding)] == models


def test_a_finding_is_told_again_only_when_it_changes() -> None:
    street = Street()
    street.alarm("M1", Level.YELLOW)
    street.alarm("M2", Level.YELLOW)
    assert len(street.ask()) == 1
    assert street.ask() == []
    street.alarm("M2", Level.ORANGE)
    [worse] = street.ask()
    assert isinstance(worse, ModelFinding)
    assert worse.level is Level.RED
    assert worse.id == street.findings("gas.leak_neighbours")[0].id


def test_reloading_rules_without_a_model_takes_back_what_it_said() -> None:
    street = storm()
    street.ask()
    street.desk.reload(without(default_rules(), "flood.rain_level_pump"))
    street.minute = 30
    [over] = street.ask()
    assert isinstance(over, Alarm)
    assert over.reason == "no_longer_holds"


def test_every_model_is_listed_with_figures_units_and_what_it_may_not_claim() -> None:
    rows = listing(default_rules())
    assert [row["id"] for row in rows] == sorted(_spec_ids())
    assert all(row["may_not_claim"] and row["inputs"] and row["is_on"] for row in rows)
    [off] = [row for row in listing(without(default_rules(), "gas.digging")) if not row["is_on"]]
    assert off["id"] == "gas.digging"
    assert models_in_use(Site.of(registry(), None), without_any(default_rules())) == ()


def test_a_model_of_another_package_is_used_with_its_figures() -> None:
    built: list[Mapping[str, float]] = []

    class Silent:
        def judge(self, view: object, now_ms: int) -> list[object]:
            return []

    def build(site: Site, figures: Mapping[str, float]) -> Silent:
        built.append(figures)
        return Silent()

    spec = replace(own_models()[0].spec, id="our.model")
    rules = replace(
        default_rules(), couplings=(Coupling("our.model", figures={"pump_reach_m": 75.0}),)
    )
    Couplings(registry(), rules, None, [Registered(spec, build)])  # type: ignore[arg-type]
    assert (built[0]["pump_reach_m"], built[0]["drain_reach_m"]) == (75.0, 200.0)


@pytest.mark.parametrize(
    ("coupling", "words"),
    [
        (Coupling("gas.sniff"), ["couplings.gas.sniff", "no such warning model", "gas.biogas"]),
        (Coupling("any.crowd", figures={"reach": 1.0}), ["any.crowd.figures.reach = 1", "reach_m"]),
        (Coupling("any.crowd", figures={"reach_m": -1.0}), ["crowd.figures.reach_m = -1", "in m"]),
        (Coupling("our.onnx", file="m.onnx"), ["our.onnx.file = 'm.onnx'", "onnx_model"]),
    ],
    ids=["unknown", "unknown figure", "negative", "file not loaded"],
)
def test_a_wrong_coupling_names_key_value_and_fix(coupling: Coupling, words: list[str]) -> None:
    rules = replace(default_rules(), couplings=(coupling,))
    with pytest.raises(RuleError) as error:
        models_in_use(Site.of(registry(), None), rules)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ('"effect": "shout"', "effect = 'shout': give one of raise"),
        ('"may_not_claim": ""', "may_not_claim is empty"),
        ('"linger": "for_ever"', "linger = 'for_ever'"),
        ('"figures": {"a_m": {"value": 1, "unit": "m", "basis": "felt"}}', "a_m.basis = 'felt'"),
        ('"figures": {"a_m": {"value": -1, "unit": "m", "basis": "proposed"}}', "value = -1"),
    ],
)
def test_a_wrong_spec_names_key_value_and_fix(changed: str, words: str) -> None:
    fields = {
        '"effect"': '"effect": "raise"',
        '"linger"': '"linger": ""',
        '"may_not_claim"': '"may_not_claim": "much"',
        '"figures"': '"figures": {}',
    }
    fields[changed.split(":")[0]] = changed
    text = (
        '{"version": "1", "note": "", "models": [{"id": "a.b", "version": "1", "title": "t", '
        '"domain": "a", "inputs": [], "outputs": [], ' + ", ".join(fields.values()) + "}]}"
    )
    with pytest.raises(RuleError, match=r"models\.a\.b") as error:
        load_specs(text, "x.json")
    assert words in str(error.value)
