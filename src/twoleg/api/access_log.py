"""One log line a request, without query string, headers or body: those may hold a token."""

from __future__ import annotations

import logging
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twoleg.api.measurements import Measurements

MAX_LOGGED_PATH: Final = 200

log = structlog.get_logger(__name__)
# Asked before a line is put together: nearly always nobody wants it.
_levels = logging.getLogger(__name__)


class AccessLog:
    """ASGI middleware: logs and counts each request by method, path and status."""

    def __init__(self, app: ASGIApp, measurements: Measurements) -> None:
        self._app = app
        self._measurements = measurements

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            self._measurements.request(scope["method"], status, seconds)
            if _levels.isEnabledFor(logging.DEBUG):
                log.debug(
                    "request",
                    method=scope["method"],
                    path=scope["path"][:MAX_LOGGED_PATH],
                    status=status,
                    milliseconds=round(seconds * 1000, 2),
                )
