"""Makes tests/data/gas_oracle.json: pressures of small gas nets as pandapipes 0.16 sees them.

Not run by the tests. In an environment of its own:

    pip install pandapipes==0.16.0
    python tests/oracles/pandapipes_gas.py > tests/data/gas_oracle.json

The gas has constant density, viscosity and compressibility 1, so that only the laws of flow are
compared. Friction: Colebrook. Flows are Nm3/h, pressures kPa gauge, lengths m, the rest mm.
"""

import json
import random
import sys
import warnings

import pandapipes as pp
from pandapipes.properties.fluids import (
    Fluid,
    FluidPropertyConstant,
)

DENSITY, VISCOSITY, KELVIN, AIR_KPA = 0.74, 1.05e-5, 283.15, 101.325


def fluid():
    gas = Fluid("gas", "gas")
    # Density as pandapipes uses it: at normal conditions.
    gas.add_property("density", FluidPropertyConstant(DENSITY))
    gas.add_property("viscosity", FluidPropertyConstant(VISCOSITY))
    gas.add_property("heat_capacity", FluidPropertyConstant(2200.0))
    gas.add_property("compressibility", FluidPropertyConstant(1.0))
    gas.add_property("der_compressibility", FluidPropertyConstant(0.0))
    gas.add_property("molar_mass", FluidPropertyConstant(16.6))
    return gas


def solve(case):
    net = pp.create_empty_network(fluid=fluid())
    source_bar = case["source_kpa"] / 100
    at = {
        name: pp.create_junction(net, pn_bar=source_bar, tfluid_k=KELVIN)
        for name in ["S", *case["demand_nm3_h"]]
    }
    pp.create_ext_grid(net, at["S"], p_bar=source_bar, t_k=KELVIN)
    for start, end, length_m, diameter_mm in case["pipes"]:
        pp.create_pipe_from_parameters(
            net,
            at[start],
            at[end],
            length_km=length_m / 1000,
            inner_diameter_mm=diameter_mm,
            k_mm=case["roughness_mm"],
        )
    for name, nm3_h in case["demand_nm3_h"].items():
        if nm3_h:
            pp.create_sink(net, at[name], mdot_kg_per_s=nm3_h * DENSITY / 3600)
    pp.pipeflow(net, friction_model="colebrook", max_iter_hyd=200, max_iter_colebrook=200)
    bar = net.res_junction.p_bar
    return {name: round(float(bar[place]) * 100, 6) for name, place in at.items()}


def mesh(columns, rows, seed):
    draw = random.Random(seed)
    names = {(x, y): f"N{x}{y}" for x in range(columns) for y in range(rows)}
    pipes = [["S", "N00", 30.0, 250.0]]
    for (x, y), name in names.items():
        for other in ((x + 1, y), (x, y + 1)):
            if other in names and (y == 0 or x == 0 or draw.random() < 0.75 or other[0] == x):
                size = draw.choice([110.0, 160.0, 200.0])
                pipes.append([name, names[other], round(draw.uniform(90, 200), 1), size])
    return pipes, {name: round(draw.uniform(1.0, 7.0), 2) for name in names.values()}


def cases():
    yield "single pipe, low pressure", 2.65, 0.1, [["S", "A", 300.0, 110.0]], {"A": 60.0}
    yield "single pipe, medium pressure", 200.0, 0.1, [["S", "A", 3000.0, 160.0]], {"A": 3000.0}
    loop = [
        ["S", "A", 800.0, 200.0],
        ["A", "B", 600.0, 160.0],
        ["B", "C", 900.0, 110.0],
        ["C", "A", 700.0, 160.0],
    ]
    yield "loop, medium pressure", 150.0, 0.05, loop, {"A": 0.0, "B": 900.0, "C": 1200.0}
    yield "mesh, low pressure", 2.65, 0.01, *mesh(7, 7, 4)


def main():
    warnings.simplefilter("ignore")
    table = {
        "made_by": f"tests/oracles/pandapipes_gas.py, pandapipes {pp.__version__}",
        "gas": {"density_kg_nm3": DENSITY, "viscosity_pa_s": VISCOSITY, "temperature_k": KELVIN},
        "cases": [],
    }
    for name, source_kpa, roughness_mm, pipes, demand in cases():
        case = {
            "name": name,
            "source_kpa": source_kpa,
            "roughness_mm": roughness_mm,
            "pipes": pipes,
            "demand_nm3_h": demand,
        }
        case["pressure_kpa"] = solve(case)
        table["cases"].append(case)
    json.dump(table, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
