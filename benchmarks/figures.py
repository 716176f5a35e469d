"""One figure a benchmark reports."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A measured value, against its target where there is one."""

    name: str
    value: float
    unit: str
    target: float | None = None
    is_more_better: bool = True
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def is_reached(self) -> bool:
        """Whether the value is on the right side of its target."""
        if self.target is None:
            return True
        reached = self.value >= self.target
        return reached if self.is_more_better else self.value <= self.target

    def as_dict(self) -> dict[str, Any]:
        """Return the figure for JSON."""
        return {**asdict(self), "is_reached": self.is_reached}
