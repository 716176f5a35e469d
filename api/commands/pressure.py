"""The pressure where an incident hits hardest, from an hour before it to an hour after."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from rich.text import Text

from api.plan import RunPlan
from api.telling import city_time
from pipeline.ports import LogEntry
from sensors.quantities import PRESSURE

_BLOCKS = "▁▂▃▄▅▆▇█"
_MARGIN_MS = 3_600_000
_BEFORE_MS = 600_000
_MIN_COLUMNS = 20


class PressureCurve:
    """Follows the device whose pressure fell most in the first confirmed incident.

    It shows the true pressure, which only the simulator knows; no supply counts as 0.
    """

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._past: deque[tuple[int, np.ndarray]] = deque()
        self._curve: list[tuple[int, float]] = []
        self._incident, self._number, self._end_ms = "", -1, 0

    def take(self, entry: LogEntry) -> None:
        """Take a log entry: incidents say where to look, and when to begin and to end."""
        is_confirmed = entry.kind == "Incident" and entry.data["status"] == "confirmed"
        if is_confirmed and not self._incident:
            self._begin(entry.subject, entry.data["devices"], entry.data["opened_ms"])
        elif entry.kind == "Closure" and entry.subject == self._incident and not self._end_ms:
            self._end_ms = entry.time_ms + _MARGIN_MS

    def tick(self, now_ms: int, true_values: np.ndarray) -> None:
        """Take the true values of a tick."""
        values = np.nan_to_num(true_values)
        if self._number >= 0:
            if not self._end_ms or now_ms <= self._end_ms:
                self._curve.append((now_ms, float(values[self._number])))
            return
        self._past.append((now_ms, values))
        while self._past[0][0] < now_ms - 2 * _MARGIN_MS:
            self._past.popleft()

    def draw(self, width: int) -> Text:
        """Return two lines: what is shown, and the curve."""
        if not self._curve:
            return Text("pressure: no incident so far\n", style="dim")
        values = np.array([value for _, value in self._curve])
        offset_ms = self._plan.scenario.utc_offset_ms
        first, last = (city_time(self._curve[place][0], offset_ms)[-5:] for place in (0, -1))
        device = self._plan.registry.ids[self._number]
        now = "then" if self._end_ms and self._curve[-1][0] >= self._end_ms else "now"
        head = (
            f"pressure {device}, {first}-{last}: {values[0]:.3f}, "
            f"lowest {values.min():.3f}, {now} {values[-1]:.3f} MPa"
        )
        return Text(f"{head}\n{_sparkline(values, max(width, _MIN_COLUMNS))}", no_wrap=True)

    def _begin(self, incident: str, devices: Sequence[str], opened_ms: int) -> None:
        registry = self._plan.registry
        quantity = registry.texts("quantity")
        numbers = [registry.number[name] for name in devices if name in registry.number]
        numbers = [number for number in numbers if quantity[number] == PRESSURE.name]
        if not numbers or not self._past:
            return
        before = next(
            (values for time_ms, values in self._past if time_ms >= opened_ms - _BEFORE_MS),
            self._past[0][1],
        )
        fall = (before - self._past[-1][1])[numbers]
        self._incident, self._number = incident, numbers[int(np.argmax(fall))]
        self._curve = [
            (time_ms, float(values[self._number]))
            for time_ms, values in self._past
            if time_ms >= opened_ms - _MARGIN_MS
        ]
        self._past.clear()


def _sparkline(values: np.ndarray, width: int) -> str:
    """Return values as blocks, the lowest of each column, so that a short fall is not lost."""
    lowest = np.array([part.min() for part in np.array_split(values, min(len(values), width))])
    scaled = (lowest - lowest.min()) / (float(np.ptp(lowest)) or 1.0) * (len(_BLOCKS) - 1)
    return "".join(_BLOCKS[int(one)] for one in scaled)
