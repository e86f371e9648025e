"""The user agent: bytes, wishes and the time in; bytes to send, events and a deadline out.

Nothing here does I/O or reads a clock. After each call, `take` what is to be sent and told, and
call `handle_timeout` when the deadline that it gives has come.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twoleg.sip.client_transaction import RESPONSE_INPUTS, ClientTransaction
from twoleg.sip.dialogs import DialogIdentity
from twoleg.sip.endpoint import ALLOWED, MAX_LEGS, MAX_TRANSACTIONS, Endpoint
from twoleg.sip.errors import LocalProtocolError, RemoteProtocolError, SipError
from twoleg.sip.events import Event, Invited, RequestReceived
from twoleg.sip.header_lines import SDP, header_lines, reason_line, unsupported
from twoleg.sip.incoming_leg import IncomingLeg
from twoleg.sip.interface import (
    Counters,
    HeaderFields,
    Invitation,
    Outgoing,
    OutOfDialogRequest,
    ResponseSpec,
    UserAgentConfig,
)
from twoleg.sip.invite_identity import InviteIdentity, LostInvite
from twoleg.sip.leg import Leg, LegGone
from twoleg.sip.legs import Legs, make_response
from twoleg.sip.message import Request, Response, has_tag
from twoleg.sip.out_of_dialog import PlainRequest
from twoleg.sip.outgoing_leg import OutgoingLeg
from twoleg.sip.parser import parse_message
from twoleg.sip.server_transaction import (
    ServerTransaction,
    mark_received,
    merge_key,
    response_path,
    transaction_key,
)
from twoleg.sip.session_timer import MIN_SECONDS, is_too_short
from twoleg.sip.transport import Destination, Flow
from twoleg.sip.uri import SipUri, TelUri

if TYPE_CHECKING:
    from twoleg.sip.digest import Credentials
    from twoleg.sip.fields import NameAddr, Reason

MAX_UNANSWERED: Final = 10_000
"""Requests that were passed to the user and have no response yet."""

RETRY_AFTER_SECONDS: Final = 5

_KNOWN: Final = frozenset({
    *ALLOWED, "REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH", "REFER",
})  # fmt: skip


_REACHABLE: Final = (SipUri, TelUri)

# As `Draft` writes it.
_SENT_REQUEST: Final = re.compile(rb"([A-Z]+) [^\r\n]*\r\nVia: [^\r\n;]*;branch=([^\r\n;]+)").match


class UserAgent:
    """All legs, registrations and requests of one SIP endpoint.

    `tokens(n)` makes a random text of n bytes of randomness; `now` is in seconds of any clock that
    never goes back. Methods that take bytes or messages of the network never raise.
    """

    def __init__(self, config: UserAgentConfig, tokens: Callable[[int], str]) -> None:
        self._endpoint = Endpoint(config, tokens)
        self._legs = Legs(self._endpoint)
        self._unanswered: dict[int, ServerTransaction] = {}

    # From the network.

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram."""
        self._endpoint.now = now
        try:
            message = parse_message(data)
        except RemoteProtocolError as error:
            self._refuse(error, flow)
            return
        self.receive_message(message, flow, now)

    def receive_message(
        self, message: Request | Response | RemoteProtocolError, flow: Flow, now: float
    ) -> None:
        """Take what a StreamParser gave."""
        self._endpoint.now = now
        if isinstance(message, Response):
            self._receive_response(message)
        elif isinstance(message, Request):
            self._receive_request(message, flow)
        else:
            self._refuse(message, flow)

    def resolved(self, sent: Outgoing, destinations: tuple[Destination, ...], now: float) -> None:
        """Take the addresses, best first, of a message to a host name; it is given out anew."""
        self._endpoint.now = now
        transaction = self._waiting_for(sent)
        if transaction is not None:
            transaction.resolved(sent, destinations)

    def transport_failed(self, sent: Outgoing, now: float) -> None:
        """Take note that a message could not be sent."""
        self._endpoint.now = now
        transaction = self._waiting_for(sent)
        if transaction is not None:
            transaction.transport_failed()

    def undelivered(self, beginning: bytes, now: float) -> None:
        """Take note that a datagram reached nobody, by its first bytes (RFC 3261 18.4).

        Only a request of ours means anything, whose branch nobody guesses who has not seen it.
        """
        sent = _SENT_REQUEST(beginning)
        if sent is None:
            return
        self._endpoint.now = now
        method, branch = sent.groups()
        transaction = self._endpoint.clients.get((branch.decode(), method.decode()))
        if transaction is not None:
            self._endpoint.counters.undelivered += 1
            transaction.transport_failed()

    def handle_timeout(self, now: float) -> None:
        """Do what is due at `now`."""
        self._endpoint.now = now
        for owner, timer in self._endpoint.deadlines.due(now):
            owner.timer_fired(timer)

    # To the network and the user.

    def take(self) -> tuple[list[Outgoing], list[Event], float | None]:
        """Give what is to be sent and what is to be told, both in their order and each once.

        The third is when `handle_timeout` is to be called; None: not until something else happens.
        """
        endpoint = self._endpoint
        outbox, endpoint.outbox = endpoint.outbox, []
        events, endpoint.events = endpoint.events, []
        return outbox, events, endpoint.deadlines.next()

    @property
    def counters(self) -> Counters:
        return self._endpoint.counters

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left that must still be sent or waited for."""
        return not self._legs and not self._endpoint.busy

    # What the user asks for.

    def invite(self, invitation: Invitation, now: float) -> int:
        """Ring a far end; give the leg's number. Raises LocalProtocolError."""
        self._endpoint.now = now
        if len(self._legs.by_number) >= MAX_LEGS or self._is_full():
            raise LocalProtocolError("there are too many legs")
        leg = OutgoingLeg(self._legs, invitation)
        leg.start()
        return leg.number

    def identify(
        self,
        target: SipUri,
        from_: NameAddr,
        to: NameAddr,
        routes: tuple[NameAddr, ...],
        destination: Destination,
    ) -> InviteIdentity:
        """Decide how the INVITE of a later `Invitation` will be known, which is given this.

        Raises LocalProtocolError.
        """
        return InviteIdentity.ahead(self._endpoint, target, from_, to, routes, destination)

    def acknowledge(self, leg: int, now: float, body: bytes | None = None) -> None:
        """Let the ACK of an answer leave; `body` is our answer where the 2xx brought an offer.

        Until then retransmissions of the 2xx are absorbed. Does nothing for a leg that is over.
        """
        self._endpoint.now = now
        found = self._legs.by_number.get(leg)
        if found is not None:
            found.acknowledge(body)

    def hang_up(self, leg: int, now: float, reason: Reason | None = None) -> None:
        """End a leg in whatever way its state asks for; does nothing for one that is over."""
        self._endpoint.now = now
        found = self._legs.by_number.get(leg)
        if found is not None:
            found.hang_up(reason)

    def offer(self, leg: int, now: float, body: bytes, method: str = "INVITE") -> None:
        """Offer a new session by re-INVITE or UPDATE. Raises LegGone, LocalProtocolError."""
        self._endpoint.now = now
        self._legs.get(leg).offer(body, method)

    def answer_offer(self, leg: int, now: float, body: bytes) -> None:
        """Answer `Offered`, or make the offer that `OfferWanted` asks for.

        Raises LegGone, LocalProtocolError.
        """
        self._endpoint.now = now
        self._legs.get(leg).offers.answer(body)

    def refuse_offer(self, leg: int, now: float, status: int = 488) -> None:
        """Refuse `Offered`; the session goes on as it was. Raises LegGone, LocalProtocolError."""
        self._endpoint.now = now
        self._legs.get(leg).offers.refuse(status)

    def send_request(
        self,
        leg: int,
        now: float,
        method: str,
        headers: HeaderFields = (),
        body: bytes = b"",
        content_type: str = SDP,
    ) -> int:
        """Send a request within a dialog; `RequestCompleted` has the number. Raises LegGone."""
        self._endpoint.now = now
        return self._legs.get(leg).send_request(method, headers, body, content_type)

    def send_info(self, leg: int, now: float, content_type: str, body: bytes) -> int:
        """Send an INFO within a dialog (RFC 6086). Raises LegGone."""
        return self.send_request(leg, now, "INFO", (), body, content_type)

    def ring_back(self, leg: int, now: float, status: int = 180, body: bytes | None = None) -> None:
        """Answer an INVITE provisionally. Raises LegGone, LocalProtocolError."""
        self._endpoint.now = now
        self._incoming(leg).ring_back(status, body)

    def accept(self, leg: int, now: float, body: bytes) -> None:
        """Answer an INVITE with 200. Raises LegGone."""
        self._endpoint.now = now
        self._incoming(leg).accept(body)

    def reject(
        self, leg: int, now: float, status: int, reason: str = "", headers: HeaderFields = ()
    ) -> None:
        """Refuse an INVITE. Raises LegGone, LocalProtocolError."""
        self._endpoint.now = now
        self._incoming(leg).reject(status, reason, headers)

    def request(self, request: OutOfDialogRequest, now: float) -> int:
        """Send a request outside any dialog; `RequestCompleted` has the number.

        Raises LocalProtocolError.
        """
        self._endpoint.now = now
        if self._is_full():
            raise LocalProtocolError("there are too many requests under way")
        plain = PlainRequest(self._endpoint, request)
        plain.send()
        return plain.number

    def respond(self, transaction: int, response: ResponseSpec, now: float) -> None:
        """Answer a request that was passed on as `RequestReceived`; once is enough."""
        self._endpoint.now = now
        found = self._unanswered.get(transaction)
        if found is None:
            return
        if response.status >= 200:
            del self._unanswered[transaction]
        headers = response.headers
        if found.request.method == "REFER" and 200 <= response.status < 300:
            headers += self._legs.contact_header(found)  # RFC 3515 2.2
        self._legs.reply(
            found,
            response.status,
            headers,
            response.body,
            reason=response.reason,
            content_type=response.content_type,
        )

    def adopt(
        self, identity: DialogIdentity, now: float, credentials: Credentials | None = None
    ) -> int:
        """Take over a dialog of another process, to end it.

        Raises InvalidValue, LocalProtocolError.
        """
        self._endpoint.now = now
        return IncomingLeg.adopted(self._legs, identity, credentials).number

    def invite_under_way(self, leg: int) -> InviteIdentity | None:
        """Give what a CANCEL from another process needs; None where nothing is to be cancelled."""
        found = self._legs.by_number.get(leg)
        return found.invite_under_way if isinstance(found, OutgoingLeg) else None

    def cancel(self, invite: InviteIdentity, now: float, reason: Reason | None = None) -> int:
        """Cancel the INVITE of another process; `RequestCompleted` has the number.

        Raises InvalidValue, LocalProtocolError.
        """
        self._endpoint.now = now
        self._endpoint.address(invite.destination.transport)
        lost = LostInvite(self._endpoint, invite, reason_line(reason))
        lost.cancel()
        return lost.number

    # Inside.

    def _waiting_for(self, sent: Outgoing) -> ClientTransaction | None:
        return None if sent.token is None else self._endpoint.clients.get(sent.token)

    def _is_full(self) -> bool:
        return len(self._endpoint.clients) >= MAX_TRANSACTIONS

    def _incoming(self, number: int) -> IncomingLeg:
        leg = self._legs.get(number)
        if not isinstance(leg, IncomingLeg):
            raise LegGone(f"leg {number} was not rung at us")
        return leg

    def _receive_response(self, response: Response) -> None:
        endpoint = self._endpoint
        transaction = endpoint.clients.get((response.branch or "", response.cseq.method))
        if transaction is None or not response.has_one_via:
            endpoint.counters.stray_responses += 1
            return
        transaction.step(RESPONSE_INPUTS[response.status], response)

    def _receive_request(self, request: Request, flow: Flow) -> None:
        endpoint = self._endpoint
        via = mark_received(request, flow)
        key = transaction_key(request, via)
        found = endpoint.servers.get(key)
        if found is not None and (request.method != "ACK" or not self._is_for_dialog(request)):
            found.receive(request)
        elif request.method == "ACK":
            self._receive_ack(request)
        elif (
            len(endpoint.servers) >= MAX_TRANSACTIONS
            or flow.transport not in endpoint.config.addresses
        ):
            endpoint.counters.refused_for_load += 1
            self._reply_statelessly(
                request, flow, 503, (("Retry-After", str(RETRY_AFTER_SECONDS)),)
            )
        elif request.method == "CANCEL":
            self._receive_cancel(ServerTransaction(endpoint, request, via, flow, key))
        else:
            self._receive_new(ServerTransaction(endpoint, request, via, flow, key), flow)

    def _is_for_dialog(self, ack: Request) -> bool:
        """Tell whether an ACK is that of a 2xx, from a peer that repeats the INVITE's branch."""
        leg = self._legs.of_dialog(ack.call_id, ack.to_tag or "")
        return leg is not None and leg.awaits_ack

    def _receive_ack(self, request: Request) -> None:
        leg = self._legs.of_dialog(request.call_id, request.to_tag or "")
        if leg is None or leg.dialog is None or leg.dialog.remote_tag != (request.from_tag or ""):
            self._endpoint.counters.stray_acks += 1
            return
        leg.receive_ack(request)

    def _receive_cancel(self, cancel: ServerTransaction) -> None:
        request = cancel.request
        invite = self._endpoint.servers.get((*cancel.keys[0][:-1], "INVITE"))
        if invite is None:
            self._legs.reply(cancel, 481)
            return
        cancel.to_tag = invite.to_tag
        self._legs.reply(cancel, 200)
        user = invite.user
        if isinstance(user, IncomingLeg) and not invite.request.to_tag:
            user.cancel(request)
        elif isinstance(user, Leg):
            user.offers.cancel(invite)

    def _receive_new(self, transaction: ServerTransaction, flow: Flow) -> None:
        request = transaction.request
        tag = request.to_tag
        leg = None if tag is None else self._legs.of_dialog(request.call_id, tag)
        if tag is None:
            merged = merge_key(request)
            if self._endpoint.servers.setdefault(merged, transaction) is not transaction:
                self._legs.reply(transaction, 482)
                return
            transaction.keys.append(merged)
        missing = unsupported(request)
        if not isinstance(request.uri, _REACHABLE):
            self._legs.reply(transaction, 416)
        elif tag is not None and not self._is_peer(leg, request):
            self._legs.reply(transaction, 481)
        elif missing:
            self._legs.reply(transaction, 420, (("Unsupported", missing),))
        elif request.method in self._endpoint.config.handled_methods:
            self._pass_on(transaction, request, flow, leg)
        elif request.method not in ALLOWED:
            status = 405 if request.method in _KNOWN else 501
            self._legs.reply(transaction, status, (("Allow", self._endpoint.allow),))
        elif leg is not None:
            leg.receive(transaction, request)
        else:
            self._receive_first(transaction, request, flow)

    def _is_peer(self, leg: Leg | None, request: Request) -> bool:
        if leg is None:
            return False
        return leg.dialog is None or leg.dialog.remote_tag == (request.from_tag or "")

    def _receive_first(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        """Take a request outside any dialog, of a method that is the core's own."""
        if request.method == "OPTIONS":
            self._legs.reply(transaction, 200, self._legs.capabilities())
        elif request.method != "INVITE":
            self._legs.reply(transaction, 481)
        elif not self._endpoint.config.accept_invites:
            self._legs.reply(transaction, 403)
        elif len(self._legs.by_number) >= MAX_LEGS:
            self._endpoint.counters.refused_for_load += 1
            self._legs.reply(transaction, 503, (("Retry-After", str(RETRY_AFTER_SECONDS)),))
        elif request.body and request.content_type not in ("", SDP):
            self._legs.reply(transaction, 415, (("Accept", SDP),))
        elif not request.accepts(SDP):
            self._legs.reply(transaction, 406, (("Accept", SDP),))
        elif is_too_short(request):
            self._legs.reply(transaction, 422, (("Min-SE", str(MIN_SECONDS)),))
        else:
            self._legs.reply(transaction, 100)
            leg = IncomingLeg.of_invite(self._legs, transaction, request, flow)
            self._endpoint.events.append(Invited(leg.number, request, flow))

    def _pass_on(
        self, transaction: ServerTransaction, request: Request, flow: Flow, leg: Leg | None
    ) -> None:
        if len(self._unanswered) >= MAX_UNANSWERED:
            self._endpoint.counters.refused_for_load += 1
            self._legs.reply(transaction, 503, (("Retry-After", str(RETRY_AFTER_SECONDS)),))
            return
        if leg is not None and leg.dialog is not None and not leg.dialog.accepts(request):
            self._legs.reply(transaction, 500, reason="Out of Order")
            return
        self._unanswered[transaction.number] = transaction
        number = None if leg is None else leg.number
        self._endpoint.events.append(RequestReceived(transaction.number, request, flow, number))

    def _refuse(self, error: RemoteProtocolError, flow: Flow) -> None:
        """Answer what cannot be read, where an answer is possible."""
        if error.request is None:
            self._endpoint.counters.malformed += 1
            return
        try:
            mark_received(error.request, flow)
            self._reply_statelessly(error.request, flow, error.status, reason=error.reason)
            self._endpoint.counters.malformed_answered += 1
        except SipError:
            self._endpoint.counters.malformed += 1

    def _reply_statelessly(
        self,
        request: Request,
        flow: Flow,
        status: int,
        headers: HeaderFields = (),
        *,
        reason: str = "",
    ) -> None:
        """Send a response that leaves nothing behind (RFC 3261 8.2.7)."""
        data = make_response(
            request,
            status,
            reason,
            header_lines(headers),
            b"",
            SDP,
            "" if has_tag(request.headers.get("To") or "") else self._endpoint.tag(),
            self._endpoint.config.user_agent,
        )
        destination, way = response_path(request.via, flow)
        self._endpoint.send(data, destination, way)


__all__ = ["UserAgent"]
