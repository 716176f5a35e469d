"""Links held open, shut or stopped against the file's own controls, and given back to them."""

from dataclasses import dataclass

from simulator.physics.water.api_numbers import SET_OPEN, ControlKind, Link
from simulator.physics.water.engine import VALVE_KINDS, EpanetEngine

_SHUT_LOSS = 1e12
"""Minor loss that shuts a check-valve pipe, whose status EPANET does not let anyone set."""
_SET_SHUT = 2
_DAY_S = 86_400


@dataclass(slots=True)
class _Hold:
    """How a link is held and what its controls want meanwhile."""

    is_open: bool
    controls: tuple[int, ...]
    speed_pattern: float
    minor_loss: float
    wanted_open: bool
    wanted_setting: float
    since_s: int


class LinkOverrides:
    """Holds links in a state whatever the controls, rules and patterns of the file say.

    Simple controls and the speed pattern of a held link are switched off; what rules do to it
    is noted and undone (call `enforce` between two solutions). `release` gives the link back in
    the state its controls would have brought it to by then.
    """

    def __init__(self, engine: EpanetEngine) -> None:
        self._engine = engine
        self._holds: dict[int, _Hold] = {}

    def is_held_shut(self, link: int) -> bool:
        """Return whether a link is held shut (a pump: stopped)."""
        return link in self._holds and not self._holds[link].is_open

    def held_shut(self) -> list[int]:
        """Return the links held shut, ascending."""
        return sorted(link for link in self._holds if self.is_held_shut(link))

    def hold(self, link: int, *, is_open: bool) -> None:
        """Hold a link open (a pump: running at normal speed) or shut (a pump: stopped)."""
        engine = self._engine
        if link not in self._holds:
            controls = tuple(i for i, rule in engine.controls.items() if rule.link == link + 1)
            self._holds[link] = _Hold(
                is_open=is_open,
                controls=controls,
                speed_pattern=self._pattern(link),
                minor_loss=engine.link_value(link, Link.MINOR_LOSS),
                wanted_open=self._is_set_open(link),
                wanted_setting=engine.link_value(link, Link.SETTING),
                since_s=engine.time_s,
            )
            engine.set_controls(controls, active=False)
            if engine.is_pump[link]:
                engine.set_link_value(link, Link.SPEED_PATTERN, 0)
        self._holds[link].is_open = is_open
        self._force(link, is_open)

    def release(self, link: int) -> None:
        """Give a held link back to its controls; nothing happens when it is not held."""
        hold = self._holds.pop(link, None)
        if hold is None:
            return
        engine = self._engine
        self._note_timers(link, hold)
        engine.set_controls(hold.controls, active=True)
        if hold.speed_pattern:
            engine.set_link_value(link, Link.SPEED_PATTERN, hold.speed_pattern)
        if engine.link_kinds[link] == "check_valve_pipe":
            engine.set_link_value(link, Link.MINOR_LOSS, hold.minor_loss)
            return
        engine.set_link_value(link, Link.STATUS, float(hold.wanted_open))
        has_setting = engine.link_kinds[link] not in ("pipe", "gpv") and hold.wanted_setting > 0
        if hold.wanted_open and has_setting:
            engine.set_link_value(link, Link.SETTING, hold.wanted_setting)

    def enforce(self) -> None:
        """Undo what rules did to held links since the last call, and remember it."""
        for link, hold in self._holds.items():
            is_open = self._is_set_open(link)
            if is_open == hold.is_open or self._engine.link_kinds[link] == "check_valve_pipe":
                continue
            hold.wanted_open = is_open
            if is_open:
                hold.wanted_setting = self._engine.link_value(link, Link.SETTING)
            self._force(link, hold.is_open)

    def _is_set_open(self, link: int) -> bool:
        """Return whether a link is meant to be open, even if the solver shuts it for now.

        That is so for a pipe to a full tank, a pump against too high a head, an active valve.
        """
        is_active = self._engine.link_kinds[link] in VALVE_KINDS
        if is_active and self._engine.link_value(link, Link.SETTING) > 0:
            return True
        return self._engine.link_value(link, Link.RAW_STATUS) != _SET_SHUT

    def _pattern(self, link: int) -> float:
        if not self._engine.is_pump[link]:
            return 0.0
        return self._engine.link_value(link, Link.SPEED_PATTERN)

    def _force(self, link: int, is_open: bool) -> None:
        engine = self._engine
        if engine.link_kinds[link] == "check_valve_pipe":
            loss = self._holds[link].minor_loss if is_open else _SHUT_LOSS
            engine.set_link_value(link, Link.MINOR_LOSS, loss)
        elif engine.is_pump[link]:
            engine.set_link_value(link, Link.SETTING, 1.0 if is_open else 0.0)
        else:
            engine.set_link_value(link, Link.STATUS, float(is_open))

    def _note_timers(self, link: int, hold: _Hold) -> None:
        """Let the last timer or clock control that fell due during the hold decide."""
        engine, last_s = self._engine, hold.since_s
        for index in hold.controls:
            control = engine.controls[index]
            due_s = int(control.level)
            if control.kind == ControlKind.CLOCK:
                past_s = (engine.time_s + engine.clock_start_s - due_s) % _DAY_S
                due_s = engine.time_s - past_s
            elif control.kind != ControlKind.TIMER:
                continue
            if last_s < due_s <= engine.time_s:
                last_s = due_s
                hold.wanted_open = control.setting > 0
                if abs(control.setting) != SET_OPEN:
                    hold.wanted_setting = control.setting
