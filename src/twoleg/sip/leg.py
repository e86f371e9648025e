"""A leg within its dialog: what both sides of a call do alike once there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from twoleg.sip.dialog_request import DialogRequest
from twoleg.sip.dialogs import Dialog
from twoleg.sip.digest import Credentials, DigestClient
from twoleg.sip.errors import LocalProtocolError
from twoleg.sip.events import Ended, InfoReceived, RefusalCause, RequestCompleted
from twoleg.sip.fields import Reason
from twoleg.sip.header_lines import header_lines, reason_line, told_causes
from twoleg.sip.interface import HeaderFields
from twoleg.sip.leg_states import LegAction, LegInput, LegMachine, LegState
from twoleg.sip.message import Request, Response, reason_phrase
from twoleg.sip.offers import OfferExchange
from twoleg.sip.server_transaction import ServerTransaction
from twoleg.sip.session_timer import SessionTimer
from twoleg.sip.timers import Deadline, Timer

if TYPE_CHECKING:
    from twoleg.sip.legs import Legs

_GONE: Final = frozenset({404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604})
"""Answers to a request within a dialog after which there is none (RFC 5057 5.1, the safe side)."""

_ENDED: Final = LegState.ENDED
_IGNORE: Final = LegAction.IGNORE
_LEAVING: Final = frozenset({LegState.LEAVING, LegState.ENDING})
_UNANSWERED: Final = frozenset({LegState.CALLING, LegState.RINGING})


Actions: TypeAlias = Mapping[LegAction, Callable[[Any], None]]


class LegGone(LocalProtocolError):
    """The leg is over, or never was."""


class Leg:
    """What outgoing and incoming legs have in common. `state` changes in `step` only."""

    MACHINE: ClassVar[LegMachine]
    ACTIONS: ClassVar[Actions]
    """What the actions of its machine do."""

    MADE_CALL_ID: ClassVar[bool]

    __slots__ = (
        "__weakref__",
        "_awaiting",
        "_deadlines",
        "_ending",
        "_offers",
        "_repeat",
        "_session",
        "ack_body",
        "call_id",
        "dialog",
        "digest",
        "endpoint",
        "hung_up",
        "last_body",
        "legs",
        "local_tag",
        "number",
        "reason",
        "secure",
        "state",
    )

    def __init__(
        self,
        legs: Legs,
        call_id: str,
        local_tag: str,
        credentials: Credentials | None,
    ) -> None:
        endpoint = legs.endpoint
        self.legs = legs
        self.endpoint = endpoint
        self.state = self.MACHINE.start
        self.number = endpoint.number()
        self.call_id = call_id
        self.local_tag = local_tag
        self.dialog: Dialog | None = None
        self.digest = None if credentials is None else DigestClient(credentials, endpoint.tokens)
        self.last_body = b""
        """The last description of our side that we sent."""

        self._offers: OfferExchange | None = None
        self._session: SessionTimer | None = None
        self.reason: Reason | None = None
        """Why we hung up."""

        self.hung_up = False
        """Whether our user wanted the end."""

        self.secure = False
        """Whether offers and answers hold keys, and go over TLS only."""

        self.ack_body = b""
        self._ending: Ended | None = None
        self._deadlines: dict[Timer, Deadline] = {}
        self._awaiting: ServerTransaction | None = None
        """The INVITE whose 2xx of ours has no ACK yet."""

        self._repeat = 0.0

    @property
    def offers(self) -> OfferExchange:
        """Offers and answers after the first; most legs have none."""
        if self._offers is None:
            self._offers = OfferExchange(self)
        return self._offers

    @property
    def session(self) -> SessionTimer:
        if self._session is None:
            self._session = SessionTimer(self)
        return self._session

    # What the user asks for.

    def acknowledge(self, body: bytes | None) -> None:
        """Let the ACK of the far end's 2xx leave; means nothing for a leg that was rung at us."""

    def offer(self, body: bytes, method: str) -> None:
        """Send a new offer by re-INVITE or UPDATE. Raises LocalProtocolError."""
        if self.state is not LegState.CONFIRMED:
            raise LegGone(f"leg {self.number} is {self.state.value}")
        self.offers.offer(method, body)

    def send_request(
        self, method: str, headers: HeaderFields, body: bytes, content_type: str
    ) -> int:
        """Send a request within the dialog; `RequestCompleted` carries the returned number."""
        if self.dialog is None or self.state not in (LegState.CONFIRMED, LegState.ANSWERED):
            raise LegGone(f"leg {self.number} has no dialog")
        number = self.endpoint.number()
        lines = header_lines(headers)
        if body:
            lines += header_lines((("Content-Type", content_type),))

        def done(response: Response | None, cause: RefusalCause) -> None:
            self.endpoint.events.append(RequestCompleted(number, response, cause))
            self.check_gone(response)

        DialogRequest(self.dialog, self.digest, method, lines, body, done).send()
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
        if dialog is None or self.state is _ENDED:
            self.legs.reply(transaction, 481)
            return
        if not dialog.accepts(request):
            self.legs.reply(transaction, 500, reason="Out of Order")
            return
        method = request.method
        if method == "BYE":
            self._receive_bye(transaction, request)
        elif method == "OPTIONS":
            self.legs.reply(transaction, 200, self.legs.capabilities())
        elif self.state in _LEAVING:
            # For its user the dialog is over; what ends it is under way.
            self.legs.reply(transaction, 481)
        elif method in ("INVITE", "UPDATE"):
            self._receive_offer(transaction, request)
        elif method == "INFO":
            self.legs.reply(transaction, 200)
            content_type = request.headers.get("Content-Type") or ""
            self.endpoint.events.append(InfoReceived(self.number, content_type, request.body))
        elif method == "PRACK":
            self.receive_prack(transaction, request)
        else:
            self.legs.reply(transaction, 405, (("Allow", self.endpoint.allow),))

    def receive_prack(self, transaction: ServerTransaction, request: Request) -> None:
        """Take a PRACK; a leg that we ring sends nothing that wants one."""
        del request
        self.legs.reply(transaction, 481)

    def receive_ack(self, request: Request) -> None:
        """Take the ACK of a 2xx of ours; one that comes again, or late, changes nothing."""
        awaiting = self._awaiting
        if awaiting is None or awaiting.request.cseq.number != request.cseq.number:
            return
        self._awaiting = None
        self.stop_timers(Timer.SUCCESS_RETRANSMIT, Timer.SUCCESS_TIMEOUT)
        if self.state in (LegState.ANSWERED, LegState.LEAVING):
            self.ack_body = request.body or self.ack_body
            self.step(LegInput.ACK)
        else:
            self.offers.acknowledged(request.body)

    def on_acknowledged(self, ack: Request) -> None:
        self.receive_ack(ack)

    @property
    def is_confirmed(self) -> bool:
        """Whether there is a session: the 2xx has its ACK, and nothing has ended it."""
        return self.state is LegState.CONFIRMED

    @property
    def awaits_ack(self) -> bool:
        """Whether a 2xx of ours has no ACK yet."""
        return self._awaiting is not None

    # The machine.

    def step(self, happened: LegInput) -> LegAction:
        """Enter the next state, and do what the table says."""
        before = self.state
        after, action = self.MACHINE.table[before][happened]
        self.state = after
        if action is not _IGNORE:
            self.ACTIONS[action](self)
        if after is _ENDED and before is not _ENDED:
            self.close()
        return action

    def tell_end(self) -> None:
        """Tell the user that the answered leg is over."""
        self.endpoint.events.append(self._ending or Ended(self.number, by_remote=False))

    def timer_fired(self, timer: Timer) -> None:
        del self._deadlines[timer]
        if timer is Timer.GLARE:
            if self.state is LegState.CONFIRMED:
                self.offers.try_again()
        elif timer is Timer.SUCCESS_RETRANSMIT:
            self._repeat_success()
        elif timer is Timer.SUCCESS_TIMEOUT:
            self._never_acknowledged()
        elif timer is Timer.SESSION_REFRESH:
            self.session.refresh()
        elif timer is Timer.SESSION_EXPIRY:
            self._session_expired()
        else:
            self.step(LegInput.GIVE_UP)

    def require_dialog(self) -> Dialog:
        """Give the dialog of a leg that has one."""
        assert self.dialog is not None
        return self.dialog

    def close(self) -> None:
        """Leave nothing open, and keep nothing that what still may come does not need."""
        if self._deadlines:
            self.stop_timers(*tuple(self._deadlines))
        self._awaiting = None
        if self._offers is not None:
            self._offers.close()
        self.legs.forget(self)

    # BYE.

    def send_bye(self) -> None:
        """Send BYE; whatever comes of it, the dialog is over then (RFC 3261 15.1.1)."""
        lines = reason_line(self.reason)
        dialog = self.require_dialog()
        DialogRequest(dialog, self.digest, "BYE", lines, b"", self._bye_done).send()

    def _bye_done(self, response: Response | None, cause: RefusalCause) -> None:
        del response, cause
        self.step(LegInput.DONE)

    def _receive_bye(self, transaction: ServerTransaction, request: Request) -> None:
        self.legs.reply(transaction, 200)
        if self.state is not LegState.ENDING:
            self._ending = Ended(self.number, True, *told_causes(request))
        self.step(LegInput.BYE)

    def check_gone(self, response: Response | None) -> None:
        """End the leg where a request of ours found no dialog there (RFC 3261 12.2.1.2)."""
        status = 408 if response is None else response.status
        if status not in _GONE or self.state not in (LegState.ANSWERED, LegState.CONFIRMED):
            return
        self._ending = Ended(self.number, True, status, None, reason_phrase(status), vanished=True)
        self.step(LegInput.GONE if status == 481 else LegInput.HANG_UP)

    # Offers, and our 2xx.

    def _receive_offer(self, transaction: ServerTransaction, request: Request) -> None:
        if self.secure and not transaction.transport.secure:
            self.legs.reply(transaction, 488)
        elif not self.may_be_offered:
            # RFC 3261 14.2, RFC 3311 5.2: our answer to the first comes first.
            self.legs.reply(transaction, 500, (("Retry-After", "2"),))
        elif request.method == "INVITE" and self.state is not LegState.CONFIRMED:
            self.legs.reply(transaction, 491)
        else:
            self.offers.receive(transaction, request)

    @property
    def may_be_offered(self) -> bool:
        """Whether the first offer has its answer, or another's turn has come all the same."""
        return self.MADE_CALL_ID or self.state not in _UNANSWERED

    def offer_settled(self, offered: ServerTransaction) -> None:
        """Take note that an offer of the peer has got its response."""

    def await_ack(self, transaction: ServerTransaction) -> None:
        """Repeat our 2xx until its ACK comes (RFC 3261 13.3.1.4)."""
        self._awaiting = transaction
        self._repeat = self.endpoint.intervals.t1
        self.start_timer(Timer.SUCCESS_RETRANSMIT, self._repeat)
        self.start_timer(Timer.SUCCESS_TIMEOUT, self.endpoint.intervals.patience)

    def success_headers(self, transaction: ServerTransaction) -> HeaderFields:
        """Give the headers of a 2xx to INVITE, UPDATE or PRACK."""
        if transaction.request.method == "PRACK":
            return self.legs.contact_header(transaction)
        session = self.session.taken(transaction.request)
        return (*self.legs.contact_header(transaction), *session)

    def _repeat_success(self) -> None:
        if self._awaiting is not None:
            self._awaiting.repeat()
            self._repeat = min(2 * self._repeat, self.endpoint.intervals.t2)
            self.start_timer(Timer.SUCCESS_RETRANSMIT, self._repeat)

    def _never_acknowledged(self) -> None:
        """Our 2xx had no ACK in 64*T1: the dialog is to be ended (RFC 3261 13.3.1.4, 14.2)."""
        self.stop_timers(Timer.SUCCESS_RETRANSMIT)
        self._awaiting = None
        self._ending = self._ending or Ended(self.number, True, 408, vanished=True)
        self.step(LegInput.HANG_UP if self.state is LegState.CONFIRMED else LegInput.GIVE_UP)

    def _session_expired(self) -> None:
        """Nobody refreshed the session: the far end is gone (RFC 4028 10)."""
        if self.state in (LegState.ANSWERED, LegState.CONFIRMED):
            self._ending = Ended(self.number, True, 408, None, "Session Expired", vanished=True)
            self.step(LegInput.HANG_UP)

    # Deadlines.

    def start_timer(self, timer: Timer, seconds: float) -> None:
        """Start a timer, or start it anew."""
        self.stop_timers(timer)
        self._deadlines[timer] = self.endpoint.timer(seconds, self, timer)

    def stop_timers(self, *timers: Timer) -> None:
        for timer in timers:
            deadline = self._deadlines.pop(timer, None)
            if deadline is not None:
                self.endpoint.deadlines.cancel(deadline)
