"""The reply that never ends by itself: a subscription written as `text/event-stream`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from twoleg.api.events.schemas import server_sent
from twoleg.events import EventStream, Subscription, Wanted
from twoleg.store import DatabaseUnavailable

HEARTBEAT_SECONDS: Final = 15.0
"""How long the stream is silent at most: proxies and clients take longer silence for death."""

CHECK_SECONDS: Final = 60.0
"""How often the token is asked about again: one that was revoked is heard no longer."""

SEND_SECONDS: Final = 20.0
"""How long a reader may take nothing before it is cut off."""

RETRY_MILLISECONDS: Final = 1000

log = structlog.get_logger(__name__)


class EventStreamReply(Response):
    """Writes what `wanted` names of `stream` behind event `after`, until the client leaves.

    Raises TooManySubscriptions before anything is sent.
    """

    media_type = "text/event-stream"
    charset = "utf-8"

    def __init__(
        self,
        stream: EventStream,
        wanted: Wanted,
        after: int | None,
        allowed: Callable[[], Awaitable[bool]],
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._stream = stream
        self._wanted = wanted
        self._after = after
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; returns when either side has had enough."""
        del scope
        with self._stream.subscribe(self._wanted, self._after) as subscription:
            writing = asyncio.create_task(self._write(subscription, send))
            leaving = asyncio.create_task(_left(receive))
            try:
                await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    writing.result()
            finally:
                writing.cancel()
                leaving.cancel()
                await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, subscription: Subscription, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        try:
            await _send(send, f"retry: {RETRY_MILLISECONDS}\n\n".encode())
            await self._write_events(subscription, send)
            await _send(send, b"", more=False)
        except TimeoutError:
            log.info("an event stream's reader takes nothing", account_id=self._wanted.account_id)
        except DatabaseUnavailable:
            await _send(send, b"", more=False)

    async def _write_events(self, subscription: Subscription, send: Send) -> None:
        loop = asyncio.get_running_loop()
        check_at = loop.time() + CHECK_SECONDS
        async with aclosing(subscription.batches(HEARTBEAT_SECONDS)) as batches:
            async for position, events in batches:
                if events:
                    await _send(send, b"".join(map(server_sent, events)))
                else:
                    # An id without data is no event, and yet what the client resumes from.
                    await _send(send, f": heartbeat\nid: {position}\n\n".encode())
                if loop.time() >= check_at:
                    if not await self._allowed():
                        return
                    check_at = loop.time() + CHECK_SECONDS


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
