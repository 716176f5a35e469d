"""Runs the warning models of a rule set over what the platform knows at each moment."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.messages import Alarm, AlarmState, DeviceHealth, HotlineReport, ModelFinding
from pipeline.rules import RuleSet
from pipeline.warn.coupling.claims import Claim
from pipeline.warn.coupling.columns import ColumnModel
from pipeline.warn.coupling.memory import CouplingState, Standing
from pipeline.warn.coupling.registry import InUse, Registered, models_in_use
from pipeline.warn.coupling.site import Site
from pipeline.warn.coupling.specs import own_specs
from pipeline.warn.coupling.view import MINUTE_MS, View
from sensors.city import City
from sensors.readings import ReadingBatch
from sensors.registry import Registry

__all__ = ["CouplingState", "Couplings"]
_OVER = "no_longer_holds"


class Couplings:
    """The warning models in use.

    Attributes:
        state: Everything they remember; may be replaced by a restored one.
    """

    def __init__(
        self,
        registry: Registry,
        rules: RuleSet,
        city: City | None,
        models: Sequence[Registered] = (),
    ) -> None:
        """Take the devices, the rule set's couplings and the platform's tables of the city.

        `models` are those registered by other packages or read from files. Without a city no
        model couples devices of different areas: the stage may be one of several partitions.
        """
        self._site, self._extra = Site.of(registry, city), tuple(models)
        self.reload(rules)
        self.state = CouplingState.of(len(registry))

    def reload(self, rules: RuleSet) -> None:
        """Go on by another rule set; what stands of a model that is gone is taken back."""
        self._used: tuple[InUse, ...] = models_in_use(self._site, rules, self._extra)
        self._clean_vol = own_specs()["gas.biogas"].figures["clean_vol"].value
        for used in self._used:
            if used.spec.id == "gas.biogas":
                self._clean_vol = used.figures["clean_vol"]
        self._scores = any(isinstance(used.model, ColumnModel) for used in self._used)

    def take(self, message: HotlineReport | DeviceHealth) -> None:
        """Take what citizens told, or what monitor says of a device."""
        if isinstance(message, HotlineReport):
            self.state.take_call(message)
        elif message.device in self._site.registry.number:
            self.state.take_health(message, self._site.registry.number[message.device])

    def judge(
        self, batch: ReadingBatch, alarms: Sequence[Alarm], now_ms: int
    ) -> list[Alarm | ModelFinding]:
        """Return alarms and findings that follow from several signals together.

        Called once a tick, with the fed samples (by device and time) and the alarms of the tick.
        """
        state = self.state
        state.take_samples(batch, self._site, self._clean_vol)
        state.take_alarms(alarms)
        state.forget(now_ms)
        is_idle = not (state.alarms or state.calls or state.standing)
        if is_idle and not (self._scores and len(batch)):
            return []
        view = View(self._site, state, now_ms)
        said: list[Alarm | ModelFinding] = []
        held: set[str] = set()
        for used in self._used:
            for claim in used.model.judge(view, now_ms):
                name = f"{used.spec.id}/{claim.key}"
                if name not in held:
                    held.add(name)
                    said += self._tell(name, used, claim, now_ms)
        for name in sorted(set(state.standing) - held):
            said += self._take_back(name, now_ms)
        return said

    def next_due(self) -> int | None:
        """Return when something that is no longer said is taken back."""
        newest = max((one.seen_ms for one in self.state.standing.values()), default=0)
        due = [
            one.seen_ms + one.linger_ms
            for one in self.state.standing.values()
            if one.seen_ms < newest
        ]
        return min(due, default=None)

    def _tell(
        self, name: str, used: InUse, claim: Claim, now_ms: int
    ) -> list[Alarm | ModelFinding]:
        """Tell a claim that is new or has changed."""
        linger_ms = round(used.figures.get(used.spec.linger, 0.0) * MINUTE_MS)
        before = self.state.standing.get(name)
        said: list[Alarm | ModelFinding] = []
        if before is not None and (before.alarm is not None) != bool(claim.at):
            said += _ends(before, now_ms)
            before = None
        now = Standing(now_ms, linger_ms)
        if claim.at:
            old = before.alarm if before is not None else None
            now.alarm = _alarm(used, claim, old, self._quantity(claim.at), now_ms)
            said += [now.alarm] if now.alarm is not old else []
        else:
            known = before.finding if before is not None else None
            now.finding = _finding(used, claim, known, now_ms)
            said += [now.finding] if now.finding is not known else []
        self.state.standing[name] = now
        return said

    def _take_back(self, name: str, now_ms: int) -> list[Alarm | ModelFinding]:
        standing = self.state.standing[name]
        if now_ms < standing.seen_ms + standing.linger_ms:
            return []
        del self.state.standing[name]
        return _ends(standing, now_ms)

    def _quantity(self, device: str) -> str:
        return str(self._site.quantity[self._site.registry.number[device]])


def _finding(used: InUse, claim: Claim, before: ModelFinding | None, now_ms: int) -> ModelFinding:
    """Return the finding a claim makes; `before` itself when it says nothing new."""
    found = ModelFinding(
        id=before.id if before is not None else f"{used.spec.id}/{claim.key}/{now_ms}",
        model=used.spec.id,
        version=used.spec.version,
        domain=claim.domain,
        area=claim.area,
        effect=claim.effect,
        level=claim.level,
        devices=claim.devices,
        elements=claim.elements,
        cause=claim.cause,
        value=claim.value,
        unit=claim.unit,
        confidence=claim.confidence,
        evidence=claim.evidence,
        x_m=claim.x_m,
        y_m=claim.y_m,
        is_on=True,
        time_ms=now_ms,
        reason=claim.reason,
    )
    if before is not None and _gist(before) == _gist(found):
        return before
    return found


def _gist(finding: ModelFinding) -> tuple[object, ...]:
    """Return what makes a finding another one; its own figure moves all the time."""
    one = finding
    return one.effect, one.level, one.cause, one.devices, one.evidence, one.reason


def _alarm(used: InUse, claim: Claim, before: Alarm | None, quantity: str, now_ms: int) -> Alarm:
    """Return the alarm a claim makes; `before` itself unless it got worse."""
    if before is not None and not claim.level.is_worse_than(before.level):
        return before
    raised_ms = before.raised_ms if before is not None else now_ms
    return Alarm(
        id=f"{claim.at}/{used.spec.id}/{raised_ms}",
        device=claim.at,
        rule=used.spec.id,
        domain=claim.domain,
        area=claim.area,
        quantity=quantity,
        level=claim.level,
        state=AlarmState.RAISED if before is None else AlarmState.CHANGED,
        value=claim.value,
        limit=claim.limit,
        before=float("nan"),
        raised_ms=raised_ms,
        sample_ms=now_ms,
        time_ms=now_ms,
        reason=claim.reason,
        unit=claim.unit,
        confidence=claim.confidence,
    )


def _ends(standing: Standing, now_ms: int) -> list[Alarm | ModelFinding]:
    if standing.alarm is not None:
        return [
            replace(
                standing.alarm,
                state=AlarmState.CLEARED,
                sample_ms=now_ms,
                time_ms=now_ms,
                reason=_OVER,
            )
        ]
    if standing.finding is not None:
        return [replace(standing.finding, is_on=False, time_ms=now_ms, reason=_OVER)]
    return []
