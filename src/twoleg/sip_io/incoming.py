"""Calls to us, as a softphone takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from twoleg.sip import Flow, LegGone, Reason, Request
from twoleg.sip_io.leg import NO_CHANGES, Leg, LegEnd, LegRefused, Session

if TYPE_CHECKING:
    from twoleg.sip_io.legs import Legs


class IncomingCall:
    """An INVITE of somebody who calls us. Whoever takes it must hang it up in the end.

    `request` is the INVITE, `offer` its session description; empty: we are to make the offer.
    """

    def __init__(self, legs: Legs, leg: Leg, request: Request, flow: Flow) -> None:
        self._legs = legs
        self.leg = leg
        self.request = request
        self.flow = flow

    @property
    def offer(self) -> bytes:
        return self.request.body

    def ring(self, status: int = 180, body: bytes | None = None) -> None:
        """Say that it rings, or what else goes on. A call that is over by now is left alone.

        Where the caller requires it, what is said is repeated until its PRACK comes, or the call
        is refused (RFC 3262). A session description that was said so is the answer to `offer`.
        """
        self._attempt(lambda: self._legs.ring_back(self.leg, status, body))

    def accept(self, answer: bytes, session: Session = NO_CHANGES) -> None:
        """Answer the call; `session` hears what the caller wants later."""
        self.leg.session = session
        self._attempt(lambda: self._legs.accept(self.leg, answer))

    def reject(self, status: int, reason: str = "") -> None:
        """Refuse the call."""
        self._attempt(lambda: self._legs.reject(self.leg, status, reason))

    def hang_up(self, reason: Reason | None = None) -> None:
        """End the call, whatever state it is in. Never blocks."""
        self.leg.hang_up(reason)

    async def ended(self) -> LegEnd:
        """Wait for the end of the call, by whichever side, answered or not."""
        try:
            return await self.leg.ended()
        except LegRefused as refused:
            return LegEnd(True, refused.status, refused.q850, refused.reason)

    @staticmethod
    def _attempt(do: Callable[[], None]) -> None:
        try:
            do()
        except LegGone:
            return  # the caller gave up meanwhile, as `ended` tells


class IncomingCalls:
    """Calls that wait to be taken, in their order; a bounded number of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: deque[IncomingCall] = deque()
        self._arrived = asyncio.Event()

    def put(self, call: IncomingCall) -> bool:
        """Add a call; False if too many wait already."""
        if len(self._calls) >= self._most:
            return False
        self._calls.append(call)
        self._arrived.set()
        return True

    async def get(self) -> IncomingCall:
        while not self._calls:
            self._arrived.clear()
            await self._arrived.wait()
        return self._calls.popleft()
