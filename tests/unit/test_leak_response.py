"""The first-order answer of a network to a leak, against closed forms of a line of pipes."""

import numpy as np
import pytest

from api.leak_response import LeakResponse, Solution

LEAK_M3_H = 10.0
FLOW_M3_H = 100.0


def line(*, has_valve: bool) -> Solution:
    """Return reservoir - pipe - node - pipe or regulating valve - node - pipe - node."""
    head_m = np.array([60.0, 50.0, 30.0 if has_valve else 40.0, 25.0])
    return Solution(
        from_node=np.array([0, 1, 2]),
        to_node=np.array([1, 2, 3]),
        is_pump=np.zeros(3, np.bool_),
        is_prv=np.array([False, has_valve, False]),
        is_open=np.ones(3, np.bool_),
        is_fixed=np.array([True, False, False, False]),
        head_m=head_m,
        pressure_m=np.full(4, 30.0),
        flow_m3_h=np.full(3, FLOW_M3_H),
    )


def test_line_of_pipes_loses_head_in_proportion_to_what_passes() -> None:
    answer = LeakResponse(line(has_valve=False), LEAK_M3_H)
    head_m, flow = answer.changes(np.array([2]), np.arange(4), np.arange(3))
    first = 1.852 * 10.0 / FLOW_M3_H * LEAK_M3_H  # dh = 1.852 h dq / q
    third = 1.852 * 15.0 / FLOW_M3_H * LEAK_M3_H / 2  # half leaves before the last pipe
    assert head_m[0] == pytest.approx([0.0, -first, -2 * first, -2 * first - third], rel=1e-4)
    assert flow[0] == pytest.approx([10.0, 10.0, 5.0], rel=1e-4)


def test_regulating_valve_keeps_the_head_behind_it_and_passes_the_leak() -> None:
    answer = LeakResponse(line(has_valve=True), LEAK_M3_H)
    head_m, flow = answer.changes(np.array([2]), np.arange(4), np.arange(3))
    assert head_m[0, 1] == pytest.approx(-1.852, rel=1e-4)
    assert head_m[0, 2] == pytest.approx(0.0, abs=1e-9)
    assert flow[0] == pytest.approx([10.0, 10.0, 5.0], rel=1e-4)
