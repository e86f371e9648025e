"""Ringing a far end: whom, with what, and for how long it is ours to end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from types import TracebackType

from twoleg.sip import (
    Credentials,
    Destination,
    Flow,
    InviteIdentity,
    NameAddr,
    Request,
    SipUri,
)
from twoleg.sip.values import immutable
from twoleg.sip_io.leg import Info, Leg


@immutable(kw_only=True)
class RingRequest:
    """Whom to ring, and what to say.

    `answer_offer` answers a later offer of the peer (hold, a change of codec) and may raise
    SessionRejected (488); `make_offer` makes ours when the peer asks for one, and
    `accept_answer` takes what the peer answers to it. `take_info` is given each INFO of the
    peer, as DTMF comes from some phones, and `take_request` each request within the call of
    `PhoneConfig.dialog_methods`, to which it gives the status of our response.

    `destinations` empty means: find them from the first route, or the target (RFC 3263).
    `response_seconds` is how long each of them may say nothing at all; None: 16*T1, and the last of
    them 64*T1.
    `secure`: what describes the session holds keys, and goes over TLS or not at all.
    `identity`: how the INVITE will be known, if that was decided (`Phone.identify`).
    """

    target: SipUri
    from_: NameAddr
    to: NameAddr
    offer: bytes = field(repr=False)
    answer_offer: Callable[[bytes], bytes]
    make_offer: Callable[[], bytes]
    accept_answer: Callable[[bytes], None] | None = None
    take_info: Callable[[Info], None] | None = None
    take_request: Callable[[Request], int] | None = None
    destinations: tuple[Destination, ...] = ()
    routes: tuple[NameAddr, ...] = ()
    flow: Flow | None = None
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = field(default=None, repr=False)
    max_redirects: int = 0
    response_seconds: float | None = None
    secure: bool = False
    identity: InviteIdentity | None = None


class Ringing:
    """The span of one leg: entering rings, leaving hangs up."""

    __slots__ = ("_leg", "_place", "_request")

    def __init__(
        self, place: Callable[[RingRequest], Awaitable[Leg]], request: RingRequest
    ) -> None:
        self._place = place
        self._request = request
        self._leg: Leg | None = None

    async def __aenter__(self) -> Leg:
        self._leg = await self._place(self._request)
        return self._leg

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._leg is not None:
            self._leg.hang_up()
