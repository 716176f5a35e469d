"""Factors that turn the units of real devices into ours, read from `units.yaml`."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.importing.errors import MappingError
from sensors.quantities import QUANTITIES

FILE = "units.yaml"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    format: int = Field(ge=1, le=1)
    quantities: dict[str, dict[str, float]]


@cache
def units() -> Mapping[str, Mapping[str, float]]:
    """Return quantity → unit → factor to the quantity's own unit.

    Raises:
        MappingError: the file is wrong.
    """
    text = resources.files("api.importing").joinpath(FILE).read_text("utf-8")
    try:
        table = _File.model_validate(yaml.safe_load(text)).quantities
    except (ValidationError, yaml.YAMLError) as error:
        raise MappingError(f"{FILE}: {error}") from error
    for name, quantity in QUANTITIES.items():
        if table.get(name, {}).get(quantity.unit) != 1.0:
            raise MappingError(f"{FILE}: quantities.{name}.{quantity.unit}: must be 1.0; add it")
    return table


def factor(quantity: str, unit: str | None, where: str) -> float:
    """Return the factor from a unit to the own unit of a quantity; None is the own unit.

    Raises:
        MappingError: the quantity is not measured in such a unit; `where` begins the message.
    """
    known = units()[quantity]
    if unit is None:
        return 1.0
    if unit in known:
        return known[unit]
    folded = {name.lower(): size for name, size in known.items()}
    if unit.lower() in folded and len(folded) == len(known):
        return folded[unit.lower()]
    raise MappingError(
        f"{where}: unit: {unit!r} is no unit of {quantity}; use one of {', '.join(known)}, or "
        "give `scale`"
    )
