"""Acts of operators: what is asked for, and what was taken."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator

from api.alarm_view import silence_id
from api.schemas.shown import Page, event_time, page_of, shown
from pipeline.messages import OperatorAct, OperatorActKind
from pipeline.rules.globs import LEVEL_WORDS, fits_any, is_unclosed
from pipeline.warn.management.matching import MATCHED

_WHO = Field("operator", min_length=1, max_length=100, description="who does it")
_WHY = Field("", max_length=1000, description="reason, for the log")
_ID = Field(
    None,
    pattern=r"^[A-Za-z0-9._:-]{1,100}$",
    description="give one to ask twice without harm; left out: one is made",
)
Minutes = Annotated[float, Field(gt=0, le=525_600)]


class NewAct(BaseModel):
    """An act on one alarm or warning."""

    model_config = shown(
        {"by": "li.wei", "why": "sensor is being cleaned", "minutes": 60, "id": "act-7"},
        is_body=True,
    )

    by: str = _WHO
    why: str = _WHY
    minutes: Minutes | None = Field(
        None,
        description="event time until it ends by itself, for shelving (one-shot without it), "
        "suppressing and taking out of service",
    )
    id: str | None = _ID


class _Matching(BaseModel):
    matchers: dict[str, str] = Field(
        min_length=1, description=f"field → glob, all must fit; fields: {', '.join(MATCHED)}"
    )
    by: str = _WHO
    why: str = _WHY
    id: str | None = _ID

    @field_validator("matchers")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(MATCHED))
        if unknown:
            raise ValueError(f"no field {', '.join(unknown)}; there are {', '.join(MATCHED)}")
        for name, glob in value.items():
            _check_glob(name, glob)
        return value


def _check_glob(name: str, glob: str) -> None:
    """Raise ValueError when a pattern fits nothing, whatever the run."""
    if not glob.strip():
        raise ValueError(f"{name} = {glob!r}: an empty pattern fits nothing; leave it out or use *")
    if is_unclosed(glob):
        raise ValueError(f"{name} = {glob!r}: a `[` without `]` fits nothing; close it")
    if name == "level" and not fits_any(glob, LEVEL_WORDS):
        raise ValueError(f"level = {glob!r}: no such level; use one of {', '.join(LEVEL_WORDS)}")


class NewBulkAct(_Matching):
    """An act on every alarm that stands and fits."""

    model_config = shown(
        {"matchers": {"area": "D01", "level": "blue"}, "by": "li.wei", "why": "seen", "id": "b-1"},
        is_body=True,
    )


class NewSilence(_Matching):
    """What operators do not want to be told for a while."""

    model_config = shown(
        {
            "matchers": {"device": "WP-D01-*", "rule": "water.pressure_*"},
            "minutes": 120,
            "by": "li.wei",
            "why": "planned works at the inlet",
            "id": "works-d01",
        },
        is_body=True,
    )

    minutes: Minutes = Field(description="event time until it ends by itself")


_ACT_EXAMPLE: dict[str, Any] = {
    "id": "act-7",
    "kind": "shelve",
    "target": "WP-D01-0005-0/water.pressure_drop/1780266027000",
    "matchers": {},
    "by": "li.wei",
    "why": "sensor is being cleaned",
    "time_ms": 1780266240000,
    "until_ms": 1780269840000,
    "until": "2026-06-01T07:24:00+08:00",
}


class ActInfo(BaseModel):
    """An act that was taken: the next tick of the run works on it; the log says what came of it."""

    model_config = shown(_ACT_EXAMPLE)

    id: str
    kind: OperatorActKind
    target: str
    matchers: dict[str, str]
    by: str
    why: str
    time_ms: int
    until_ms: int = Field(description="0: it does not end by itself")
    until: str | None

    @classmethod
    def of(cls, act: OperatorAct, utc_offset_ms: int) -> "ActInfo":
        """Return an act as it was told the platform."""
        return cls(
            id=act.id,
            kind=act.kind,
            target=act.target,
            matchers=act.matchers,
            by=act.by,
            why=act.why,
            time_ms=act.time_ms,
            until_ms=act.until_ms,
            until=event_time(act.until_ms, utc_offset_ms) if act.until_ms else None,
        )


_SILENCE_EXAMPLE: dict[str, Any] = {
    "id": "works-d01",
    "matchers": {"device": "WP-D01-*"},
    "by": "li.wei",
    "why": "planned works at the inlet",
    "until_ms": 1780273440000,
    "until": "2026-06-01T08:24:00+08:00",
}


class SilenceInfo(BaseModel):
    """A silence an operator made."""

    model_config = shown(_SILENCE_EXAMPLE)

    id: str
    matchers: dict[str, str]
    by: str
    why: str
    until_ms: int
    until: str | None

    @classmethod
    def of(cls, act: OperatorAct, utc_offset_ms: int) -> "SilenceInfo":
        """Return a silence by the act that made it."""
        until = event_time(act.until_ms, utc_offset_ms) if act.until_ms else None
        return cls(
            id=silence_id(act),
            matchers=act.matchers,
            by=act.by,
            why=act.why,
            until_ms=act.until_ms,
            until=until,
        )


class SilenceList(Page):
    """Silences that hold, oldest first; those of the rule file are in the rules."""

    model_config = page_of(_SILENCE_EXAMPLE)

    items: list[SilenceInfo]
