"""Methane in spaces: closed forms, conserved amounts, lag, wind, tunnels and sewer gas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.physics.gas.laws import NORMAL_K
from simulator.physics.gas.model import GasModel
from simulator.physics.gas.spaces import Spaces
from tests.unit.gas_nets import GAS, gas_net, spaces

WARM = GAS.temperature_k / NORMAL_K
SUMMER, WINTER = 205.0, 22.0


def net(*rows: dict[str, object], hearing: list[tuple[str, str, float]] | None = None) -> GasModel:
    return gas_net([("S", "A", 100.0, 110.0)], {"A": 1.0}, 2.5, beside=spaces(*rows),
                   hearing=hearing)  # fmt: skip


def leaked(
    air: Spaces, seconds: float, leak: float, well: float = 0.0, day: float = SUMMER
) -> None:
    air.step(seconds, np.array([leak]), np.full(len(air.share), well), day)


def test_a_space_settles_where_gas_in_and_air_out_balance() -> None:
    air = Spaces(net({"volume_m3": 5.0, "air_changes_h": 0.8}))
    for _ in range(100):
        leaked(air, 3600, 0.0, well=0.3)
    gas = 0.3 * WARM
    assert air.share[0] == pytest.approx(0.96 * gas / (gas + 0.8 * 5.0))


def test_one_long_step_is_many_short_ones() -> None:
    once, often = Spaces(net({})), Spaces(net({}))
    leaked(once, 3600, 0.0, well=0.5)
    for _ in range(240):
        leaked(often, 15, 0.0, well=0.5)
    np.testing.assert_allclose(once.share, often.share, rtol=1e-9)


def test_methane_decays_with_the_air_changes() -> None:
    air = Spaces(net({"air_changes_h": 0.7, "wind_changes_h": 0.1}))
    leaked(air, 7200, 0.0, well=1.0)
    high, air.wind_m_s, air.extra_changes_h[0] = air.share[0], 3.0, 6.0
    leaked(air, 900, 0.0)
    assert air.share[0] == pytest.approx(high * math.exp(-(0.7 + 0.3 + 6.0) / 4))


@given(st.lists(st.tuples(st.floats(1, 7200), st.floats(0, 20), st.floats(0, 5)), max_size=20))
def test_methane_is_neither_made_nor_lost(steps: list[tuple[float, float, float]]) -> None:
    tunnel = [{"id": f"U{n}", "kind": "tunnel", "upstream": f"U{n - 1}" if n else ""}
              for n in range(3)]  # fmt: skip
    hearing = [("H", "P0", 3.0), ("U1", "P0", 1.0)]
    model = net({"id": "H", "biogas_m3_h": 0.01, "is_sewer": True}, *tunnel, hearing=hearing)
    air = Spaces(model)
    given_off = 0.0
    for seconds, leak, well in steps:
        leaked(air, seconds, leak, well)
        given_off += leak * seconds / 3600 * air.soil.share.sum()
        given_off += 4 * well * seconds / 3600
    assert air.entered_m3 == pytest.approx(air.left_m3 + air.methane_m3, abs=1e-9)
    from_pipes = (given_off - air.soil.held_nm3) * WARM * GAS.methane_share
    sewage = air.entered_m3 - from_pipes
    assert -1e-9 <= sewage <= sum(s for s, _, _ in steps) / 3600 * 0.0101 + 1e-9
    assert ((air.share >= 0) & (air.share <= 1)).all()


def test_gas_comes_later_and_weaker_from_farther_away() -> None:
    near_far = [{"id": "N"}, {"id": "F"}, {"id": "Z"}]
    air = Spaces(net(*near_far, hearing=[("N", "P0", 1.0), ("F", "P0", 6.0)]))
    seen: dict[int, int] = {}
    for minute in range(1, 1000):
        leaked(air, 60, 5.0)
        for place in np.flatnonzero(air.share > 0.01).tolist():
            seen.setdefault(place, minute)
    assert 0 < seen[0] < seen[1]
    assert air.share[0] > air.share[1] > air.share[2] == 0


def test_all_spaces_together_never_get_more_than_the_leak() -> None:
    many = [{"id": f"H{n}"} for n in range(20)]
    air = Spaces(net(*many, hearing=[(f"H{n}", "P0", 0.5) for n in range(20)]))
    assert air.soil.share.sum() == pytest.approx(0.6)


def test_a_pipe_in_a_tunnel_leaks_into_it_and_downstream_only() -> None:
    rows = [{"id": f"U{n}", "kind": "tunnel", "upstream": f"U{n - 1}" if n else "",
             "volume_m3": 500.0, "air_changes_h": 10.0} for n in range(4)]  # fmt: skip
    air = Spaces(net(*rows, hearing=[("U1", "P0", 0.0)]))
    leaked(air, 60, 40.0)
    assert air.share[1] > air.share[2] > air.share[3] > air.share[0] == 0
    for _ in range(600):
        leaked(air, 60, 40.0)
    steady = 0.96 * 40 * WARM / (40 * WARM + 5000)
    np.testing.assert_allclose(air.share, [0, steady, steady, steady], rtol=1e-6)


def test_fans_in_one_section_air_the_whole_tunnel() -> None:
    rows = [{"id": f"U{n}", "kind": "tunnel", "upstream": f"U{n - 1}" if n else ""}
            for n in range(2)]  # fmt: skip
    air = Spaces(net(*rows, hearing=[("U0", "P0", 0.0)]))
    leaked(air, 36_000, 1.0)
    before = air.share.copy()
    air.extra_changes_h[1] = 10.0
    leaked(air, 36_000, 1.0)
    assert (air.share < before / 3).all()


def test_sewer_gas_rises_over_hours_and_needs_warmth() -> None:
    model = net({"is_sewer": True})
    warm, cold = Spaces(model), Spaces(model)
    for air, day in ((warm, SUMMER), (cold, WINTER)):
        air.biogas_m3_h[0] = 0.1
        after = []
        for _ in range(48):
            leaked(air, 3600, 0.0, day=day)
            after.append(air.share[0])
        assert after[5] < 0.6 * after[-1]
        assert after == sorted(after)
    assert cold.share[0] == pytest.approx(0.3 * warm.share[0], rel=0.05)


def test_a_settled_space_stays_as_it_is() -> None:
    air = Spaces(net({"biogas_m3_h": 0.002, "is_sewer": True}))
    air.settle(SUMMER)
    before = air.share.copy()
    leaked(air, 3600, 0.0)
    np.testing.assert_allclose(air.share, before, rtol=1e-9)
    assert before[0] == pytest.approx(0.002 / (0.002 + 4.0))
