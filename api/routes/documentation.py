"""The documentation page, from files of this machine: it works without any outside network."""

from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_MOUNT = "/docs-files"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def documentation(request: Request) -> HTMLResponse:
    """Return the Swagger page of the OpenAPI document."""
    return get_swagger_ui_html(
        openapi_url=str(request.app.openapi_url),
        title="Tocsin API",
        swagger_js_url=f"{_MOUNT}/swagger-ui-bundle.js",
        swagger_css_url=f"{_MOUNT}/swagger-ui.css",
        swagger_favicon_url=f"{_MOUNT}/favicon.png",
    )


def mount_files(app: FastAPI) -> None:
    """Serve the page's script and style, which come with the package fastapi-offline."""
    app.mount(_MOUNT, StaticFiles(directory=str(files("fastapi_offline") / "static")))
