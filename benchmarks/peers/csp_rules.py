"""The three rules in csp, in a venv of its own: `python csp_rules.py FILE.npz` prints JSON.

csp runs whole vectors of devices through one edge, its fastest way for many series.
"""

import json
import sys
import time
from datetime import datetime, timedelta

import csp
import numpy as np
from csp import stats
from csp.typing import NumpyNDArray


@csp.node  # noqa: RET503
def count(x: csp.ts[NumpyNDArray[float]], limit: float, is_low: bool) -> csp.ts[int]:
    with csp.state():
        s_found = 0
    if csp.ticked(x):
        s_found += int(np.count_nonzero(x < limit if is_low else x > limit))
        return s_found


@csp.graph
def rules(pressure: object, rain: object, figures: object):
    low = csp.curve(typ=NumpyNDArray[float], data=pressure)
    counter = csp.curve(typ=NumpyNDArray[float], data=rain)
    highest = stats.max(low, figures["low_of"], figures["low_of"])
    hour = counter - csp.delay(counter, timedelta(seconds=figures["rain_s"]))
    mean = stats.mean(low, timedelta(seconds=figures["mean_s"]))
    csp.add_graph_output("low", count(highest, figures["low"], True), tick_count=1)
    csp.add_graph_output("rain", count(hour, figures["rain"], False), tick_count=1)
    csp.add_graph_output("mean", count(mean, figures["mean"], True), tick_count=1)


def main() -> None:
    data = np.load(sys.argv[1])
    figures = json.loads(sys.argv[2])
    start = datetime(1970, 1, 1) + timedelta(seconds=figures["start_s"])  # noqa: DTZ001
    times = [start + timedelta(seconds=figures["step_s"] * n) for n in range(len(data["pressure"]))]
    pressure = list(zip(times, data["pressure"], strict=True))
    rain = list(zip(times, data["rain"], strict=True))
    began = time.perf_counter()
    found = csp.run(rules, pressure, rain, figures, starttime=times[0], endtime=times[-1])
    wall_s = time.perf_counter() - began
    counts = {name: int(values[-1][1]) if values else 0 for name, values in found.items()}
    print(json.dumps({"wall_s": wall_s, "found": counts}))


if __name__ == "__main__":
    main()
