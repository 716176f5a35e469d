"""What crews bring and how domains act on each other, from `figures.yaml`."""

from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.errors import ScenarioError

FILE = "figures.yaml"


class Figures(BaseModel):
    """The figures of the file; units are in the names, sources in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: int = Field(ge=1, le=1)
    ventilation_per_h: float = Field(gt=0)
    mobile_pump_m3_h: float = Field(gt=0)
    leak_soaks_m3_h: float = Field(ge=0)
    wind_per_mm_h: float = Field(ge=0)
    wind_most_m_s: float = Field(ge=0)


@cache
def figures() -> Figures:
    """Return the figures that come with the program."""
    return parse_figures(resources.files("simulator.hazards").joinpath(FILE).read_text("utf-8"))


def parse_figures(text: str, source: str = FILE) -> Figures:
    """Validate the text of a figures file.

    Raises:
        ScenarioError: naming file, key, value and what is wrong with it.
    """
    try:
        return Figures.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not valid YAML: {error}") from error
    except ValidationError as error:
        lines = (
            f"{source}: {'.'.join(map(str, item['loc'])) or '(top)'}: {item['msg']}"
            f" (got {repr(item['input'])[:80]})"
            for item in error.errors()
        )
        raise ScenarioError("\n".join(lines)) from error
