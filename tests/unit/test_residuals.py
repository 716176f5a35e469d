"""Residual scores: a drop is told from what the platform's own model gets wrong anyway."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pipeline.messages import Alarm, AlarmState, DeviceHealth, HealthKind, Message, Samples
from pipeline.ports import Conditions
from pipeline.warn.residuals import REGIMES, ResidualLimits, Residuals
from pipeline.warn.stage import WarnStage
from sensors.readings import Floats, ReadingBatch
from sensors.registry import Device, Registry
from tests.conformance.pressure_devices import START_MS, pressure_device
from tests.conformance.stage_properties import Script, same_after_restart, same_in_any_batching
from tests.unit.warn_stories import RULES, feed, with_rule

STEP_MS = 300_000
LIMITS = ResidualLimits()
ACCURACY = 0.002
FLOOR = LIMITS.floor_sigmas * ACCURACY
RULE = "water.pressure_z"
ONLY_RESIDUALS = with_rule(RULE)
SETTLE_STEPS = LIMITS.settle_ms // STEP_MS + 1
NORMAL = SETTLE_STEPS + LIMITS.warm_up
"""Samples at 300 s after which a device is scored for the first time."""


def town(pressures: int = 1, pumps: int = 1) -> Registry:
    """Pressure devices, then one state a pump, then the level of a tank."""
    devices: list[Device] = [pressure_device(number) for number in range(pressures)]
    for number in range(pumps):
        kind: dict[str, Any] = {"kind": "pump_state", "quantity": "pump_state", "range_high": 1.0}
        devices.append(pressure_device(100 + number, element=f"PU{number}", **kind))
    level: dict[str, Any] = {"kind": "tank_level", "quantity": "water_level", "range_high": 9.0}
    devices.append(pressure_device(200, element="TK", **level))
    return Registry.of(devices)


@dataclass
class HandModel:
    """Expects a daily wave, 0.05 MPa more a running pump, and 0.01 MPa more a metre in the tank."""

    registry: Registry
    asked: list[tuple[int, Conditions]] = field(default_factory=list)

    def expect(self, at_ms: int, conditions: Conditions) -> Floats:
        self.asked.append((at_ms, conditions))
        day = 0.03 * np.sin(2 * np.pi * at_ms / 86_400_000)
        shift = 0.05 * sum(conditions.pump_on.values())
        shift += 0.01 * sum(conditions.tank_level_m.values())
        is_pressure = np.array(self.registry.texts("quantity")) == "pressure"
        return np.where(is_pressure, 0.3 + day + shift, np.nan)


@dataclass
class Town:
    """Residuals over a town that the test says the values of."""

    pressures: int = 1
    pumps: int = 1
    now_ms: int = START_MS - STEP_MS

    def __post_init__(self) -> None:
        self.registry = town(self.pressures, self.pumps)
        self.model = HandModel(self.registry)
        self.residuals = Residuals(self.registry, self.model)
        self.on = [1.0] * self.pumps
        self.level_m = 2.0

    def true(self) -> float:
        """What the model will expect now."""
        pumps = {str(number): value >= 0.5 for number, value in enumerate(self.on)}
        expected = self.model.expect(self.now_ms, Conditions(pumps, {"TK": self.level_m}))
        self.model.asked.pop()
        return float(expected[0])

    def step(self, off: float | Sequence[float] = 0.0, *, age_ms: int = 0) -> Floats:
        """Let 300 s pass; return the scores of pressures that are `off` from the model."""
        self.now_ms += STEP_MS
        values = np.concatenate(
            [self.true() + np.broadcast_to(off, self.pressures), self.on, [self.level_m]]
        )
        count = len(self.registry)
        batch = ReadingBatch.of(np.arange(count), np.full(count, self.now_ms - age_ms), values)
        self.residuals.observe(batch, self.now_ms)
        scores = self.residuals.score(np.arange(count), batch.time_ms, batch.value)
        assert np.isnan(scores[self.pressures :]).all(), "pumps and tanks have no score"
        return scores[: self.pressures]

    def settle(self, off: float = 0.0) -> None:
        for _ in range(NORMAL):
            assert np.isnan(self.step(off)).all(), "scored before it knew the device"


def test_nothing_is_scored_while_warming_up() -> None:
    here = Town()
    here.settle()
    assert here.step() == pytest.approx(0.0)


@pytest.mark.parametrize("bias", [0.0, -0.04, 0.11])
def test_what_the_model_always_gets_wrong_is_learned_and_scores_nothing(bias: float) -> None:
    here = Town()
    here.settle(bias)
    assert here.step(bias) == pytest.approx(0.0, abs=1e-6)
    assert here.step(bias - 5 * FLOOR) == pytest.approx(5.0, abs=1e-6)


def test_a_score_is_positive_when_the_value_is_too_low() -> None:
    here = Town(pressures=2)
    here.settle()
    low, high = here.step([-4 * FLOOR, 4 * FLOOR])
    assert (low, high) == (pytest.approx(4.0), pytest.approx(-4.0))


def test_a_noisy_device_is_scored_by_its_own_spread() -> None:
    here = Town()
    noise = np.random.Generator(np.random.Philox(1)).normal(0, 10 * ACCURACY, 400)
    scores = [float(here.step(one)[0]) for one in noise]
    known = np.array(scores[100:])
    assert 0.8 < known.std() < 1.3
    assert here.step(-50 * ACCURACY)[0] == pytest.approx(5.0, rel=0.4)


def test_after_a_pump_switched_nothing_is_scored_until_the_network_has_settled() -> None:
    here = Town()
    here.settle()
    here.step()
    here.on = [0.0]
    assert [bool(np.isnan(here.step()[0])) for _ in range(SETTLE_STEPS)] == [True] * SETTLE_STEPS


def test_each_pump_pattern_has_a_bias_of_its_own() -> None:
    here = Town()
    biases = {1.0: 0.02, 0.0: -0.03}
    for state in (1.0, 0.0, 1.0, 0.0):
        here.on = [state]
        scores = [float(here.step(biases[state])[0]) for _ in range(NORMAL + 4)]
        assert np.allclose(scores[NORMAL:], 0.0, atol=1e-6)
    assert here.residuals.state.regimes == ["PU0", ""]
    here.step(biases[0.0])
    assert float(here.step(biases[1.0])[0]) == pytest.approx(-0.05 / FLOOR, rel=1e-3)


def test_more_pump_patterns_than_there_is_room_for_share_the_last_place() -> None:
    here = Town(pumps=4)
    for pattern in range(REGIMES + 3):
        here.on = [float(pattern >> bit & 1) for bit in range(4)]
        here.step()
    assert len(here.residuals.state.regimes) == REGIMES
    assert here.residuals.state.regime == REGIMES - 1


def test_the_model_is_asked_when_pumps_switch_and_every_so_often() -> None:
    here = Town()
    for _ in range(4):
        here.step()
    assert [at_ms - START_MS for at_ms, _ in here.model.asked] == [
        0,
        STEP_MS,
        2 * STEP_MS,
        3 * STEP_MS,
    ]
    asked = len(here.model.asked)
    here.now_ms += 60_000 - STEP_MS
    here.step()
    assert len(here.model.asked) == asked
    here.on, here.level_m = [0.0], 3.5
    here.now_ms += 60_000 - STEP_MS
    here.step()
    assert here.model.asked[asked:] == [(here.now_ms, Conditions({"PU0": False}, {"TK": 3.5}))]


def test_a_value_that_is_no_number_gets_no_score_and_teaches_nothing() -> None:
    here = Town()
    here.settle()
    assert np.isnan(here.step(float("nan"))).all()
    assert here.step(-3 * FLOOR) == pytest.approx(3.0)


def test_samples_of_other_hours_are_not_scored_and_teach_nothing() -> None:
    here = Town()
    here.settle()
    before = here.residuals.state.count.copy()
    assert np.isnan(here.step(-0.2, age_ms=LIMITS.reach_ms + 1)).all()
    assert (here.residuals.state.count == before).all()


def test_one_wild_sample_moves_the_bias_by_a_clipped_share_only() -> None:
    here = Town()
    for _ in range(NORMAL + 100):
        here.step()
    here.step(-100 * FLOOR)
    assert 0 < here.step()[0] * -1 < 0.1 * LIMITS.clip_sigmas


# As a rule of the warn stage.


def stage_of(registry: Registry) -> WarnStage:
    return WarnStage(registry, ONLY_RESIDUALS, model=HandModel(registry))


def tell(stage: WarnStage, registry: Registry, tick: int, values: Floats) -> list[Message]:
    now_ms = START_MS + tick * STEP_MS
    count = len(registry)
    batch = ReadingBatch.of(np.arange(count), np.full(count, now_ms), values)
    return feed(stage, Samples(batch, now_ms), now_ms=now_ms)


def values_of(registry: Registry, tick: int, noise: Floats, pump: float = 1.0) -> Floats:
    model, pressures = HandModel(registry), len(noise)
    on = {"PU0": pump >= 0.5}
    expected = model.expect(START_MS + tick * STEP_MS, Conditions(on, {"TK": 2.0}))
    return np.concatenate([expected[:pressures] + noise, [pump, 2.0]])


def raised(said: Sequence[Message]) -> list[Alarm]:
    return [one for one in said if isinstance(one, Alarm) and one.state is AlarmState.RAISED]


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_three_days_of_noise_raise_no_more_alarms_than_two_of_three_predicts(scale: float) -> None:
    """P(two of three beyond 3 sigma) is about 3 p² with p = 0.00135.

    For 50 devices and 864 samples 0.24 are expected; four or more come once in 10,000 times.
    """
    devices, samples = 50, 3 * 288
    expected = 3 * 0.00135**2 * devices * samples
    assert expected < 0.25
    registry = town(devices)
    stage = stage_of(registry)
    chance = np.random.Generator(np.random.Philox(5))
    alarms: list[Alarm] = []
    for tick in range(samples):
        noise = chance.normal(0, scale * ACCURACY, devices)
        alarms += raised(tell(stage, registry, tick, values_of(registry, tick, noise)))
    assert len(alarms) <= 3


@pytest.mark.parametrize("seed", range(5))
def test_a_step_of_five_sigma_alarms_within_three_samples(seed: int) -> None:
    registry = town(3)
    stage = stage_of(registry)
    chance = np.random.Generator(np.random.Philox(seed))
    for tick in range(100):
        noise = chance.normal(0, ACCURACY, 3)
        assert not raised(tell(stage, registry, tick, values_of(registry, tick, noise)))
    alarms: list[Alarm] = []
    for tick in range(100, 103):
        noise = chance.normal(0, ACCURACY, 3) - np.array([0.0, 5 * FLOOR, 0.0])
        alarms += raised(tell(stage, registry, tick, values_of(registry, tick, noise)))
    assert [alarm.device for alarm in alarms] == [registry.ids[1]]
    assert (alarms[0].rule, alarms[0].unit) == (RULE, "sigma")
    assert alarms[0].value >= alarms[0].limit >= 3.0


def test_statistical_evidence_alone_stops_at_yellow() -> None:
    registry = town(1)
    stage = stage_of(registry)
    said: list[Message] = []
    for tick in range(60):
        noise = np.array([-40 * FLOOR if tick >= 50 else 0.0])
        said += tell(stage, registry, tick, values_of(registry, tick, noise))
    assert {alarm.level.name for alarm in raised(said)} == {"YELLOW"}


@pytest.mark.parametrize("kind", [HealthKind.STUCK, HealthKind.OFFLINE])
def test_a_frozen_device_is_neither_judged_nor_learned_from(kind: HealthKind) -> None:
    registry = town(1)
    stage = stage_of(registry)
    for tick in range(40):
        tell(stage, registry, tick, values_of(registry, tick, np.zeros(1)))
    now_ms = START_MS + 40 * STEP_MS
    health = DeviceHealth(registry.ids[0], "D01", kind, True, now_ms, kind.value)
    feed(stage, health, now_ms=now_ms)
    for tick in range(41, 60):
        assert not tell(stage, registry, tick, values_of(registry, tick, np.array([-0.2])))
    good = DeviceHealth(registry.ids[0], "D01", kind, False, now_ms, "good")
    feed(stage, good, now_ms=START_MS + 60 * STEP_MS)
    for tick in range(61, 70):
        assert not tell(stage, registry, tick, values_of(registry, tick, np.zeros(1)))


def test_a_pump_switch_that_the_model_follows_raises_nothing() -> None:
    registry = town(5)
    stage = stage_of(registry)
    chance = np.random.Generator(np.random.Philox(3))
    for tick in range(288):
        noise = chance.normal(0, ACCURACY, 5)
        pump = float(tick % 48 < 30)
        assert not raised(tell(stage, registry, tick, values_of(registry, tick, noise, pump)))


def bad_day() -> Script:
    registry = town(4)
    chance = np.random.Generator(np.random.Philox(9))
    script: list[tuple[int, list[Message]]] = []
    for tick in range(60):
        now_ms = START_MS + tick * STEP_MS
        noise = chance.normal(0, ACCURACY, 4) - np.array([0.05, 0, 0.01, 0]) * (tick > 40)
        values = values_of(registry, tick, noise, float(tick < 50))
        messages: list[Message] = []
        for part in np.array_split(np.arange(len(registry)), 3):
            batch = ReadingBatch.of(part, np.full(len(part), now_ms), values[part])
            messages.append(Samples(batch, now_ms))
        script.append((now_ms, messages))
    return script


def test_the_stage_with_a_model_does_not_care_about_batching_and_restarts() -> None:
    registry = town(4)
    script = bad_day()
    expected = same_in_any_batching(
        lambda: WarnStage(registry, RULES, model=HandModel(registry)), script, sizes=(1, 2)
    )
    assert any(alarm.rule == RULE for tick in expected for alarm in raised(tick))
    same_after_restart(lambda: WarnStage(registry, RULES, model=HandModel(registry)), script)
