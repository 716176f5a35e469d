"""Acts over HTTP that make no sense are refused at once, and an id means one act."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any, cast

import pytest
from pydantic import ValidationError

from api.controller import RunController
from api.problems import ProblemError
from api.routes.alarms import Verb, act_on_alarm, end_silence, show_kpis, silence
from api.run_status import RunAbout, RunState, RunStatus
from api.schemas.act import ActInfo, NewAct, NewBulkAct, NewSilence
from pipeline.event_log import EventLog
from pipeline.messages import Alarm, AlarmState, OperatorAct
from pipeline.ports import LogEntry
from pipeline.runners.embedded import ReadingCounts
from pipeline.runners.told import enter
from pipeline.warn.management.desk import AlarmDesk
from sensors.registry import Registry
from tests.unit import alarm_stories as story
from tests.unit.alarm_stories import MIN, T0

DEVICE = story.DEVICES["D01"][0]
ALARM = f"{DEVICE}/p/{T0}"
RULES = """format: 1
extends: national
alarms: {operators: 8, flood_begins: 3, flood_ends: 2, most_shelved_s: 3600}
"""


@dataclass(eq=False)
class HandRun:
    """A run of one alarm desk, a tick a minute; its folder holds the rules."""

    folder: Path
    id: str = "r1"
    minute: int = 1
    waiting: list[OperatorAct] = field(default_factory=list)
    log: list[LogEntry] = field(default_factory=list)
    about: RunAbout = field(
        default_factory=lambda: RunAbout("s", "s", "c", 1, "memory", T0, T0 + 900 * MIN, 0)
    )

    def __post_init__(self) -> None:
        self.desk, self.chain = AlarmDesk(story.REGISTRY, story.rule_set()), EventLog()
        (self.folder / "rules.yaml").write_text(RULES, encoding="utf-8")
        self.step(story.alarm(DEVICE))

    def status(self) -> RunStatus:
        counts, now_ms = ReadingCounts(0, 0, 0, {}), T0 + self.minute * MIN
        state = RunState.PAUSED
        return RunStatus(state, now_ms, self.minute, "max", None, 0, 0, counts, len(self.log))

    def entries(self, after: int = -1, limit: int | None = None) -> Sequence[LogEntry]:
        return self.log[after + 1 :]

    def registry(self) -> Registry:
        return story.REGISTRY

    def tell(self, act: OperatorAct) -> None:
        self.waiting.append(act)

    def step(self, *alarms: Alarm, ticks: int = 1) -> None:
        self.minute += ticks
        acts, self.waiting = self.waiting, []
        for act in acts:
            self.desk.take(act)
        self.log += enter(self.chain, acts)
        for one in self.desk.handle(alarms, T0 + self.minute * MIN):
            self.log.append(self.chain.add(one))  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> HandRun:
    return HandRun(tmp_path)


def driven(run: HandRun) -> RunController:
    return cast(RunController, run)


def do(run: HandRun, verb: Verb, **body: Any) -> ActInfo:
    return act_on_alarm(driven(run), ALARM, verb, NewAct(**body))


def hush(run: HandRun, matchers: Mapping[str, str], minutes: float = 20, **body: Any) -> ActInfo:
    return silence(driven(run), NewSilence(matchers=dict(matchers), minutes=minutes, **body))


def refused(run: HandRun, verb: Verb, **body: Any) -> tuple[int, str]:
    with pytest.raises(ProblemError) as error:
        do(run, verb, **body)
    return error.value.status_code, str(error.value.detail)


def test_figures_take_operators_and_flood_limits_of_the_rules_in_force(run: HandRun) -> None:
    assert show_kpis(driven(run), None).figures["operators"] == 8
    assert show_kpis(driven(run), 3).figures["operators"] == 3
    run.step(story.alarm(story.DEVICES["D02"][0], raised_ms=T0 + 2 * MIN))
    assert show_kpis(driven(run), 1).figures["flood_share"] == 0
    milder = RULES.replace("begins: 3, flood_ends: 2", "begins: 1, flood_ends: 1")
    (run.folder / "rules.yaml").write_text(milder, encoding="utf-8")
    assert show_kpis(driven(run), 1).figures["flood_share"] == 1


def test_an_id_used_for_another_silence_or_one_that_is_over_is_refused(run: HandRun) -> None:
    first = hush(run, {"area": "D01"}, id="s1")
    assert hush(run, {"area": "D01"}, id="s1") == first
    with pytest.raises(ProblemError, match=r"'s1' was used for silence .* another act"):
        hush(run, {"area": "D02"}, id="s1")
    run.step(ticks=5)
    assert hush(run, {"area": "D01"}, id="s1") == first
    assert len([one for one in run.log if one.kind == "OperatorAct"]) == 1
    run.step(ticks=20)
    with pytest.raises(ProblemError, match="and has ended; give another id") as over:
        hush(run, {"area": "D01"}, id="s1")
    assert (over.value.status_code, over.value.kind) == (409, "id-used")
    hush(run, {"area": "D01"}, id="s2")
    run.step()
    end_silence(driven(run), "s2")
    run.step()
    with pytest.raises(ProblemError, match="and has ended"):
        hush(run, {"area": "D01"}, id="s2")


@pytest.mark.parametrize(
    ("matchers", "message"),
    [
        ({"area": "D99"}, "matchers.area = 'D99': fits no area; use D01, D02"),
        ({"device": "WX-*"}, "matchers.device = 'WX-*': fits no device; use WP-"),
        ({"quantity": "flow"}, "fits no quantity"),
        ({"rule": "wter.*"}, "fits no rule"),
    ],
)
def test_a_silence_of_nothing_in_the_run_is_refused(
    run: HandRun, matchers: dict[str, str], message: str
) -> None:
    with pytest.raises(ProblemError) as error:
        hush(run, matchers)
    assert error.value.status_code == 422
    assert message in str(error.value.detail)
    hush(run, {"area": "D0*", "rule": "any.hotline", "device": DEVICE})


@pytest.mark.parametrize("body", [NewSilence, NewBulkAct])
@pytest.mark.parametrize(
    ("matchers", "message"),
    [
        ({"level": "purple"}, "level = 'purple': no such level; use one of 1, red"),
        ({"area": ""}, "area = '': an empty pattern fits nothing"),
        ({"device": "["}, r"device = '\[': a `\[` without `\]`"),
    ],
)
def test_a_pattern_that_fits_nothing_anywhere_is_refused(
    body: type[NewSilence | NewBulkAct], matchers: dict[str, str], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        body.model_validate({"matchers": matchers, "minutes": 5})


def test_a_time_that_is_over_before_the_next_tick_is_refused(run: HandRun) -> None:
    for minutes in (1e-6, 1.0):
        with pytest.raises(ProblemError, match="over before the next tick takes it; give more"):
            hush(run, {"area": "D01"}, minutes)


def test_shelving_for_longer_than_the_rules_allow_is_refused(run: HandRun) -> None:
    status, detail = refused(run, Verb.SHELVE, minutes=61)
    assert status == 422
    assert "body.minutes = 61.0: longer than the rules in force allow; give at most 60" in detail
    assert "most_shelved_s" in detail
    told = do(run, Verb.SHELVE, minutes=60)
    run.step()
    assert run.log[-1].data["until_ms"] == told.until_ms


@pytest.mark.parametrize("verb", [Verb.ACKNOWLEDGE, Verb.RESET, Verb.UNSHELVE, Verb.IN_SERVICE])
def test_minutes_are_refused_for_what_does_not_end_by_itself(run: HandRun, verb: Verb) -> None:
    do(run, Verb.OUT_OF_SERVICE)
    if verb in (Verb.RESET, Verb.UNSHELVE):
        assert refused(run, verb, minutes=5)[0] in (409, 422)
        return
    status, detail = refused(run, verb, minutes=5)
    assert status == 422
    assert f"{verb.kind.value} does not end by itself; leave it out" in detail


@pytest.mark.parametrize(
    ("verb", "undo", "why"),
    [
        (Verb.SUPPRESS, Verb.UNSUPPRESS, "not suppressed"),
        (Verb.OUT_OF_SERVICE, Verb.IN_SERVICE, "not out of service"),
    ],
)
def test_only_what_is_in_force_can_be_undone(
    run: HandRun, verb: Verb, undo: Verb, why: str
) -> None:
    assert refused(run, undo) == (409, f"alarm {ALARM} stands as unacknowledged: {why}")
    do(run, verb, minutes=10)
    do(run, undo)
    assert refused(run, undo)[0] == 409
    do(run, verb, minutes=10)
    run.step(ticks=2)
    run.step(story.alarm(DEVICE, state=AlarmState.CLEARED, at_ms=T0 + 3 * MIN))
    do(run, undo)
    do(run, verb, minutes=10)
    run.step(ticks=2)
    run.step(ticks=10)
    assert refused(run, undo)[0] == 409


def test_an_act_sent_twice_is_taken_once_and_not_again_when_it_is_spent(run: HandRun) -> None:
    first = do(run, Verb.ACKNOWLEDGE, id="a1")
    assert do(run, Verb.ACKNOWLEDGE, id="a1") == first
    run.step()
    assert do(run, Verb.ACKNOWLEDGE, id="a1") == first
    assert refused(run, Verb.ACKNOWLEDGE)[0] == 409
    assert "was used for acknowledge" in refused(run, Verb.SHELVE, id="a1")[1]
    held = do(run, Verb.SUPPRESS, id="a2")
    run.step()
    assert do(run, Verb.SUPPRESS, id="a2") == held
    do(run, Verb.UNSUPPRESS)
    run.step()
    assert "and has ended" in refused(run, Verb.SUPPRESS, id="a2")[1]


def test_of_two_requests_at_one_time_with_one_id_one_is_taken(
    run: HandRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Barrier(2)

    def tell(act: OperatorAct) -> None:
        with suppress(BrokenBarrierError):
            both.wait(0.3)  # the other request would come by here if it could
        run.waiting.append(act)

    def ask(why: str) -> int:
        try:
            act_on_alarm(driven(run), ALARM, Verb.SUPPRESS, NewAct(id="a-1", why=why))
        except ProblemError as refused:
            return refused.status_code
        return 202

    monkeypatch.setattr(run, "tell", tell)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(ask, ("works", "noise"))) == [202, 409]
    assert len(run.waiting) == 1


def test_figures_of_an_old_run_whose_rules_are_refused_today_are_shown(run: HandRun) -> None:
    (run.folder / "rules.yaml").write_text("format: 1\nextends: nothing\n", encoding="utf-8")
    assert show_kpis(driven(run), None).figures["operators"] == 12
