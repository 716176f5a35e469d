"""Why dispatch decided as it did; tests, metrics and bulletins use the same words."""

from enum import StrEnum


class Reason(StrEnum):
    """Why an order was made, or could not be made."""

    NEAREST_CAPABLE = "nearest_capable"
    """The free team that can do it and is there first."""
    RELOCATED = "relocated"
    """The incident is held to be elsewhere; the same team, not yet there, is sent on."""
    REPLANNED = "replanned"
    """The cause is held to be another, which needs other acts; the same team does them."""
    NEXT_SEARCH = "next_search"
    """Nothing was found at the targets of the order before; the next ones are searched."""
    FOUND_BY_PATROL = "found_by_patrol"
    """A patrol found damage it was not sent to mend."""
    STAND_IN = "stand_in"
    """No team of the city has the skills; the nearest one whose skills will do goes."""
    REFUSED_BEFORE = "refused_before"
    """The team asked first refused; this is the next one."""
    NOBODY_FREE = "nobody_free"
    """Teams that could do it exist, all have another order or refused."""
    NO_CAPABLE_TEAM = "no_capable_team"
    """No team of the city has the skills."""
    NO_PLAN = "no_plan"
    """No response plan covers this domain, cause and level."""
    SEARCH_EXHAUSTED = "search_exhausted"
    """The plan's number of searches is used up, or there is nowhere left to look."""


class Standing(StrEnum):
    """How one team stood when an order was decided (`Dispatch.considered`)."""

    CHOSEN = "chosen"
    FARTHER = "farther"
    BUSY = "busy"
    LACKS_SKILL = "lacks_skill"
    REFUSED = "refused"
