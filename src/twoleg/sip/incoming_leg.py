"""A leg that is rung at us, or one that another process had: our side of the answer."""

from __future__ import annotations

from typing import ClassVar, Final

from twoleg.sip.dialogs import Dialog, DialogIdentity
from twoleg.sip.digest import Credentials
from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.events import Established, RefusalCause, Refused
from twoleg.sip.fields import Reason
from twoleg.sip.header_lines import told_causes
from twoleg.sip.interface import HeaderFields
from twoleg.sip.leg import Actions, Leg, LegGone
from twoleg.sip.leg_states import INCOMING_LEG, LegAction, LegInput, LegState
from twoleg.sip.legs import Legs
from twoleg.sip.message import Request, reason_phrase
from twoleg.sip.reliable_provisionals import ReliableProvisionals, wants_reliability
from twoleg.sip.server_transaction import ServerTransaction
from twoleg.sip.transport import Flow

_DECLINE: Final = 603
_REQUEST_TERMINATED: Final = 487
_SERVER_TIMEOUT: Final = 504
_UNANSWERED: Final = frozenset({LegState.CALLING, LegState.RINGING, LegState.ACCEPTING})


class IncomingLeg(Leg):
    """An INVITE of the peer, and the dialog that our answer makes."""

    __slots__ = (
        "_body",
        "_cause",
        "_headers",
        "_q850",
        "_reason",
        "_reliable",
        "_status",
        "_transaction",
    )

    def __init__(
        self, legs: Legs, local_tag: str, dialog: Dialog, credentials: Credentials | None = None
    ) -> None:
        super().__init__(legs, dialog.call_id, local_tag, credentials)
        self.dialog = dialog
        self._transaction: ServerTransaction | None = None
        self._status = 0
        self._reason = ""
        self._cause = RefusalCause.RESPONSE
        self._headers: HeaderFields = ()
        self._body = b""
        self._q850: int | None = None
        self._reliable: ReliableProvisionals | None = None
        """How each 1xx is sent, where the caller insists on PRACK."""

    @classmethod
    def of_invite(
        cls, legs: Legs, transaction: ServerTransaction, request: Request, flow: Flow
    ) -> IncomingLeg:
        """Take an INVITE that begins a dialog."""
        tag = legs.endpoint.tag()
        leg = cls(legs, tag, Dialog.of_request(legs.endpoint, request, tag, flow))
        transaction.to_tag = tag
        transaction.user = leg
        leg._transaction = transaction
        if wants_reliability(request):
            leg._reliable = ReliableProvisionals(leg, transaction)
        legs.add(leg)
        return leg

    @classmethod
    def adopted(
        cls, legs: Legs, identity: DialogIdentity, credentials: Credentials | None
    ) -> IncomingLeg:
        """Take over the dialog of another process. Raises InvalidValue, LocalProtocolError."""
        dialog = Dialog.of_identity(legs.endpoint, identity)
        leg = cls(legs, identity.local_tag, dialog, credentials)
        leg.state = LegState.CONFIRMED
        legs.add(leg)
        return leg

    def ring_back(self, status: int, body: bytes | None) -> None:
        """Say that it rings, or what else goes on. Raises LegGone, LocalProtocolError."""
        if not 100 < status < 200:
            raise LocalProtocolError("a provisional status is from 101 to 199")
        self._must_be_unanswered()
        self._status, self._body = status, body or b""
        self.step(LegInput.PROVISIONAL)

    def accept(self, body: bytes) -> None:
        """Answer with a 200. Raises LegGone."""
        self._must_be_unanswered()
        self._body = body
        self.step(LegInput.ACCEPT_LATER if self._must_wait else LegInput.ACCEPT)

    def reject(self, status: int, reason: str, headers: HeaderFields) -> None:
        """Answer with a 300-699. Raises LegGone, LocalProtocolError."""
        if not 300 <= status < 700:
            raise LocalProtocolError("a refusal's status is from 300 to 699")
        self._must_be_unanswered()
        self._status, self._reason, self._headers = status, reason, headers
        self.step(LegInput.REJECT)

    def hang_up(self, reason: Reason | None) -> None:
        if self.state in _UNANSWERED:
            self._status = _DECLINE
        super().hang_up(reason)

    def cancel(self, request: Request) -> None:
        """Take the CANCEL of the INVITE; one that comes after our answer changes nothing."""
        self._status, self._q850, self._reason = told_causes_of_cancel(request)
        self.step(LegInput.CANCEL)

    def close(self) -> None:
        if self._reliable is not None:
            self._reliable.stop()
        super().close()

    # Reliable provisional responses (RFC 3262 3).

    @property
    def may_be_offered(self) -> bool:
        if self.state in _UNANSWERED:
            return self._reliable is not None and self._reliable.is_described
        return super().may_be_offered

    def receive_prack(self, transaction: ServerTransaction, request: Request) -> None:
        """Take the PRACK of a reliable 1xx, which may bring an answer, or a new offer."""
        reliable = self._reliable
        try:
            if reliable is None or not reliable.acknowledge(request):
                self.legs.reply(transaction, 481)
                return
        except InvalidValue:
            self.legs.reply(transaction, 400)
            return
        was_offered = bool(self._require_transaction().request.body)
        if not request.body:
            self.legs.reply(transaction, 200)
        elif self.secure and not transaction.transport.secure:
            self.legs.reply(transaction, 488)
        elif was_offered and reliable.is_described:
            self.offers.receive(transaction, request)
        elif was_offered or not reliable.is_described or self.ack_body:
            self.legs.reply(transaction, 488)
        else:
            self.ack_body = request.body
            self.legs.reply(transaction, 200)
        self._go_on()

    def offer_settled(self, offered: ServerTransaction) -> None:
        if offered.request.method == "PRACK":
            self._go_on()

    def send_provisional(self, status: int, body: bytes, headers: HeaderFields) -> None:
        """Send a reliable 1xx."""
        if body:
            self.last_body = body
        transaction = self._require_transaction()
        self.legs.reply(transaction, status, self.legs.contact_header(transaction) + headers, body)

    def never_pracked(self) -> None:
        """A reliable 1xx had no PRACK in 64*T1: the INVITE is refused."""
        self._status = _SERVER_TIMEOUT
        self._cause = RefusalCause.TIMEOUT
        self.step(LegInput.GIVE_UP)

    @property
    def _must_wait(self) -> bool:
        """Whether the 2xx must wait for a PRACK, or for the answer to what one offered."""
        reliable = self._reliable
        return reliable is not None and (
            reliable.awaits_description or (self._offers is not None and self._offers.awaits_answer)
        )

    def _go_on(self) -> None:
        if not self._must_wait:
            assert self._reliable is not None
            self.step(LegInput.PRACK)
            self._reliable.go_on()

    # The machine.

    def _ring(self) -> None:
        if self._reliable is None:
            self._reply(self._status, self._body)
        else:
            self._reliable.send(self._status, self._body)

    def _accept(self) -> None:
        reliable = self._reliable
        if reliable is None:
            self.await_ack(self._reply(200, self._body))
            return
        reliable.stop()
        described = self.last_body if reliable.described else self._body
        self.await_ack(self._reply(200, b"" if reliable.described else self._body))
        self.last_body = described

    def _reject(self) -> None:
        transaction = self._require_transaction()
        self.legs.reply(transaction, self._status, self._headers, reason=self._reason)
        self._tell_refusal(self._cause)

    def _withdraw(self) -> None:
        self.legs.reply(self._require_transaction(), _REQUEST_TERMINATED)
        self._status = _REQUEST_TERMINATED
        self._tell_refusal(RefusalCause.CANCELED)

    def _establish(self) -> None:
        identity = self.require_dialog().identity()
        self.endpoint.events.append(Established(self.number, self.ack_body, identity))

    def _reply(self, status: int, body: bytes) -> ServerTransaction:
        transaction = self._require_transaction()
        if status < 200:
            headers = self.legs.contact_header(transaction)
        else:
            headers = self.success_headers(transaction)
            self.last_body = body
        self.legs.reply(transaction, status, headers, body)
        return transaction

    def _tell_refusal(self, cause: RefusalCause) -> None:
        reason = self._reason or reason_phrase(self._status)
        self.endpoint.events.append(Refused(self.number, self._status, reason, cause, self._q850))

    def _require_transaction(self) -> ServerTransaction:
        if self._transaction is None:
            raise LegGone(f"leg {self.number} was not rung at us")
        return self._transaction

    def _must_be_unanswered(self) -> None:
        if self.state not in (LegState.CALLING, LegState.RINGING):
            raise LegGone(f"leg {self.number} is {self.state.value}")

    MACHINE = INCOMING_LEG
    MADE_CALL_ID = False
    ACTIONS: ClassVar[Actions] = {
        LegAction.RING: _ring,
        LegAction.ACCEPT: _accept,
        LegAction.REJECT: _reject,
        LegAction.WITHDRAW: _withdraw,
        LegAction.ESTABLISH: _establish,
        LegAction.BYE: Leg.send_bye,
        LegAction.END: Leg.tell_end,
    }


def told_causes_of_cancel(request: Request) -> tuple[int, int | None, str]:
    """Read why the caller gave up (RFC 3326 2)."""
    status, q850, text = told_causes(request)
    return status or _REQUEST_TERMINATED, q850, text
