"""A network that comes late to the state of another, to go on as its undisturbed twin."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.test_water_network import MINUTE_MS, loop, opened

LEVELS = """[CONTROLS]
 LINK PU CLOSED IF NODE TK ABOVE 4.2
 LINK PU OPEN IF NODE TK BELOW 2.5
"""


@pytest.mark.parametrize("extra", ["", LEVELS])
def test_a_late_twin_goes_on_as_one_that_was_stepped_all_along(extra: str) -> None:
    def varied(nodes: NDArray[np.int64], hour: int) -> NDArray[np.float64]:
        return 1.0 + 0.3 * np.sin(nodes + hour)

    text = loop(extra)
    with (
        opened(text, demand_factor=varied) as network,
        opened(text, demand_factor=varied) as twin,
    ):
        for minute in range(1, 26 * 60 + 8):
            network.step(minute * MINUTE_MS)
        taken = twin.take_state(network)
        assert taken.time_ms == minute * MINUTE_MS
        for later in range(minute, minute + 10 * 60, 7):
            mine, other = (item.step(later * MINUTE_MS) for item in (twin, network))
            for name in ("pressure", "water_level", "demand"):
                assert mine.node[name] == pytest.approx(other.node[name], abs=2e-4, nan_ok=True)
            assert mine.link["pump_state"] == pytest.approx(other.link["pump_state"], nan_ok=True)
