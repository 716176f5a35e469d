"""Assets and risk points of the drains, from the rows of their nodes and links."""

from sensors.city import Row

_ASSETS = frozenset({"outfall", "underpass", "pump_station", "pump", "gate"})
_RISKS = {"underpass": (3, 4), "road": (3, 2)}
"""Kind → static likelihood and consequence, 1 to 5 (proposed): a flooded underpass kills."""
_BODY = "Drainage company"


def drainage_rows(nodes: list[Row], links: list[Row]) -> dict[str, list[Row]]:
    """Return the rows the drains add to `nodes`, `links`, `assets` and `risk_points`."""
    places = {row["id"]: row for row in nodes}
    elements = [*nodes, *({**places[row["from_node"]], **row} for row in links)]
    return {
        "nodes": nodes,
        "links": links,
        "assets": [
            {
                "id": f"{row['kind']}-{row['id']}",
                "kind": row["kind"],
                "domain": "flood",
                "area": row["area"],
                "element": row["id"],
                "x_m": row["x_m"],
                "y_m": row["y_m"],
            }
            for row in elements
            if row["kind"] in _ASSETS
        ],
        "risk_points": [_risk_point(row) for row in nodes if row["kind"] in _RISKS],
    }


def _risk_point(row: Row) -> Row:
    likelihood, consequence = _RISKS[row["kind"]]
    return {
        "id": f"R-{row['id']}",
        "element": row["id"],
        "domain": "flood",
        "area": row["area"],
        "x_m": row["x_m"],
        "y_m": row["y_m"],
        "responsible_body": _BODY,
        "custodian": f"Drainage section {row['area']}",
        "status": "in service",
        "maintenance": "inlets cleared before the rainy season and before each warning of rain",
        "team": "",
        "plan": "urban flooding",
        "likelihood": likelihood,
        "consequence": consequence,
    }
