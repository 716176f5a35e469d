"""Small gas networks for tests."""

from typing import Any

from simulator.physics.gas.model import (
    Biogas,
    GasModel,
    GasProperties,
    Hearing,
    Nodes,
    Pipes,
    Regulators,
    SoilPath,
    Spaces,
)

GAS = GasProperties(
    density_kg_nm3=0.74,
    viscosity_pa_s=1.05e-5,
    temperature_k=283.15,
    heat_ratio=1.31,
    methane_share=0.96,
    discharge=0.8,
    full_supply_kpa=1.0,
)


def spaces(*rows: dict[str, Any]) -> Spaces:
    """Return spaces; each row gives what differs from a manhole of 4 m3 and one change an hour."""
    usual: dict[str, Any] = {
        "id": "H",
        "kind": "manhole_space",
        "volume_m3": 4.0,
        "air_changes_h": 1.0,
        "wind_changes_h": 0.0,
        "node": "",
        "upstream": "",
        "is_sewer": False,
        "biogas_m3_h": 0.0,
    }
    return Spaces(**{key: [{**usual, **row}[key] for row in rows] for key in usual})


def gas_net(
    pipes: list[tuple[str, str, float, float]],
    demand: dict[str, float],
    source_kpa: float,
    *,
    roughness_mm: float = 0.05,
    regulators: list[tuple[str, str, float]] | None = None,
    beside: Spaces | None = None,
    hearing: list[tuple[str, str, float]] | None = None,
) -> GasModel:
    """Return a network with the source `S`; pipes P0, P1.. and regulators X0, X1.. in order.

    Args:
        pipes: Start, end, length in m, diameter in mm.
        demand: Node → Nm3/h, for every node but the source.
        source_kpa: Gauge pressure at the source.
        roughness_mm: Roughness of all pipes.
        regulators: Start, end, set-point in kPa.
        beside: Spaces.
        hearing: Space, pipe, distance in m.
    """
    regulators, hearing = regulators or [], hearing or []
    outlets = {end for _, end, _ in regulators}
    ids = ["S", *demand]
    kinds = ["regulator_out" if name in outlets else "junction" for name in demand]
    return GasModel(
        format=1,
        title="test",
        gas=GAS,
        soil=SoilPath(share=0.2, decay_m=5.0, lag_s_per_m=600.0, most=0.6),
        biogas=Biogas(rise_s=28_800.0, cold_factor=0.3, warmest_day=205.0),
        wind_m_s=0.0,
        hourly=[1.0] * 24,
        nodes=Nodes(
            id=ids,
            kind=["source", *kinds],
            demand_nm3_h=[0.0, *demand.values()],
            pressure_kpa=[source_kpa, *[0.0] * len(demand)],
        ),
        pipes=Pipes(
            id=[f"P{number}" for number in range(len(pipes))],
            start=[pipe[0] for pipe in pipes],
            end=[pipe[1] for pipe in pipes],
            length_m=[pipe[2] for pipe in pipes],
            diameter_mm=[pipe[3] for pipe in pipes],
            roughness_mm=[roughness_mm] * len(pipes),
            material=["PE"] * len(pipes),
            age_years=[5.0] * len(pipes),
        ),
        regulators=Regulators(
            id=[f"X{number}" for number in range(len(regulators))],
            start=[one[0] for one in regulators],
            end=[one[1] for one in regulators],
            set_kpa=[one[2] for one in regulators],
        ),
        spaces=beside or spaces(),
        hearing=Hearing(
            space=[one[0] for one in hearing],
            pipe=[one[1] for one in hearing],
            distance_m=[one[2] for one in hearing],
        ),
    )
