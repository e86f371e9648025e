"""A leg that we ring: the INVITE, wherever it has to go, and all that may come back."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from twoleg.sip.client_transaction import ClientTransaction, Unheard
from twoleg.sip.dialogs import Dialog, destination_of
from twoleg.sip.drafts import Draft
from twoleg.sip.early_dialogs import EarlyDialogs, reliable_number
from twoleg.sip.endpoint import CALL_ID_BYTES, MAX_UDP_REQUEST
from twoleg.sip.errors import LocalProtocolError
from twoleg.sip.events import Answered, DestinationFailed, Progress, RefusalCause, Refused
from twoleg.sip.header_lines import header_lines, reason_line, retry_after, route_lines, told_causes
from twoleg.sip.interface import Invitation
from twoleg.sip.invite_identity import InviteIdentity, nth_branch
from twoleg.sip.late_answers import LateAnswers
from twoleg.sip.leg import Actions, Leg
from twoleg.sip.leg_states import OUTGOING_LEG, LegAction, LegInput, LegState
from twoleg.sip.legs import Legs
from twoleg.sip.message import Request, Response, reason_phrase
from twoleg.sip.redirects import Redirects, usable_contacts
from twoleg.sip.server_transaction import ServerTransaction
from twoleg.sip.session_timer import least_interval
from twoleg.sip.success_ack import SuccessAck
from twoleg.sip.timers import Timer
from twoleg.sip.transport import Destination, Flow, Transport
from twoleg.sip.uri import SipUri

_REQUEST_TERMINATED: Final = 487
_STANDS_FOR: Final = {RefusalCause.TIMEOUT: 408, RefusalCause.TRANSPORT: 503}
_RINGING: Final = frozenset({LegState.CALLING, LegState.RINGING})


class OutgoingLeg(Leg):
    """An INVITE of ours, over one destination after another, and the dialog that it makes."""

    __slots__ = (
        "_ack",
        "_answered",
        "_attempt",
        "_authorization",
        "_branch",
        "_cause",
        "_cseq",
        "_destinations",
        "_early",
        "_flow",
        "_from",
        "_invitation",
        "_invites",
        "_late",
        "_rang",
        "_redirects",
        "_response",
        "_routes",
        "_session_seconds",
        "_target",
        "_to",
        "_transaction",
        "_udp_only",
    )

    def __init__(self, legs: Legs, invitation: Invitation) -> None:
        endpoint = legs.endpoint
        known = invitation.identity
        if known is None:
            call_id = invitation.call_id or endpoint.tokens(CALL_ID_BYTES)
            local_tag, branch = endpoint.tag(), endpoint.branch()
            from_, to = str(invitation.from_), str(invitation.to)
            routes = route_lines(invitation.routes) if invitation.routes else ""
        else:
            call_id, branch, to, routes = known.call_id, known.branch, known.to, known.routes
            from_, local_tag = known.local_uri, known.local_tag
        super().__init__(legs, call_id, local_tag, invitation.credentials)
        self.secure = invitation.secure
        self._invitation = invitation
        self._target: SipUri = invitation.target
        self._cseq = 1
        self._branch = branch
        self._invites = 0
        self._destinations = endpoint.usable(invitation.destinations, secure=invitation.secure)
        self._flow: Flow | None = invitation.flow
        self._attempt = 0
        self._udp_only = False
        self._redirects: Redirects | None = None
        if invitation.follow_redirects:
            self._redirects = Redirects(invitation.target, invitation.follow_redirects)
        self._authorization = ""
        self._session_seconds = endpoint.config.session_seconds
        self._transaction: ClientTransaction | None = None
        self._response: Response | None = None
        self._cause = RefusalCause.RESPONSE
        self._answered = False
        self._rang = False
        self._ack: SuccessAck | None = None
        self._from = from_
        self._to = to
        self._routes = routes
        self._early: EarlyDialogs | None = None
        self._late: LateAnswers | None = None

    def start(self) -> None:
        """Send the INVITE. Raises LocalProtocolError if there is nowhere to send it."""
        if self.secure and not self._destination().transport.secure:
            raise LocalProtocolError("the way to the target would show the keys of its media")
        self._send_invite()
        self.legs.add(self)

    @property
    def invite_under_way(self) -> InviteIdentity | None:
        """What another process needs to cancel the INVITE; None once it has its answer."""
        if self._transaction is None or self.state not in _RINGING:
            return None
        return InviteIdentity.of_draft(self._transaction.draft)

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
        early = None if self._early is None else self._early.find(request.from_tag or "")
        if early is None or request.method == "BYE":
            self.legs.reply(transaction, 481)
            return
        self.dialog = early
        try:
            super().receive(transaction, request)
        finally:
            self.dialog = None

    def close(self) -> None:
        super().close()
        self._early = None
        if self._transaction is not None:
            late = self._late_answers()
            if self.dialog is not None:
                late.remote_tag, late.ack = self.dialog.remote_tag, self._ack
            self._transaction.user = late

    # What comes back.

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        if transaction is not self._transaction:
            self._late_answers().on_response(transaction, response)
            return
        self._response = response
        if response.status < 200:
            self._on_provisional(response, transaction.draft)
        elif response.status < 300:
            self._on_success(response, transaction.draft)
        else:
            self._on_refusal(response, transaction.draft)
        # What was to be told of it is told: a parsed message is 3 kB, and a call may last an hour.
        self._response = None

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        if transaction is not self._transaction:
            return
        draft = transaction.draft
        self._response = None
        self._cause = cause
        self.endpoint.events.append(DestinationFailed(draft.destination, cause))
        if self.state is LegState.CALLING and (
            self._falls_back(draft) or self._next_destination() or self._next_target()
        ):
            self.step(LegInput.RETRY)
        else:
            self.step(LegInput.FAILURE)

    def _late_answers(self) -> LateAnswers:
        """Give what deals with answers that come too late, as things stand."""
        late = self._late
        if late is None:
            late = self._late = LateAnswers(
                self.endpoint, self._from, self.local_tag, self._target, self.digest
            )
        late.target, late.authorization = self._target, self._authorization
        late.reason = self.reason
        return late

    def _on_provisional(self, response: Response, draft: Draft) -> None:
        if response.status > 100:
            self._rang = True
            tag = response.to_tag
            if tag and self.state in _RINGING:
                early = self._early
                if early is None:
                    early = EarlyDialogs(self.endpoint, self._from, self.local_tag)
                    self._early = early
                number = reliable_number(response)
                if not early.take(response, number, tag, draft, self._target):
                    return
                if number is not None:
                    early.acknowledge(response, number, tag, self.digest)
        self.step(LegInput.PROVISIONAL)

    def _on_success(self, response: Response, draft: Draft) -> None:
        if self.digest is not None:
            self.digest.accepted()
        if self.dialog is None:
            dialog = self.dialog = Dialog.of_response(
                self.endpoint, draft, response, self._from, self.local_tag, self._target
            )
            if self._early is not None:
                self._early.confirm(dialog)
                self._early = None
            self.last_body = self._invitation.body
            draft.let_content_go()
            if self._session_seconds and "Session-Expires" in response.headers.by_name:
                self.session.accepted(response)
        elif (response.to_tag or "") != self.dialog.remote_tag:
            self._late_answers().end(draft, response)
            return
        if self._deadlines:
            self.stop_timers(Timer.GIVE_UP)
        self.step(LegInput.SUCCESS)

    def _on_refusal(self, response: Response, draft: Draft) -> None:
        self._cause = RefusalCause.RESPONSE
        status = response.status
        if status == 503:
            self.endpoint.events.append(DestinationFailed(draft.destination, self._cause))
        if self.state in _RINGING and self._may_go_on(response):
            self.step(LegInput.RETRY)
            return
        if self.digest is not None and status not in (401, 407):
            self.digest.accepted()
        self.step(LegInput.FAILURE)

    def _may_go_on(self, response: Response) -> bool:
        """Tell whether the INVITE is to be sent once more, and prepare it."""
        status = response.status
        if status in (401, 407) and self.digest is not None:
            if self.digest.challenged(response.headers):
                self._cseq += 1
                return True
        elif status == 422:
            if self._lengthen_session(response):
                return True
        elif status < 400 and self._redirects is not None:
            self._redirects.add(response, self._is_reachable)
        elif status == 503 and not self._rang and self._next_destination():
            return True
        if status < 600 and self._next_target():
            return True
        if status < 400 and self._redirects is not None and self._redirects.met_any:
            self._cause = RefusalCause.REDIRECTS
        return False

    def _lengthen_session(self, response: Response) -> bool:
        """Take the longer interval that a 422 asks for (RFC 4028 7.4)."""
        seconds = least_interval(response)
        if seconds is None or not self._session_seconds or seconds <= self._session_seconds:
            return False
        self._session_seconds = seconds
        self._cseq += 1
        return True

    def _next_destination(self) -> bool:
        """Turn to the next destination (RFC 3263 4.3)."""
        transaction = self._transaction
        if transaction is not None and transaction.further:
            # This one was a name that stands for several.
            at = self._attempt
            several = (transaction.draft.destination, *transaction.further)
            before, after = self._destinations[:at], self._destinations[at + 1 :]
            self._destinations = (*before, *several, *after)
        if self._attempt + 1 >= len(self._destinations):
            return False
        self._attempt += 1
        self._udp_only = False
        return True

    def _next_target(self) -> bool:
        """Turn to where a 3xx pointed (RFC 3261 8.1.3.4)."""
        target = None if self._redirects is None else self._redirects.next()
        if target is None:
            return False
        self._target = target
        self._destinations = ()
        self._flow = None
        self._attempt = 0
        self._udp_only = False
        self._rang = False
        self._cseq += 1
        return True

    def _is_reachable(self, target: SipUri) -> bool:
        there = destination_of(target, Transport.UDP)
        return bool(self._invitation.routes) or (
            there is not None
            and there.transport in self.endpoint.config.addresses
            and (there.transport.secure or not self.secure)
        )

    def _falls_back(self, draft: Draft) -> bool:
        """Tell whether TCP, chosen for the size, was of no use (RFC 3261 18.1.1)."""
        if draft.flow is not None or draft.destination.transport is not Transport.TCP:
            return False
        self._udp_only = self._destination().transport is Transport.UDP
        return self._udp_only

    # What is sent.

    def _send_invite(self) -> None:
        self._early = None
        self._invites += 1
        draft = self._make_draft(self._destination())
        data = draft.to_bytes()
        if len(data) > MAX_UDP_REQUEST and self._may_upgrade(draft):
            draft = self._make_draft(replace(draft.destination, transport=Transport.TCP))
            data = draft.to_bytes()
        transaction = ClientTransaction(self.endpoint, draft, self, "INVITE", data)
        patience = self._invitation.response_seconds
        self._transaction = transaction
        transaction.hurries = patience is None
        transaction.start(patience)
        if patience is None and self._attempt + 1 < len(self._destinations):
            transaction.hurry()

    def _destination(self) -> Destination:
        flow = self._flow
        if self._destinations:
            return self._destinations[self._attempt]
        if flow is not None:
            return Destination(flow.transport, flow.remote.host, flow.remote.port)
        routes = self._invitation.routes
        there = destination_of(routes[0].uri if routes else self._target, Transport.UDP)
        if there is None:
            raise LocalProtocolError("the target names no host, and there is no route to it")
        return there

    def _make_draft(self, destination: Destination) -> Draft:
        endpoint, invitation = self.endpoint, self._invitation
        transport = destination.transport
        uri = str(self._target)
        lines = (
            f"Contact: {endpoint.contact(transport)}{invitation.contact_parameters}\r\n"
            f"{endpoint.capability_lines}"
        )
        if self._session_seconds:
            lines += f"Session-Expires: {self._session_seconds}\r\n"
            if self._session_seconds != endpoint.config.session_seconds:
                lines += f"Min-SE: {self._session_seconds}\r\n"
        self._authorization = ""
        if self.digest is not None:
            self._authorization = header_lines(self.digest.headers("INVITE", uri))
        if invitation.headers:
            lines += header_lines(invitation.headers)
        lines += self._authorization
        if invitation.body:
            lines += f"Content-Type: {invitation.content_type}\r\n"
        via, branch = endpoint.via(transport), self._branch
        if self._invites > 1:
            branch = nth_branch(branch, self._invites)
        from_ = f"{self._from};tag={self.local_tag}"
        return Draft(
            "INVITE", uri, via, branch, from_, self._to, self.call_id, self._cseq, self._routes,
            lines, invitation.body, destination, self._flow,
        )  # fmt: skip

    def _may_upgrade(self, draft: Draft) -> bool:
        return (
            draft.destination.transport is Transport.UDP
            and draft.flow is None
            and not self._udp_only
            and Transport.TCP in self.endpoint.config.addresses
        )

    def _send_cancel(self) -> None:
        assert self._transaction is not None
        draft = self._transaction.draft
        data = draft.cancel(reason_line(self.reason))
        ClientTransaction(self.endpoint, draft, Unheard(), "CANCEL", data).start()
        self.start_timer(Timer.GIVE_UP, self.endpoint.intervals.patience)

    def _make_ack(self, body: bytes = b"") -> SuccessAck:
        # RFC 3261 13.2.2.4: the INVITE's number and credentials, the dialog's way.
        lines = self._authorization
        if body:
            lines += f"Content-Type: {self._invitation.content_type}\r\n"
        dialog = self.dialog
        assert dialog is not None
        ack = self._ack = SuccessAck(dialog, self._cseq, lines, body)
        return ack

    def _send_ack(self) -> None:
        ack = self._ack or self._make_ack()
        ack.send()

    # The machine.

    def _acknowledge_and_end(self) -> None:
        self._send_ack()
        self.send_bye()

    def _acknowledge_and_tell_end(self) -> None:
        self._send_ack()
        self.tell_end()

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
            self.endpoint.events.append(
                Progress(
                    self.number,
                    response.status,
                    response.reason,
                    response.body,
                    reliable_number(response) is not None,
                    response,
                )
            )

    def _tell_answer(self) -> None:
        response, dialog = self._response, self.dialog
        assert response is not None
        assert dialog is not None
        self._answered = True
        self.endpoint.events.append(
            Answered(self.number, response.status, response.body, dialog.identity(), response)
        )

    def _tell_refusal(self) -> None:
        if self._transaction is not None:
            self._transaction.give_up()
        response, cause = self._response, self._cause
        if self.hung_up:
            cause = RefusalCause.CANCELED
        if response is None or response.status < 200:
            status = _STANDS_FOR.get(cause, _REQUEST_TERMINATED)
            self.endpoint.events.append(Refused(self.number, status, reason_phrase(status), cause))
            return
        _, q850, text = told_causes(response)
        self.endpoint.events.append(
            Refused(
                self.number,
                response.status,
                response.reason or text,
                cause,
                q850,
                retry_after(response),
                usable_contacts(response),
                response,
            )
        )

    MACHINE = OUTGOING_LEG
    MADE_CALL_ID = True
    ACTIONS: ClassVar[Actions] = {
        LegAction.PROGRESS: _tell_progress,
        LegAction.ANSWER: _tell_answer,
        LegAction.INVITE: _send_invite,
        LegAction.REFUSE: _tell_refusal,
        LegAction.CANCEL: _send_cancel,
        LegAction.ACK: _send_ack,
        LegAction.ACK_BYE: _acknowledge_and_end,
        LegAction.ACK_END: _acknowledge_and_tell_end,
        LegAction.BYE: Leg.send_bye,
        LegAction.END: tell_end,
    }
