"""Standings of alarms: the table against a plain reference, in any order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.messages import AlarmHandling, AlarmStanding, AlarmState, OperatorActKind
from pipeline.rules import AlarmPolicy
from pipeline.warn.management.desk import AlarmDesk
from pipeline.warn.management.states import AlarmEvent, Refusal, after
from sensors.levels import Level
from tests.unit.alarm_stories import DEVICES, MIN, REGISTRY, T0, act, alarm, rule_set

KIND = OperatorActKind
SHELF_MS = 8 * 60 * MIN
KEPT = AlarmPolicy(chatter_count=10**6, chatter_window_s=1e9)
"""Nothing is forgotten while the test lasts."""


def test_every_standing_answers_every_event() -> None:
    for standing in AlarmStanding:
        for event in AlarmEvent:
            for active in (False, True):
                to = after(standing, event, is_active=active, is_latching=True)
                assert isinstance(to, AlarmStanding | Refusal)


class OneAlarm(RuleBasedStateMachine):
    """A desk with one alarm, and what ISA-18.2 says in plain words of where it stands."""

    @initialize(latching=st.booleans())
    def begin(self, latching: bool) -> None:
        self.rule, self.latching = ("latched" if latching else "p"), latching
        self.desk = AlarmDesk(REGISTRY, rule_set(policy=KEPT))
        self.now, self.acts, self.raised = T0, 0, 0
        self.active = self.unseen = self.latch = False
        self.shelved_until = 0
        self.suppressed = self.removed = False
        self.shown = AlarmStanding.NORMAL
        self.raise_it()

    def tick(self, *alarms: object) -> None:
        for said in self.desk.handle(alarms, self.now):  # type: ignore[arg-type]
            if isinstance(said, AlarmHandling):
                assert said.before is self.shown
                self.shown = said.standing

    def do(self, kind: OperatorActKind, **more: object) -> None:
        self.acts += 1
        name = f"{DEVICES['D01'][0]}/{self.rule}"
        self.desk.take(act(kind, name, id=f"a{self.acts}", **more))
        self.tick()

    @property
    def is_held(self) -> bool:
        return bool(self.shelved_until) or self.suppressed or self.removed

    def let_back(self) -> None:
        if not self.is_held:
            self.unseen, self.latch = self.active, False

    @precondition(lambda self: not self.active)
    @rule()
    def raise_it(self) -> None:
        self.now += MIN
        self.active, self.unseen, self.latch, self.raised = True, True, False, self.now
        self.tick(alarm(rule_id=self.rule, raised_ms=self.now))

    @precondition(lambda self: self.active)
    @rule()
    def worsen(self) -> None:
        if self.desk.state.tags[f"{DEVICES['D01'][0]}/{self.rule}"].alarm.level is Level.YELLOW:
            self.unseen = True
        changed = AlarmState.CHANGED
        self.tick(alarm(rule_id=self.rule, raised_ms=self.raised, state=changed, level=Level.RED))

    @precondition(lambda self: self.active)
    @rule()
    def end(self) -> None:
        self.active = False
        self.latch = self.latching and not self.unseen
        self.tick(alarm(rule_id=self.rule, raised_ms=self.raised, state=AlarmState.CLEARED))

    @rule()
    def acknowledge(self) -> None:
        if not self.is_held and self.unseen:
            self.unseen, self.latch = False, self.latching and not self.active
        self.do(KIND.ACKNOWLEDGE)

    @rule()
    def reset(self) -> None:
        if not self.is_held:
            self.latch = False
        self.do(KIND.RESET)

    @precondition(lambda self: self.active)
    @rule(hours=st.integers(1, 20))
    def shelve(self, hours: int) -> None:
        if not self.is_held:
            self.shelved_until = min(self.now + hours * 60 * MIN, self.now + SHELF_MS)
        self.do(KIND.SHELVE, until_ms=self.now + hours * 60 * MIN)

    @rule()
    def unshelve(self) -> None:
        if not (self.suppressed or self.removed) and self.shelved_until:
            self.shelved_until = 0
            self.let_back()
        self.do(KIND.UNSHELVE)

    @rule(on=st.booleans())
    def suppress(self, on: bool) -> None:
        was = self.suppressed
        self.suppressed = on
        if was and not on:
            self.let_back()
        self.do(KIND.SUPPRESS if on else KIND.UNSUPPRESS)

    @rule(on=st.booleans())
    def take_out_of_service(self, on: bool) -> None:
        was = self.removed
        self.removed = on
        if was and not on:
            self.let_back()
        self.do(KIND.OUT_OF_SERVICE if on else KIND.IN_SERVICE)

    @rule(hours=st.integers(1, 9))
    def wait(self, hours: int) -> None:
        self.now += hours * 60 * MIN
        if 0 < self.shelved_until <= self.now:
            self.shelved_until = 0
            self.let_back()
        self.tick()

    @invariant()
    def stands_where_the_standard_says(self) -> None:
        assert self.shown is self.expected()

    def expected(self) -> AlarmStanding:
        if self.removed:
            return AlarmStanding.OUT_OF_SERVICE
        if self.suppressed:
            return AlarmStanding.SUPPRESSED
        if self.shelved_until:
            return AlarmStanding.SHELVED
        if self.active:
            seen = not self.unseen
            return AlarmStanding.ACKNOWLEDGED if seen else AlarmStanding.UNACKNOWLEDGED
        if self.unseen:
            return AlarmStanding.RETURNED_UNACKNOWLEDGED
        return AlarmStanding.LATCHED if self.latch else AlarmStanding.NORMAL


TestOneAlarm = OneAlarm.TestCase
TestOneAlarm.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
