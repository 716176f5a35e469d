"""Evaluation: the run and its incidents scored against the truth."""

from pydantic import BaseModel, Field

from api.schemas.shown import shown


class RunScores(BaseModel):
    """Scores of a whole run; null where a denominator is zero."""

    true: int
    found: int
    missed: int
    false: int
    late: int = Field(default=0, description="told of something real too late: missed, not false")
    pod: float | None = Field(description="probability of detection")
    far_ratio: float | None = Field(description="false alarm ratio")
    csi: float | None = Field(description="critical success index")
    bias: float | None
    lead_time_min: float | None = Field(description="over hits")
    lead_time_all_min: float | None = Field(description="with misses as 0")
    detection_delay_min: float | None
    location_error_m: float | None
    location_error_pipes: float | None = Field(default=None, description="mean over hits")
    timeliness: float | None = Field(description="share of due clocks kept")
    alarms: int
    alarms_kpi: dict[str, float | int | dict[str, float | int]] = Field(
        default={}, description="figures of alarm management, as `GET /runs/{id}/alarms/kpis`"
    )
    matches: dict[str, str] = Field(description="true incident → incident of the platform")


class CaseScores(BaseModel):
    """Scores of one incident."""

    incident: str
    truth: str = Field(description="the true incident it tells of; empty for none")
    is_hit: bool
    detection_delay_min: float | None
    lead_time_min: float | None
    location_error_m: float | None
    location_error_pipes: int | None
    clocks_due: int
    clocks_in_time: int
    reason: str


class Evaluation(BaseModel):
    """Scores so far; those of the run come with its end."""

    model_config = shown(
        {
            "run": {
                "true": 1,
                "found": 1,
                "missed": 0,
                "false": 0,
                "late": 0,
                "pod": 1.0,
                "far_ratio": 0.0,
                "csi": 1.0,
                "bias": 1.0,
                "lead_time_min": 25.0,
                "lead_time_all_min": 25.0,
                "detection_delay_min": 13.0,
                "location_error_m": 183.4,
                "location_error_pipes": 1.0,
                "timeliness": 1.0,
                "alarms": 13,
                "matches": {"B1": "I-D01-1780266060000"},
            },
            "cases": [
                {
                    "incident": "I-D01-1780266060000",
                    "truth": "B1",
                    "is_hit": True,
                    "detection_delay_min": 13.0,
                    "lead_time_min": 25.0,
                    "location_error_m": 183.4,
                    "location_error_pipes": 1,
                    "clocks_due": 7,
                    "clocks_in_time": 7,
                    "reason": "matched",
                }
            ],
            "stages": {"monitor": 12, "warn": 12, "assess": 1, "dispatch": 1},
        }
    )

    run: RunScores | None = Field(description="null until the run has reached its end")
    cases: list[CaseScores]
    stages: dict[str, int] = Field(description="stage → incidents that have passed it")
