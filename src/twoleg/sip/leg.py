"""A leg within its dialog: what both sides of a call do alike once there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twoleg.sip.client_transaction import ClientTransaction
from twoleg.sip.dialogs import Dialog
from twoleg.sip.digest import Credentials, DigestClient
from twoleg.sip.drafts import Draft
from twoleg.sip.endpoint import SUPPORTED
from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.events import (
    Ended,
    InfoReceived,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWanted,
    RefusalCause,
    RequestCompleted,
)
from twoleg.sip.fields import Reason
from twoleg.sip.interface import HeaderFields
from twoleg.sip.leg_states import LegAction, LegInput, LegMachine, LegState
from twoleg.sip.message import Message, Request, Response, reason_phrase
from twoleg.sip.server_transaction import ServerTransaction
from twoleg.sip.timers import Deadline, Timer

if TYPE_CHECKING:
    from twoleg.sip.legs import Legs

SDP: Final = "application/sdp"
_GLARE_RANGE: Final = 1000
"""Steps that a wait after glare is chosen from."""

_GONE: Final = frozenset({404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604})
"""Answers to a request within a dialog after which there is none (RFC 5057 5.1, the safe side)."""


class LegGone(LocalProtocolError):
    """The leg is over, or never was."""


@dataclass(slots=True)
class PendingRequest:
    """A request of ours within the dialog: sent again if the peer asks who we are."""

    leg: Leg
    method: str
    headers: str
    body: bytes
    number: int
    done: Callable[[Response | None, RefusalCause], None]
    draft: Draft | None = None
    ack: bytes = b""

    def send(self) -> None:
        leg = self.leg
        dialog = leg.dialog
        assert dialog is not None
        draft = dialog.draft(self.method, dialog.next_cseq(), self.headers, self.body)
        if leg.digest is not None:
            draft.headers += header_lines(leg.digest.headers(self.method, draft.uri))
        self.draft = draft
        transaction = ClientTransaction(leg.endpoint, draft, self)
        if self.method == "INVITE":
            leg.reinvite = transaction
        transaction.start()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        if transaction.draft is not self.draft or response.status < 200:
            return
        if response.status in (401, 407) and self._may_try_again(response):
            self.send()
            return
        if self.leg.digest is not None and response.status not in (401, 407):
            self.leg.digest.accepted()
        if self.method == "INVITE" and response.status < 300:
            self._acknowledge()
        self.done(response, RefusalCause.RESPONSE)

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        if transaction.draft is self.draft:
            self.done(None, cause)

    def _may_try_again(self, response: Response) -> bool:
        digest = self.leg.digest
        return digest is not None and digest.challenged(response.headers)

    def _acknowledge(self) -> None:
        # Each retransmission of the 2xx gets the same ACK (RFC 3261 13.2.2.4).
        dialog, draft = self.leg.dialog, self.draft
        assert dialog is not None
        assert draft is not None
        ack = dialog.draft("ACK", draft.cseq)
        self.ack = self.ack or ack.to_bytes()
        self.leg.endpoint.send(self.ack, ack.destination, ack.flow)


class Leg:
    """What outgoing and incoming legs have in common. `state` changes in `step` only."""

    __slots__ = (
        "_deadlines",
        "_ending",
        "_offer_wanted",
        "_offered",
        "_offering",
        "_reoffer",
        "_repeat",
        "ack_body",
        "call_id",
        "dialog",
        "digest",
        "endpoint",
        "hung_up",
        "legs",
        "local_tag",
        "machine",
        "number",
        "reason",
        "reinvite",
        "state",
    )

    def __init__(
        self, legs: Legs, machine: LegMachine, local_tag: str, credentials: Credentials | None
    ) -> None:
        endpoint = legs.endpoint
        self.legs = legs
        self.endpoint = endpoint
        self.machine = machine
        self.state = machine.start
        self.number = endpoint.number()
        self.local_tag = local_tag
        self.call_id = ""
        self.dialog: Dialog | None = None
        self.digest = None if credentials is None else DigestClient(credentials, endpoint.tokens)
        self.reason: Reason | None = None
        """Why we hung up."""

        self._ending: Ended | None = None
        self._offered: ServerTransaction | None = None
        """The peer's offer that our user has not answered."""

        self._offering = False
        """Whether an offer of ours waits for its answer."""

        self.reinvite: ClientTransaction | None = None
        """The last re-INVITE of ours."""

        self._reoffer: tuple[str, bytes] | None = None
        self._deadlines: dict[Timer, Deadline] = {}
        self._repeat = 0.0
        self._offer_wanted = False
        """Whether our 2xx to a re-INVITE carried our offer, whose answer the ACK brings."""

        self.ack_body = b""
        self.hung_up = False
        """Whether our user wanted the end."""

    # What the user asks for.

    def acknowledge(self, body: bytes | None) -> None:
        """Let the ACK of the far end's 2xx leave; means nothing for a leg that was rung at us."""

    def offer(self, body: bytes, method: str) -> None:
        """Send a new offer by re-INVITE or UPDATE. Raises LocalProtocolError."""
        self._must_be(LegState.CONFIRMED)
        if self._offering or self._offer_wanted or self._offered is not None:
            raise LocalProtocolError("another offer has no answer yet")
        self._offering = True
        self._send_offer(method, body)

    def answer_offer(self, body: bytes) -> None:
        """Answer the peer's offer; or make ours, where it asked for one."""
        offered = self._take_offered()
        self._accept_within(offered, body)

    def refuse_offer(self, status: int) -> None:
        """Refuse the peer's offer; the session stays as it was."""
        offered = self._take_offered()
        self._offer_wanted = False
        self.legs.reply(offered, status)

    def send_request(
        self, method: str, headers: HeaderFields, body: bytes, content_type: str
    ) -> int:
        """Send a request within the dialog; `RequestCompleted` carries the returned number."""
        if self.dialog is None or self.state not in (LegState.CONFIRMED, LegState.ANSWERED):
            raise LegGone(f"leg {self.number} has no dialog")
        number = self.endpoint.number()
        lines = header_lines(headers)
        if body:
            lines += f"Content-Type: {content_type}\r\n"

        def done(response: Response | None, cause: RefusalCause) -> None:
            self.endpoint.emit(RequestCompleted(number, response, cause))
            self._check_gone(response)

        PendingRequest(self, method, lines, body, number, done).send()
        return number

    def hang_up(self, reason: Reason | None) -> None:
        """End the leg in whatever way its state asks for."""
        if not self.hung_up:
            self.hung_up = True
            self.reason = reason
        self.step(LegInput.HANG_UP)

    # What the peer sends within the dialog.

    def receive(self, transaction: ServerTransaction, request: Request) -> None:
        """Take a request of the dialog that was not there before."""
        dialog = self.dialog
        if dialog is None or self.state is LegState.ENDED:
            self.legs.reply(transaction, 481)
            return
        if not dialog.accepts(request):
            self.legs.reply(transaction, 500, reason="Out of Order")
            return
        method = request.method
        if method == "BYE":
            self._receive_bye(transaction, request)
        elif method in ("INVITE", "UPDATE"):
            self._receive_offer(transaction, request)
        elif method == "INFO":
            self.legs.reply(transaction, 200)
            content_type = request.headers.get("Content-Type") or ""
            self.endpoint.emit(InfoReceived(self.number, content_type, request.body))
        elif method == "OPTIONS":
            self.legs.reply(transaction, 200, self.legs.capabilities())
        else:
            # PRACK: we send nothing reliably, so that there is nothing to acknowledge.
            self.legs.reply(transaction, 481)

    def receive_ack(self, request: Request) -> None:
        """Take the ACK of a 2xx of ours."""
        self._stop(Timer.SUCCESS_RETRANSMIT, Timer.SUCCESS_TIMEOUT)
        self.ack_body = request.body
        if self.state in (LegState.ANSWERED, LegState.LEAVING):
            self.step(LegInput.ACK)
        elif self._offer_wanted and self._offered is None:
            self._offer_wanted = False
            if request.body:
                self.endpoint.emit(OfferAnswered(self.number, request.body))
            else:
                self.endpoint.emit(OfferRefused(self.number, 488))

    def on_acknowledged(self, ack: Request) -> None:
        self.receive_ack(ack)

    def cancel_offer(self, transaction: ServerTransaction) -> None:
        """Take the CANCEL of a re-INVITE that our user has not answered."""
        if transaction is self._offered:
            self._offered = None
            self._offer_wanted = False
            self.legs.reply(transaction, 487)

    # The machine.

    def step(self, happened: LegInput) -> LegAction:
        """Enter the next state, and do what the table says."""
        after, action = self.machine.table[self.state][happened]
        entered_end = after is LegState.ENDED and self.state is not LegState.ENDED
        self.state = after
        self.act(action)
        if entered_end:
            self._close()
        return action

    def act(self, action: LegAction) -> None:
        """Do what both kinds of leg do alike; others override and call this."""
        if action is LegAction.BYE:
            self._send_bye()
        elif action is LegAction.END:
            self.tell_end()

    def tell_end(self) -> None:
        """Tell the user that the answered leg is over."""
        self.endpoint.emit(self._ending or Ended(self.number, by_remote=False))

    def timer_fired(self, timer: Timer) -> None:
        del self._deadlines[timer]
        if timer is Timer.GLARE:
            if self._reoffer is not None and self.state is LegState.CONFIRMED:
                method, body = self._reoffer
                self._send_offer(method, body)
        elif timer is Timer.SUCCESS_RETRANSMIT:
            self._repeat_success()
        elif timer is Timer.SUCCESS_TIMEOUT:
            self._stop(Timer.SUCCESS_RETRANSMIT)
            self._never_acknowledged()
        else:
            self.step(LegInput.GIVE_UP)

    def _never_acknowledged(self) -> None:
        """Our 2xx had no ACK in 64*T1: the dialog is to be ended (RFC 3261 13.3.1.4, 14.2)."""
        self._ending = self._ending or Ended(self.number, by_remote=True, status=408)
        if self.state is LegState.CONFIRMED:
            self.step(LegInput.HANG_UP)
        else:
            self.step(LegInput.GIVE_UP)

    def _close(self) -> None:
        self._stop(*tuple(self._deadlines))
        if self._offered is not None:
            self.legs.reply(self._offered, 487)
            self._offered = None
        if self.reinvite is not None:
            # It may wait for its answer for ever: the peer has forgotten it with the dialog.
            self._offering = False
            self.reinvite.give_up()
        self.legs.forget(self)

    # BYE.

    def _send_bye(self) -> None:
        lines = reason_line(self.reason)
        PendingRequest(self, "BYE", lines, b"", 0, self._bye_done).send()

    def _bye_done(self, response: Response | None, cause: RefusalCause) -> None:
        # Whatever came, or did not: the dialog is over (RFC 3261 15.1.1).
        del response, cause
        self.step(LegInput.DONE)

    def _receive_bye(self, transaction: ServerTransaction, request: Request) -> None:
        self.legs.reply(transaction, 200)
        if self.state is not LegState.ENDING:
            status, q850, text = told_causes(request)
            self._ending = Ended(self.number, True, status, q850, text)
        self.step(LegInput.BYE)

    def _check_gone(self, response: Response | None) -> None:
        """End the leg where a request of ours found no dialog there (RFC 3261 12.2.1.2)."""
        status = 408 if response is None else response.status
        if status not in _GONE or self.state not in (LegState.ANSWERED, LegState.CONFIRMED):
            return
        self._ending = Ended(self.number, True, status, None, reason_phrase(status))
        if status == 481:
            self.step(LegInput.GONE)
        else:
            self.step(LegInput.HANG_UP)

    # Offers.

    def _receive_offer(self, transaction: ServerTransaction, request: Request) -> None:
        if self._offered is not None or self._offer_wanted:
            # RFC 3261 14.2, RFC 3311 5.2: the first is still being answered.
            self.legs.reply(transaction, 500, (("Retry-After", "2"),))
        elif self._offering or (self.state is LegState.ANSWERED and request.method == "INVITE"):
            self.legs.reply(transaction, 491)
        elif request.body and request.content_type not in ("", SDP):
            self.legs.reply(transaction, 415, (("Accept", SDP),))
        else:
            dialog = self.dialog
            assert dialog is not None
            dialog.refresh_target(request)
            self._take_offer(transaction, request)

    def _take_offer(self, transaction: ServerTransaction, request: Request) -> None:
        if request.method == "UPDATE" and not request.body:
            # A session refresh (RFC 3311 5.2).
            self.legs.reply(transaction, 200, self._contact_header(transaction))
            return
        self._offered = transaction
        transaction.user = self
        if request.method == "INVITE":
            self.legs.reply(transaction, 100)
        if request.body:
            self.endpoint.emit(Offered(self.number, request.body, request.method))
        else:
            self._offer_wanted = True
            self.endpoint.emit(OfferWanted(self.number))

    def _take_offered(self) -> ServerTransaction:
        offered = self._offered
        if offered is None:
            raise LocalProtocolError(f"leg {self.number} was offered nothing")
        self._offered = None
        return offered

    def _accept_within(self, offered: ServerTransaction, body: bytes) -> None:
        self.legs.reply(offered, 200, self._contact_header(offered), body)
        if offered.request.method == "INVITE":
            self.await_ack(offered)

    def await_ack(self, transaction: ServerTransaction) -> None:
        """Repeat our 2xx until its ACK comes (RFC 3261 13.3.1.4)."""
        self._stop(Timer.SUCCESS_RETRANSMIT, Timer.SUCCESS_TIMEOUT)
        self.legs.awaiting_ack(self, transaction)
        self._repeat = self.endpoint.intervals.t1
        self._start(Timer.SUCCESS_RETRANSMIT, self._repeat)
        self._start(Timer.SUCCESS_TIMEOUT, self.endpoint.intervals.patience)

    def _repeat_success(self) -> None:
        transaction = self.legs.unacknowledged(self)
        if transaction is not None:
            transaction.repeat()
            self._repeat = min(2 * self._repeat, self.endpoint.intervals.t2)
            self._start(Timer.SUCCESS_RETRANSMIT, self._repeat)

    def _contact_header(self, transaction: ServerTransaction) -> HeaderFields:
        return self.legs.contact_header(transaction)

    def _send_offer(self, method: str, body: bytes) -> None:
        dialog = self.dialog
        assert dialog is not None
        self._reoffer = (method, body)
        lines = f"Contact: {self.endpoint.contact(dialog.transport)}\r\n"
        lines += f"Allow: {self.endpoint.allow}\r\n"
        if body:
            lines += f"Content-Type: {SDP}\r\n"
        PendingRequest(self, method, lines, body, 0, self._offer_done).send()

    def _offer_done(self, response: Response | None, cause: RefusalCause) -> None:
        del cause
        if not self._offering:
            return  # a 2xx again: it has been acknowledged, and that is all
        if response is not None and response.status == 491:
            # RFC 3261 14.1: whoever made the Call-ID waits 2.1 to 4 s, the other up to 2.
            steps = int(self.endpoint.tokens(4)[:6], 16) % _GLARE_RANGE
            first = self.made_call_id()
            seconds = 2.1 + 1.9 * steps / _GLARE_RANGE if first else 2.0 * steps / _GLARE_RANGE
            self._start(Timer.GLARE, seconds)
            return
        self._offering = False
        self._reoffer = None
        if response is not None and response.status < 300:
            assert self.dialog is not None
            self.dialog.refresh_target(response)
            self.endpoint.emit(OfferAnswered(self.number, response.body))
            return
        status = 408 if response is None else response.status
        self.endpoint.emit(OfferRefused(self.number, status))
        self._check_gone(response)

    def made_call_id(self) -> bool:
        """Tell whether the Call-ID of the dialog is ours."""
        return True

    # Deadlines.

    def _start(self, timer: Timer, seconds: float) -> None:
        self._stop(timer)
        self._deadlines[timer] = self.endpoint.timer(seconds, self, timer)

    def _stop(self, *timers: Timer) -> None:
        for timer in timers:
            deadline = self._deadlines.pop(timer, None)
            if deadline is not None:
                self.endpoint.deadlines.cancel(deadline)

    def _must_be(self, state: LegState) -> None:
        if self.state is not state:
            raise LegGone(f"leg {self.number} is {self.state.value}")


def header_lines(headers: HeaderFields) -> str:
    """Write headers. Raises LocalProtocolError for one that would break out of its line."""
    text = ""
    for name, value in headers:
        if "\r" in value or "\n" in value or "\0" in value or not name:
            raise LocalProtocolError(f"a value of {name} has a line end or a null in it")
        text += f"{name}: {value}\r\n"
    return text


def reason_line(reason: Reason | None) -> str:
    return "" if reason is None else f"Reason: {reason}\r\n"


def told_causes(message: Message) -> tuple[int | None, int | None, str]:
    """Read the SIP and Q.850 causes and the text of a Reason header (RFC 3326)."""
    status = q850 = None
    text = ""
    for reason in message.cause:
        protocol = reason.protocol.upper()
        if protocol == "SIP" and status is None:
            status = reason.cause
        elif protocol == "Q.850" and q850 is None:
            q850 = reason.cause
        text = text or reason.text
    return status, q850, text


def unsupported(message: Message) -> str:
    """Give what a request requires and we have not (RFC 3261 8.2.2.3)."""
    try:
        required = message.headers.get_all("Require")
    except InvalidValue:
        return ""
    return ", ".join([tag for tag in required if tag and tag.lower() not in SUPPORTED])
