"""A short burst for the tests of detection and backtests: planned, and recorded once."""

from pathlib import Path

from api.detection.record import EventRecord, FalseRecord, RunRecord
from api.library import find_scenario
from api.plan import RunPlan, plan_run
from api.session import RunSession

SHORT = str(Path(__file__).resolve().parent.parent / "data" / "short-burst.yaml")


def short_plan(seed: int = 3) -> RunPlan:
    """Return the six hours with one burst in a town of 60 junctions."""
    file = find_scenario(SHORT)
    return plan_run(file.scenario, file.path, seed=seed)


def recorded(folder: Path) -> str:
    """Run it as `tocsin run` does and return the last hash of its event log."""
    with RunSession(short_plan(), folder) as session:
        while not session.is_over:
            session.step()
        session.finish()
        lines = (folder / "events.jsonl").read_text("utf-8").splitlines()
    return lines[-1].rsplit('"hash":"', 1)[1].split('"')[0]


def event(name: str, *, is_hit: bool, devices: int = 3, level: int = 3) -> EventRecord:
    """Return a true burst that was found after 10 min, or lost at assessment."""
    return EventRecord(
        id=name,
        hazard="water leak",
        kind="burst",
        level=level,
        element="P1",
        detail="",
        devices=devices,
        seen_min=1.0 if devices else None,
        harm_min=60.0,
        is_hit=is_hit,
        delay_min=10.0 if is_hit else None,
        lead_min=40.0 if is_hit else None,
        location_m=100.0 if is_hit else None,
        first_rule="water.pressure_drop" if is_hit else "",
        lost_at="" if is_hit else "assess: dismissed, too_little",
    )


def run_of(seed: int, *events: EventRecord, false: tuple[FalseRecord, ...] = ()) -> RunRecord:
    """Return the record of a day with these events and false incidents."""
    return RunRecord(
        key=f"town/{seed}", scenario="town", seed=seed, hours=24.0, alarms=12, announced=6,
        events=events, false=false,
    )  # fmt: skip
