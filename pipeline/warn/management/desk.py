"""The alarm desk: what operators are told of the alarms, and what they do to them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.messages import Alarm, Incident, Message, OperatorAct
from pipeline.rules import RuleSet
from sensors.registry import Registry


@dataclass(slots=True)
class DeskState:
    """Everything the desk remembers."""

    seen: list[str]


class AlarmDesk:
    """Holds back, groups and counts alarms; keeps their ISA-18.2 standings.

    Attributes:
        state: Everything it remembers; may be replaced by a restored one.
    """

    def __init__(self, registry: Registry, rules: RuleSet) -> None:
        """Take the devices (for matchers) and the rule set's limits, silences and inhibitions."""
        self._rules = rules
        self.state = DeskState([])

    def reload(self, rules: RuleSet) -> None:
        """Go on by another rule set; nothing remembered is lost."""
        self._rules = rules

    def take(self, message: OperatorAct | Incident) -> None:
        """Take what operators did and which incidents their alarms belong to."""

    def handle(self, alarms: Sequence[Alarm], now_ms: int) -> list[Message]:
        """Return the alarms in the same order, `held` set, with the handlings that follow.

        Called once a tick, also when there are no alarms: acts and expiries are worked on here.
        """
        return list(alarms)

    def next_due(self) -> int | None:
        """Return when something expires or waits to be worked on."""
        return None
