"""The world: its network, and the scenarios that can be run."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.library import library
from api.routes.dependencies import AnyRun, PageAsked
from api.schemas.network import NetworkMap
from api.schemas.scenario import ScenarioInfo, ScenarioList

router = APIRouter(tags=["world"])

_GEOJSON = "application/geo+json"
_SHOWN = {_GEOJSON: {"schema": {"$ref": "#/components/schemas/NetworkMap"}}}


@router.get("/scenarios", summary="List scenarios")
def list_scenarios(page: PageAsked) -> ScenarioList:
    """List the scenarios that come with the program and what each teaches."""
    items = [ScenarioInfo.of(file.path.stem, file.scenario) for file in library()]
    return ScenarioList(total=len(items), items=list(page.of(items)))


@router.get(
    "/runs/{run_id}/network",
    summary="Get the network as GeoJSON",
    response_class=Response,
    responses={200: {"model": NetworkMap, "content": _SHOWN}},
)
def show_network(
    run: AnyRun,
    kind: Annotated[str | None, Query(description="junction, tank, pipe, pump, …")] = None,
    area: Annotated[str | None, Query(description="id of an area (DMA)")] = None,
) -> Response:
    """Return nodes as points and links as lines, with the ids by which an incident names them.

    Coordinates are metres in the city's local plane, not degrees.
    """
    text = NetworkMap.of(run.city(), kind, area).model_dump_json()
    return Response(text, media_type=_GEOJSON)
