"""One network as part of a city: its rows in the city's tables and its model file."""

from dataclasses import dataclass, field

from sensors.city import Row


@dataclass(frozen=True)
class NetworkPart:
    """What a network adds to a city.

    Attributes:
        domain: `water`, `gas`, `flood` or `fire`; also its key in `City.networks`.
        text: The model file.
        rows: Table name → rows to add to that table (`sensors.city.SCHEMAS`).
    """

    domain: str
    text: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
