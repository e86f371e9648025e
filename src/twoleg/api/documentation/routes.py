"""`/api/v1/openapi.json`, and `/api/v1/docs`, which needs nothing from any other host."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from twoleg.api.documentation.schemas import describe
from twoleg.api.errors import JSONReply

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Return the description of this API."""
    return JSONReply(describe(request.app))


@router.get("/docs")
async def page() -> Response:
    """Return the page that shows the description and sends requests."""
    text = files(__package__ or "").joinpath("page.html").read_text()
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})
