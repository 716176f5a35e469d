"""What routes are given: the desk, the run named in the path, the page asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Query, Request

from api.controller import RunController
from api.desk import RunDesk
from api.run_status import Run

T = TypeVar("T")


def _desk(request: Request) -> RunDesk:
    desk: RunDesk = request.app.state.desk
    return desk


Desk = Annotated[RunDesk, Depends(_desk)]

RunId = Annotated[str, Path(description="id of the run", examples=["water-burst-20260601-081500"])]


def _run(desk: Desk, run_id: RunId) -> Run:
    return desk.find(run_id)


def _driven_run(desk: Desk, run_id: RunId) -> RunController:
    return desk.find_driven(run_id)


AnyRun = Annotated[Run, Depends(_run)]
"""The run of the path, live or recorded."""

DrivenRun = Annotated[RunController, Depends(_driven_run)]
"""The run of the path, which must take commands."""


@dataclass(frozen=True)
class Paging:
    """Which part of a list is asked for."""

    offset: Annotated[int, Query(ge=0, description="how many to leave out")] = 0
    limit: Annotated[int, Query(ge=1, le=1000, description="how many at most")] = 100

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Return the part that was asked for."""
        return items[self.offset : self.offset + self.limit]


PageAsked = Annotated[Paging, Depends()]
