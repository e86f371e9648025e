"""A leg that we ring: the INVITE, wherever it has to go, and all that may come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from twoleg.sip.client_transaction import ClientTransaction
from twoleg.sip.dialogs import Dialog, destination_of
from twoleg.sip.drafts import Draft
from twoleg.sip.endpoint import CALL_ID_BYTES, MAX_UDP_REQUEST, SUPPORTED
from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.events import Answered, DestinationFailed, Progress, RefusalCause, Refused
from twoleg.sip.fields import NameAddr
from twoleg.sip.interface import Invitation
from twoleg.sip.leg import Leg, header_lines, reason_line, told_causes
from twoleg.sip.leg_states import OUTGOING_LEG, LegAction, LegInput, LegState
from twoleg.sip.legs import Legs
from twoleg.sip.message import Request, Response, reason_phrase
from twoleg.sip.server_transaction import ServerTransaction
from twoleg.sip.timers import Timer
from twoleg.sip.transport import Destination, Transport
from twoleg.sip.uri import SipUri, Uri

MAX_FORKS: Final = 32
"""Early dialogs, and answers beyond the first, that one INVITE may bring."""

_REQUEST_TERMINATED: Final = 487


class OutgoingLeg(Leg):
    """An INVITE of ours, over one destination after another, and the dialog that it makes."""

    __slots__ = (
        "_ack",
        "_ack_way",
        "_answered",
        "_attempt",
        "_authorization",
        "_cause",
        "_cseq",
        "_destinations",
        "_draft",
        "_early",
        "_forks",
        "_invitation",
        "_rang",
        "_redirects",
        "_reliable",
        "_response",
        "_stopped",
        "_target",
        "_transaction",
        "_udp_only",
        "_visited",
    )

    def __init__(self, legs: Legs, invitation: Invitation) -> None:
        endpoint = legs.endpoint
        super().__init__(legs, OUTGOING_LEG, endpoint.tag(), invitation.credentials)
        self._invitation = invitation
        self._target: Uri = invitation.target
        self.call_id = invitation.call_id or endpoint.tokens(CALL_ID_BYTES)
        self._cseq = 1
        self._destinations = invitation.destinations
        self._attempt = 0
        self._udp_only = False
        self._redirects = invitation.follow_redirects
        self._visited: list[Uri] = [invitation.target]
        self._authorization = ""
        self._draft: Draft | None = None
        self._transaction: ClientTransaction | None = None
        self._response: Response | None = None
        self._cause = RefusalCause.RESPONSE
        self._answered = False
        self._rang = False
        self._ack = b""
        self._ack_way: Draft | None = None
        self._early: dict[str, Dialog] = {}
        self._reliable: dict[str, int] = {}
        self._stopped: set[str] = set()
        self._forks: dict[str, tuple[bytes, Draft]] = {}

    def start(self) -> None:
        """Send the INVITE. Raises LocalProtocolError if there is nowhere to send it."""
        self._send_invite()
        self.legs.add(self, self.call_id)

    def acknowledge(self, body: bytes | None) -> None:
        """Let the ACK leave, with the answer where the 2xx brought the offer."""
        if self.state is not LegState.ANSWERED:
            return
        self._make_ack(body or b"")
        self.step(LegInput.ACKNOWLEDGE)

    def receive(self, transaction: ServerTransaction, request: Request) -> None:
        """Take a request of the dialog, an early one included (RFC 3311 5.2)."""
        if self.dialog is not None:
            super().receive(transaction, request)
            return
        early = self._early.get(request.from_.tag or "")
        if early is None or request.method == "BYE":
            self.legs.reply(transaction, 481)
            return
        self.dialog = early
        try:
            super().receive(transaction, request)
        finally:
            self.dialog = None

    # What comes back.

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        is_late = self.state is LegState.ENDED and self.dialog is None
        if transaction.draft is not self._draft or is_late:
            self._on_late_response(transaction.draft, response)
            return
        self._response = response
        if response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_success(response)
        else:
            self._on_refusal(response)

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        if transaction.draft is not self._draft:
            return
        self._response = None
        self._cause = cause
        draft = transaction.draft
        self.endpoint.emit(DestinationFailed(draft.destination, cause))
        if self.state is LegState.CALLING:
            if self._was_upgraded(draft):
                # RFC 3261 18.1.1: TCP, chosen for the size, does not get through.
                self._udp_only = True
                self._send_invite()
                return
            if self._next_destination():
                return
        self.step(LegInput.FAILURE)

    def _on_late_response(self, draft: Draft, response: Response) -> None:
        """Stop a destination that speaks after we had given up waiting for it."""
        if response.status < 200:
            if draft.branch not in self._stopped:
                self._stopped.add(draft.branch)
                data = draft.cancel(reason_line(self.reason))
                ClientTransaction(self.endpoint, draft, _Unheard(), data=data).start()
        elif response.status < 300:
            self._end_fork(draft, response)

    def _on_provisional(self, response: Response) -> None:
        tag = response.to.tag
        self._rang = self._rang or response.status > 100
        if response.status > 100 and tag and self.state in (LegState.CALLING, LegState.RINGING):
            number = self._reliable_number(response)
            if number is not None:
                before = self._reliable.get(tag)
                if before is not None and number != before + 1:
                    return  # a retransmission, or one whose predecessor has not come
                self._reliable[tag] = number
            dialog = self._early_dialog(tag, response)
            if number is not None and dialog is not None:
                self._send_prack(dialog, number)
        self.step(LegInput.PROVISIONAL)

    def _on_success(self, response: Response) -> None:
        if self.digest is not None:
            self.digest.accepted()
        tag = response.to.tag or ""
        if self.dialog is None:
            draft = self._draft
            assert draft is not None
            self.dialog = Dialog.of_response(
                self.endpoint,
                draft,
                response,
                self.local_tag,
                self._target,
                keep_flow=self._invitation.flow is not None,
            )
            early = self._early.pop(tag, None)
            if early is not None:
                self.dialog.local_cseq = max(early.local_cseq, self.dialog.local_cseq)
                self.dialog.remote_cseq = early.remote_cseq
            self._early.clear()
        elif tag != self.dialog.remote_tag:
            assert self._draft is not None
            self._end_fork(self._draft, response)
            return
        self._stop(Timer.GIVE_UP)
        self.step(LegInput.SUCCESS)

    def _on_refusal(self, response: Response) -> None:
        self._cause = RefusalCause.RESPONSE
        status = response.status
        if self.state in (LegState.CALLING, LegState.RINGING):
            if status in (401, 407):
                if self._may_try_again(response):
                    return
            elif status < 400:
                if self._may_follow(response):
                    return
            elif status == 503:
                self._tell_unavailable()
                if not self._rang and self._next_destination():
                    return
        if self.digest is not None and status not in (401, 407):
            self.digest.accepted()
        self.step(LegInput.FAILURE)

    def _tell_unavailable(self) -> None:
        assert self._draft is not None
        self.endpoint.emit(DestinationFailed(self._draft.destination, RefusalCause.RESPONSE))

    def _may_try_again(self, response: Response) -> bool:
        if self.digest is None or not self.digest.challenged(response.headers):
            return False
        self._cseq += 1
        self.state = LegState.CALLING
        self._send_invite()
        return True

    def _may_follow(self, response: Response) -> bool:
        """Go where a 3xx points, if our user lets us (RFC 3261 8.1.3.4)."""
        if self._invitation.follow_redirects == 0:
            return False
        for contact in redirect_targets(response):
            if self._redirects == 0:
                break
            if any(contact == seen for seen in self._visited):
                continue
            self._redirects -= 1
            self._visited.append(contact)
            self._target = contact
            self._destinations = ()
            self._attempt = 0
            self._cseq += 1
            self.state = LegState.CALLING
            self._send_invite()
            return True
        self._cause = RefusalCause.REDIRECTS
        return False

    def _next_destination(self) -> bool:
        """Try the next destination with a new branch (RFC 3263 4.3)."""
        if self._attempt + 1 >= len(self._destinations):
            return False
        self._attempt += 1
        self._udp_only = False
        self.state = LegState.CALLING
        self._send_invite()
        return True

    # What is sent.

    def _send_invite(self) -> None:
        draft = self._make_draft(self._destination())
        data = draft.to_bytes()
        if len(data) > MAX_UDP_REQUEST and self._may_upgrade(draft):
            draft = self._make_draft(replace(draft.destination, transport=Transport.TCP))
        self._draft = draft
        self._transaction = ClientTransaction(self.endpoint, draft, self)
        self._transaction.start()

    def _destination(self) -> Destination:
        invitation = self._invitation
        flow = invitation.flow
        if self._destinations:
            return self._destinations[self._attempt]
        if flow is not None:
            return Destination(flow.transport, flow.remote.host, flow.remote.port)
        hop = invitation.routes[0].uri if invitation.routes else self._target
        there = destination_of(hop, Transport.UDP)
        if there is None:
            raise LocalProtocolError("the target names no host, and there is no route to it")
        return there

    def _make_draft(self, destination: Destination) -> Draft:
        endpoint, invitation = self.endpoint, self._invitation
        transport = destination.transport
        uri = str(self._target)
        lines = (
            f"Contact: {endpoint.contact(transport, invitation.contact_parameters)}\r\n"
            f"Allow: {endpoint.allow}\r\n"
            f"Supported: {', '.join(SUPPORTED)}\r\n"
        )
        if endpoint.config.user_agent:
            lines += f"User-Agent: {endpoint.config.user_agent}\r\n"
        self._authorization = ""
        if self.digest is not None:
            self._authorization = header_lines(self.digest.headers("INVITE", uri))
        lines += header_lines(invitation.headers) + self._authorization
        if invitation.body:
            lines += f"Content-Type: {invitation.content_type}\r\n"
        return Draft(
            method="INVITE",
            uri=uri,
            via=endpoint.via(transport),
            branch=endpoint.branch(),
            from_=f"{invitation.from_};tag={self.local_tag}",
            to=str(invitation.to),
            call_id=self.call_id,
            cseq=self._cseq,
            routes="".join([f"Route: {route}\r\n" for route in invitation.routes]),
            headers=lines,
            body=invitation.body,
            destination=destination,
            flow=invitation.flow,
        )

    def _may_upgrade(self, draft: Draft) -> bool:
        return (
            draft.destination.transport is Transport.UDP
            and draft.flow is None
            and not self._udp_only
            and Transport.TCP in self.endpoint.config.addresses
        )

    def _was_upgraded(self, draft: Draft) -> bool:
        return (
            draft.flow is None
            and draft.destination.transport is Transport.TCP
            and self._destination().transport is Transport.UDP
        )

    def _send_cancel(self) -> None:
        draft = self._draft
        assert draft is not None
        data = draft.cancel(reason_line(self.reason))
        ClientTransaction(self.endpoint, draft, _Unheard(), data=data).start()
        self._start(Timer.GIVE_UP, self.endpoint.intervals.patience)

    def _make_ack(self, body: bytes = b"") -> None:
        # RFC 3261 13.2.2.4: the INVITE's number and credentials, the dialog's way.
        dialog = self.dialog
        assert dialog is not None
        lines = self._authorization
        if body:
            lines += f"Content-Type: {self._invitation.content_type}\r\n"
        self._ack_way = dialog.draft("ACK", self._cseq, lines, body)
        self._ack = self._ack_way.to_bytes()

    def _send_ack(self) -> None:
        if not self._ack:
            self._make_ack()
        way = self._ack_way
        assert way is not None
        self.endpoint.send(self._ack, way.destination, way.flow)

    def _send_prack(self, dialog: Dialog, number: int) -> None:
        lines = f"RAck: {number} {self._cseq} INVITE\r\n"
        _InDialog(self, dialog, "PRACK", lines).send()

    def _end_fork(self, draft: Draft, response: Response) -> None:
        """Acknowledge and end an answer beyond the first (RFC 3261 13.2.2.4)."""
        tag = response.to.tag or ""
        known = self._forks.get(tag)
        if known is None:
            if len(self._forks) >= MAX_FORKS:
                return
            dialog = Dialog.of_response(
                self.endpoint,
                draft,
                response,
                self.local_tag,
                self._target,
                keep_flow=self._invitation.flow is not None,
            )
            ack = dialog.draft("ACK", draft.cseq, self._authorization)
            known = self._forks[tag] = (ack.to_bytes(), ack)
            self.endpoint.send(known[0], ack.destination, ack.flow)
            _InDialog(self, dialog, "BYE", reason_line(self.reason)).send()
            return
        self.endpoint.send(known[0], known[1].destination, known[1].flow)

    # The machine.

    def act(self, action: LegAction) -> None:
        if action is LegAction.PROGRESS:
            self._tell_progress()
        elif action is LegAction.ANSWER:
            self._tell_answer()
        elif action is LegAction.REFUSE:
            self._tell_refusal()
        elif action is LegAction.CANCEL:
            self._send_cancel()
        elif action is LegAction.ACK:
            self._send_ack()
        elif action is LegAction.ACK_BYE:
            self._send_ack()
            self._send_bye()
        elif action is LegAction.ACK_END:
            self._send_ack()
            self.tell_end()
        else:
            super().act(action)

    def tell_end(self) -> None:
        if self._answered:
            super().tell_end()
        else:
            self._cause = RefusalCause.CANCELED
            self._response = None
            self._tell_refusal()

    def _tell_progress(self) -> None:
        response = self._response
        assert response is not None
        if response.status > 100:
            reliable = self._reliable_number(response) is not None
            self.endpoint.emit(
                Progress(
                    self.number, response.status, response.reason, response.body, reliable, response
                )
            )

    def _tell_answer(self) -> None:
        response, dialog = self._response, self.dialog
        assert response is not None
        assert dialog is not None
        self._answered = True
        self.endpoint.emit(
            Answered(self.number, response.status, response.body, dialog.identity(), response)
        )

    def _tell_refusal(self) -> None:
        if self.state is LegState.ENDED and self._transaction is not None:
            self._transaction.give_up()
        response, cause = self._response, self._cause
        if self.hung_up:
            cause = RefusalCause.CANCELED
        if response is None or response.status < 200:
            status = {RefusalCause.TIMEOUT: 408, RefusalCause.TRANSPORT: 503}.get(
                cause, _REQUEST_TERMINATED
            )
            self.endpoint.emit(Refused(self.number, status, reason_phrase(status), cause))
            return
        _, q850, text = told_causes(response)
        self.endpoint.emit(
            Refused(
                self.number,
                response.status,
                response.reason or text,
                cause,
                q850,
                retry_after(response),
                _contacts(response),
                response,
            )
        )

    # Reading.

    def _early_dialog(self, tag: str, response: Response) -> Dialog | None:
        dialog = self._early.get(tag)
        if dialog is None and len(self._early) < MAX_FORKS:
            assert self._draft is not None
            dialog = self._early[tag] = Dialog.of_response(
                self.endpoint,
                self._draft,
                response,
                self.local_tag,
                self._target,
                keep_flow=self._invitation.flow is not None,
            )
        return dialog

    @staticmethod
    def _reliable_number(response: Response) -> int | None:
        """Give the number of a provisional response that wants PRACK (RFC 3262 4)."""
        try:
            if not response.headers.has_token("Require", "100rel"):
                return None
            return response.number("RSeq")
        except InvalidValue:
            return None


class _Unheard:
    """Sends a request whose response changes nothing."""

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        pass

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        pass


class _InDialog:
    """A request in a dialog that is not the leg's own (yet): PRACK, or the BYE of a fork."""

    def __init__(self, leg: OutgoingLeg, dialog: Dialog, method: str, lines: str) -> None:
        self._leg = leg
        self._dialog = dialog
        self._method = method
        self._lines = lines

    def send(self) -> None:
        dialog, digest = self._dialog, self._leg.digest
        draft = dialog.draft(self._method, dialog.next_cseq(), self._lines)
        if digest is not None:
            draft.headers += header_lines(digest.headers(self._method, draft.uri))
        ClientTransaction(self._leg.endpoint, draft, self).start()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        del transaction
        digest = self._leg.digest
        if response.status not in (401, 407) or digest is None:
            return
        if digest.challenged(response.headers):
            self.send()

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        pass


def redirect_targets(response: Response) -> list[Uri]:
    """Give where a 3xx points, the most wanted first (RFC 3261 8.1.3.4, 20.10)."""
    contacts = [contact for contact in _contacts(response) if isinstance(contact.uri, SipUri)]
    return [contact.uri for contact in sorted(contacts, key=_quality, reverse=True)]


def _quality(contact: NameAddr) -> float:
    try:
        return float(contact.parameter("q") or 1.0)
    except ValueError:
        return 0.0


def _contacts(response: Response) -> tuple[NameAddr, ...]:
    try:
        return response.contacts if response.status < 400 else ()
    except InvalidValue:
        return ()


def retry_after(response: Response) -> float | None:
    """Read Retry-After in seconds (RFC 3261 20.33); None where there is none to be read."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    digits = value.partition("(")[0].partition(";")[0].strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
