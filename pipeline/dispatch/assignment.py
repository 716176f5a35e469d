"""Who goes: the nearest capable free team, with a named standing for every team."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.dispatch.reasons import Reason, Standing
from pipeline.dispatch.routing import Place, Roads
from sensors.city import Team

_SLOWEST_KM_H = 1.0
"""A team without a speed still gets there some day."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The outcome of one choice.

    Attributes:
        team: The chosen team, None when nobody can go.
        travel_min: Its driving time, 0 without a team.
        considered: Team id → `Standing`, every team of the city, in the order of ids.
        reason: Why this team, or why nobody.
    """

    team: Team | None
    travel_min: float
    considered: dict[str, str]
    reason: Reason


def choose_team(
    teams: Sequence[Team],
    skills: Sequence[str],
    *,
    busy: Mapping[str, str],
    refused: Sequence[str],
    stands_at: Mapping[str, Place],
    goal: Place,
    roads: Roads,
) -> Assignment:
    """Choose the team that has the skills, is free and is there first.

    Args:
        teams: All teams, sorted by id; the first wins a tie.
        skills: Every one of these is needed.
        busy: Team id → order it has.
        refused: Teams that refused this incident.
        stands_at: Team id → where it was last known to be, instead of its base.
        goal: Where to go.
        roads: Driving distances.
    """
    considered = {team.id: _standing(team, skills, busy, refused) for team in teams}
    best: tuple[float, Team] | None = None
    for team in teams:
        if considered[team.id] != Standing.FARTHER:
            continue
        minutes = drive_min(team, stands_at, goal, roads)
        if best is None or minutes < best[0]:
            best = minutes, team
    if best is None:
        is_capable = any(standing != Standing.LACKS_SKILL for standing in considered.values())
        reason = Reason.NOBODY_FREE if is_capable else Reason.NO_CAPABLE_TEAM
        return Assignment(None, 0.0, considered, reason)
    considered[best[1].id] = Standing.CHOSEN
    reason = Reason.REFUSED_BEFORE if refused else Reason.NEAREST_CAPABLE
    return Assignment(best[1], best[0], considered, reason)


def drive_min(team: Team, stands_at: Mapping[str, Place], goal: Place, roads: Roads) -> float:
    """Return a team's driving time to `goal` from where it was last known to be, or its base."""
    metres = roads.distance_m(stands_at.get(team.id, (team.x_m, team.y_m)), goal)
    return metres / 1000.0 / max(team.speed_km_h, _SLOWEST_KM_H) * 60.0


def _standing(
    team: Team, skills: Sequence[str], busy: Mapping[str, str], refused: Sequence[str]
) -> str:
    if not set(skills) <= set(team.skills):
        return Standing.LACKS_SKILL
    if team.id in refused:
        return Standing.REFUSED
    if team.id in busy:
        return Standing.BUSY
    return Standing.FARTHER
