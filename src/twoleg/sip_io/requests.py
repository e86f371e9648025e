"""Requests of ours outside of calls: OPTIONS, REGISTER and their like."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from twoleg.sip import (
    InviteIdentity,
    LocalProtocolError,
    OutOfDialogRequest,
    Reason,
    RefusalCause,
    RequestCompleted,
    Response,
)
from twoleg.sip_io.core_loop import CoreLoop
from twoleg.sip_io.errors import PhoneClosed, RequestFailed
from twoleg.sip_io.next_hops import next_hops
from twoleg.sip_io.resolver import Resolver


class Requests:
    """Those that wait for their final response."""

    def __init__(self, running: CoreLoop, resolver: Resolver) -> None:
        self._running = running
        self._resolver = resolver
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self._closed = False

    async def send(self, request: OutOfDialogRequest) -> Response:
        """Send a request and wait for its final response, whatever it says.

        Raises RequestFailed, UnresolvedHost, PhoneClosed.
        """
        if request.flow is None:
            found = await next_hops(
                self._resolver, request.destinations, request.routes, request.target
            )
            request = replace(request, destinations=found)
        if self._closed:
            raise PhoneClosed
        running = self._running
        try:
            number = running.core.request(request, running.now())
        except LocalProtocolError as error:
            raise RequestFailed(RefusalCause.TRANSPORT) from error
        response = await self._completed(number)
        if len(request.destinations) == 1:
            self._resolver.worked(request.destinations[0])
        return response

    async def cancel(self, invite: InviteIdentity, reason: Reason | None) -> Response:
        """Cancel the INVITE of another process.

        Raises LocalProtocolError, RequestFailed, PhoneClosed.
        """
        if self._closed:
            raise PhoneClosed
        running = self._running
        return await self._completed(running.core.cancel(invite, running.now(), reason))

    async def _completed(self, number: int) -> Response:
        completed: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[number] = completed
        try:
            self._running.turn()
            return await completed
        finally:
            del self._waiting[number]

    def on_completed(self, event: RequestCompleted) -> None:
        completed = self._waiting.get(event.request)
        if completed is None or completed.done():
            return
        if event.response is None:
            completed.set_exception(RequestFailed(event.cause))
        else:
            completed.set_result(event.response)

    def close(self) -> None:
        """Wait for no response any more, and send no request."""
        self._closed = True
        for completed in self._waiting.values():
            if not completed.done():
                completed.set_exception(PhoneClosed())
