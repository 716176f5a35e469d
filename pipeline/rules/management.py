"""How alarms are managed, coupled and approved, as a rule file says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Closure:
    """At what depth of water a kind of place is closed, whatever the colour (an action)."""

    underpass_cm: float = 25.0
    road_cm: float = 30.0


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """Limits of alarm management (domain/README §2.9); `basis` of each is in the file.

    Attributes:
        flood_begins: A flood begins with more than so many alarms in `flood_window_s` …
        flood_ends: … and ends with fewer.
        flood_window_s: The interval, 10 min in the sources.
        group_window_s: Alarms of one group within so long are one announcement.
        chatter_count: Chattering: so many transitions …
        chatter_window_s: … within so long.
        stale_s: A standing alarm older than this is stale.
        most_shelved_s: Longest shelving.
        operators: Operators on shift, for the figures per operator.
        rationed_h: Alarms an operator an hour that are acceptable.
    """

    flood_begins: int = 10
    flood_ends: int = 5
    flood_window_s: float = 600.0
    group_window_s: float = 1800.0
    chatter_count: int = 3
    chatter_window_s: float = 3600.0
    stale_s: float = 86_400.0
    most_shelved_s: float = 28_800.0
    operators: int = 12
    rationed_h: float = 6.0


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence or a suppression by design from the rule file.

    Attributes:
        id: Its name.
        matchers: Field of an alarm → glob pattern.
        why: Reason.
        begins: `HH:MM` of the city's day, empty for always.
        ends: `HH:MM`.
        days: Weekdays it holds on, 1 Monday … 7 Sunday; empty for all.
        is_suppression: Suppressed by design rather than silenced.
    """

    id: str
    matchers: Mapping[str, str]
    why: str
    begins: str = ""
    ends: str = ""
    days: tuple[int, ...] = ()
    is_suppression: bool = False


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alarm matching `source` stands, those matching `target` do not sound.

    Both must agree in the fields `equal` (Alertmanager's inhibition).
    """

    id: str
    source: Mapping[str, str]
    target: Mapping[str, str]
    equal: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Coupling:
    """A warning model in use, with its figures.

    Attributes:
        model: Id in the registry of warning models, such as `flood.rain_level_pump`.
        is_on: Whether it is used.
        figures: Name → number, as the model needs them (each with unit and basis in the file).
        expression: For models written as a rule expression; empty otherwise.
        file: For models from a file (ONNX, scikit-learn); empty otherwise.
    """

    model: str
    is_on: bool = True
    figures: Mapping[str, float] = field(default_factory=dict)
    expression: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """How warnings of a level are let out.

    Attributes:
        is_automatic: Whether nobody is asked.
        simulated_min: Minutes a simulated authority takes where nobody answers; None waits.
    """

    is_automatic: bool = True
    simulated_min: float | None = None
