"""Simulated days a second of the water physics at 1,000 junctions."""

import time

from benchmarks.figures import Figure
from simulator.city.generate import generate_town
from simulator.physics.water.network import WaterNetwork

DAY_MS = 86_400_000


def run(step_s: int = 300, days: int = 3) -> Figure:
    """Step a generated town of 1,000 junctions with pressure-dependent demand."""
    city, _ = generate_town(7, junctions=1_000)
    network = WaterNetwork(city.networks["water"], 0, step_s=step_s)
    began = time.perf_counter()
    for end_ms in range(step_s * 1000, days * DAY_MS + 1, step_s * 1000):
        network.step(end_ms)
    seconds = time.perf_counter() - began
    detail = {"step_s": step_s, "nodes": len(network.node_ids), "links": len(network.link_ids)}
    network.close()
    return Figure(
        f"epanet_1000_junctions_{step_s}s", round(days / seconds, 2), "days/s", detail=detail
    )
