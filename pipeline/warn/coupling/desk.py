"""Runs the warning models of a rule set over what the platform knows at each moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.messages import Alarm, HotlineReport, ModelFinding
from pipeline.rules import RuleSet
from sensors.city import City
from sensors.readings import ReadingBatch
from sensors.registry import Registry


@dataclass(slots=True)
class CouplingState:
    """Everything the models remember."""

    calls: list[HotlineReport]


class Couplings:
    """The warning models in use.

    Attributes:
        state: Everything they remember; may be replaced by a restored one.
    """

    def __init__(self, registry: Registry, rules: RuleSet, city: City | None) -> None:
        """Take the devices, the rule set's couplings and the platform's tables of the city."""
        self._rules = rules
        self.state = CouplingState([])

    def reload(self, rules: RuleSet) -> None:
        """Go on by another rule set."""
        self._rules = rules

    def take(self, message: HotlineReport) -> None:
        """Take what citizens told."""

    def judge(
        self, batch: ReadingBatch, alarms: Sequence[Alarm], now_ms: int
    ) -> list[Alarm | ModelFinding]:
        """Return alarms and findings that follow from several signals together.

        Called once a tick, with the fed samples (by device and time) and the alarms of the tick.
        """
        return []

    def next_due(self) -> int | None:
        """Return when a model wants to be asked next without new samples."""
        return None
