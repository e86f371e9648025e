"""Offers and answers within a confirmed dialog: re-INVITE and UPDATE (RFC 3261 14, RFC 3311)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import ref

from twoleg.sip.dialog_request import DialogRequest, Done
from twoleg.sip.errors import LocalProtocolError
from twoleg.sip.events import (
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWanted,
    RefusalCause,
)
from twoleg.sip.header_lines import SDP
from twoleg.sip.message import Request, Response
from twoleg.sip.server_transaction import ServerTransaction
from twoleg.sip.session_timer import MIN_SECONDS, is_too_short
from twoleg.sip.timers import Timer

if TYPE_CHECKING:
    from twoleg.sip.leg import Leg

MAX_GLARES: Final = 5
"""How often in a row an offer of ours that meets 491 is made again."""

_GLARE_STEPS: Final = 1000
_BUSY_SECONDS: Final = 2


class OfferExchange:
    """At most one offer of each side, and never both at once."""

    __slots__ = (
        "_glares",
        "_leg_reference",
        "_offered",
        "_ours",
        "_request",
        "_wanted",
    )

    def __init__(self, leg: Leg) -> None:
        self._leg_reference = ref(leg)
        self._offered: ServerTransaction | None = None
        """The peer's offer, or its wish for one, that our user has not answered."""

        self._wanted = False
        """Whether the peer wanted an offer of us, whose answer its ACK brings."""

        self._ours: tuple[str, bytes] | None = None
        """Method and body of our offer, from its first attempt to its answer."""

        self._request: DialogRequest | None = None
        """Our offer, while it is under way; None between attempts."""

        self._glares = 0

    @property
    def _leg(self) -> Leg:
        # The leg holds this, and all that it held goes with it, without a garbage collector.
        leg = self._leg_reference()
        assert leg is not None
        return leg

    # Ours.

    def offer(self, method: str, body: bytes) -> None:
        """Make an offer. Raises LocalProtocolError."""
        if self._ours is not None or self._wanted or self._offered is not None:
            raise LocalProtocolError("another offer has no answer yet")
        if not self._may_leave:
            raise LocalProtocolError("the way to the peer would show the keys of its media")
        self._ours = (method, body)
        self._glares = 0
        if self._request is None:
            self._send()

    def try_again(self) -> None:
        """Make the offer again that met one of the peer's."""
        if self._ours is None:
            return
        if self._offered is not None or self._wanted:
            self._wait()
        else:
            self._send()

    def _send(self) -> None:
        leg = self._leg
        dialog = leg.require_dialog()
        assert self._ours is not None
        method, body = self._ours
        leg.last_body = body or leg.last_body
        endpoint = leg.endpoint
        lines = (
            f"Contact: {endpoint.contact(dialog.transport)}\r\nAllow: {endpoint.allow}\r\n"
            f"{leg.session.request_lines()}"
        )
        if body:
            lines += f"Content-Type: {SDP}\r\n"
        self._request = DialogRequest(dialog, leg.digest, method, lines, body, self._done)
        self._request.send()

    @property
    def _may_leave(self) -> bool:
        """Whether a description of ours may go where our requests do: a Contact may name UDP."""
        leg = self._leg
        return not leg.secure or leg.require_dialog().leads_over.secure

    def _done(self, response: Response | None, cause: RefusalCause) -> None:
        del cause
        self._request = None
        status = 408 if response is None else response.status
        if status == 491 and self._glares < MAX_GLARES:
            self._glares += 1
            self._wait()
            return
        leg = self._leg
        self._ours = None
        if response is not None and status < 300:
            leg.session.accepted(response)
            leg.endpoint.events.append(OfferAnswered(leg.number, response.body))
            return
        leg.endpoint.events.append(OfferRefused(leg.number, status))
        leg.check_gone(response)

    def _wait(self) -> None:
        # RFC 3261 14.1: whoever made the Call-ID waits 2.1 to 4 s, the other up to 2.
        leg = self._leg
        part = int(leg.endpoint.tokens(4)[:6], 16) % _GLARE_STEPS / _GLARE_STEPS
        leg.start_timer(Timer.GLARE, 2.1 + 1.9 * part if leg.MADE_CALL_ID else 2.0 * part)

    # Session refresh.

    def refresh(self, done: Done) -> bool:
        """Send a re-INVITE that changes nothing; False where another offer is open."""
        if self._request is not None or self._ours is not None or self._offered is not None:
            return False
        leg = self._leg
        if self._wanted or not leg.last_body or not self._may_leave:
            return False
        dialog = leg.require_dialog()

        def refreshed(response: Response | None, cause: RefusalCause) -> None:
            self._request = None
            done(response, cause)
            if self._ours is not None and leg.is_confirmed:
                self._send()

        lines = (
            f"Contact: {leg.endpoint.contact(dialog.transport)}\r\n"
            f"{leg.session.request_lines()}Content-Type: {SDP}\r\n"
        )
        self._request = DialogRequest(dialog, leg.digest, "INVITE", lines, leg.last_body, refreshed)
        self._request.send()
        return True

    # The peer's.

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of the peer has no response yet."""
        return self._offered is not None

    def receive(self, transaction: ServerTransaction, request: Request) -> None:
        """Take a re-INVITE or UPDATE, or a PRACK that brings an offer (RFC 3262 5)."""
        legs = self._leg.legs
        if self._offered is not None or self._wanted:
            # RFC 3261 14.2, RFC 3311 5.2: the first is still being answered.
            legs.reply(transaction, 500, (("Retry-After", str(_BUSY_SECONDS)),))
        elif self._request is not None:
            legs.reply(transaction, 491)
        elif request.body and request.content_type not in ("", SDP):
            legs.reply(transaction, 415, (("Accept", SDP),))
        elif is_too_short(request):
            legs.reply(transaction, 422, (("Min-SE", str(MIN_SECONDS)),))
        else:
            self._leg.require_dialog().refresh_target(request)
            self._take(transaction, request)

    def _take(self, transaction: ServerTransaction, request: Request) -> None:
        leg = self._leg
        if request.method == "UPDATE" and not request.body:
            # A session refresh (RFC 3311 5.2).
            leg.legs.reply(transaction, 200, leg.success_headers(transaction))
            return
        self._offered = transaction
        if request.method == "INVITE":
            transaction.user = leg
            leg.legs.reply(transaction, 100)
        if request.body:
            leg.endpoint.events.append(Offered(leg.number, request.body, request.method))
        else:
            self._wanted = True
            leg.endpoint.events.append(OfferWanted(leg.number))

    def answer(self, body: bytes) -> None:
        """Answer the peer's offer; or make ours, where it asked for one."""
        offered = self._take_offered()
        leg = self._leg
        leg.last_body = body
        leg.legs.reply(offered, 200, leg.success_headers(offered), body)
        if offered.request.method == "INVITE":
            leg.await_ack(offered)
        leg.offer_settled(offered)

    def refuse(self, status: int) -> None:
        """Refuse the peer's offer; the session stays as it was."""
        offered = self._take_offered()
        self._wanted = False
        self._leg.legs.reply(offered, status)
        self._leg.offer_settled(offered)

    def acknowledged(self, body: bytes) -> None:
        """Take the ACK of our 2xx to a re-INVITE: it has the answer, if the offer was ours."""
        if not self._wanted:
            return
        self._wanted = False
        leg = self._leg
        if body:
            leg.endpoint.events.append(OfferAnswered(leg.number, body))
        else:
            leg.endpoint.events.append(OfferRefused(leg.number, 488))

    def cancel(self, transaction: ServerTransaction) -> None:
        """Take the CANCEL of a re-INVITE that our user has not answered."""
        if transaction is self._offered:
            self._offered = None
            self._wanted = False
            self._leg.legs.reply(transaction, 487)

    def close(self) -> None:
        """Leave nothing open: the dialog is over."""
        if self._offered is not None:
            self._leg.legs.reply(self._offered, 487)
            self._offered = None
        if self._request is not None:
            # It may wait for its answer for ever: the peer has forgotten it with the dialog.
            self._request.give_up()
            self._request = None

    def _take_offered(self) -> ServerTransaction:
        offered = self._offered
        if offered is None:
            raise LocalProtocolError(f"leg {self._leg.number} was offered nothing")
        self._offered = None
        return offered
