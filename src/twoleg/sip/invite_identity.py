"""An INVITE under way, as another process needs it to take it back (RFC 3261 9.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from twoleg.sip.client_transaction import ClientTransaction
from twoleg.sip.dialog_request import DialogRequest
from twoleg.sip.dialogs import Dialog
from twoleg.sip.drafts import Draft
from twoleg.sip.early_dialogs import MAX_FORKS
from twoleg.sip.endpoint import CALL_ID_BYTES, Endpoint
from twoleg.sip.errors import InvalidValue
from twoleg.sip.events import RefusalCause, RequestCompleted
from twoleg.sip.fields import NameAddr
from twoleg.sip.header_lines import route_lines
from twoleg.sip.message import Response
from twoleg.sip.timers import Timer
from twoleg.sip.transport import Destination, Transport
from twoleg.sip.uri import SipUri, parse_uri
from twoleg.sip.values import immutable

_TAG: Final = ";tag="


def nth_branch(first: str, number: int) -> str:
    """Give the branch of a further INVITE of a leg, which can be told from that of its first."""
    return f"{first}-{number}"


@immutable()
class InviteIdentity:
    """What the CANCEL of an INVITE repeats, and where it goes.

    `via` is our whole Via but its branch: far ends find the INVITE by both (17.2.3). `from_` and
    `to` are header values, `routes` a block of Route lines.
    """

    uri: str
    via: str
    branch: str
    from_: str
    to: str
    call_id: str
    cseq: int
    routes: str
    destination: Destination

    @property
    def local_tag(self) -> str:
        """Our tag, with which From ends."""
        return self.from_.rpartition(_TAG)[2]

    @property
    def local_uri(self) -> str:
        """The value of From without our tag."""
        return self.from_.rpartition(_TAG)[0]

    @property
    def is_first(self) -> bool:
        """Whether no challenge went before it."""
        return self.cseq == 1

    def challenged(self) -> InviteIdentity:
        """Give the INVITE that follows this first one of its leg where that was challenged."""
        return replace(self, branch=nth_branch(self.branch, 2), cseq=self.cseq + 1)

    @classmethod
    def ahead(
        cls,
        endpoint: Endpoint,
        target: SipUri,
        from_: NameAddr,
        to: NameAddr,
        routes: tuple[NameAddr, ...],
        destination: Destination,
    ) -> InviteIdentity:
        """Decide how an INVITE will be known that is sent later. Raises LocalProtocolError."""
        via, branch = endpoint.via(destination.transport), endpoint.branch()
        from_line, to_line = f"{from_}{_TAG}{endpoint.tag()}", str(to)
        call_id, cseq = endpoint.tokens(CALL_ID_BYTES), 1
        lines = route_lines(routes) if routes else ""
        return cls(
            str(target), via, branch, from_line, to_line, call_id, cseq, lines, destination
        )  # fmt: skip

    @classmethod
    def of_draft(cls, draft: Draft) -> InviteIdentity:
        flow, there = draft.flow, draft.destination
        if flow is not None:
            there = Destination(flow.transport, flow.remote.host, flow.remote.port)
        return cls(
            draft.uri, draft.via, draft.branch, draft.from_, draft.to, draft.call_id, draft.cseq,
            draft.routes, there,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Give a dictionary that JSON can hold."""
        there = self.destination
        return {
            "uri": self.uri,
            "via": self.via,
            "branch": self.branch,
            "from": self.from_,
            "to": self.to,
            "call_id": self.call_id,
            "cseq": self.cseq,
            "routes": self.routes,
            "transport": there.transport.value,
            "destination": [there.host, there.port, there.domain, there.verify],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> InviteIdentity:
        """Read what `to_json` gave. Raises InvalidValue."""
        try:
            return cls(
                uri=str(values["uri"]),
                via=str(values["via"]),
                branch=str(values["branch"]),
                from_=str(values["from"]),
                to=str(values["to"]),
                call_id=str(values["call_id"]),
                cseq=int(values["cseq"]),
                routes=str(values["routes"]),
                destination=Destination(Transport(values["transport"]), *values["destination"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidValue("invite", "a part of it is missing or unreadable") from error

    def to_draft(self) -> Draft:
        """Give the INVITE again, as far as its CANCEL needs it."""
        return Draft(
            method="INVITE",
            uri=self.uri,
            via=self.via,
            branch=self.branch,
            from_=self.from_,
            to=self.to,
            call_id=self.call_id,
            cseq=self.cseq,
            routes=self.routes,
            headers="",
            body=b"",
            destination=self.destination,
            flow=None,
        )


class LostInvite:
    """Cancels the INVITE of another process, and tells by `RequestCompleted` what came of it.

    The final response of the INVITE itself goes to its Via. Where that is our own address by now,
    it is acknowledged, and an answer that crossed the CANCEL is ended by BYE; where nobody is, the
    far end gives up repeating it by itself (13.3.1.4; 17.2.1, timer H).
    """

    def __init__(self, endpoint: Endpoint, invite: InviteIdentity, headers: str) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._target = parse_uri(invite.uri)
        self._local = NameAddr.parse(invite.from_)
        draft = invite.to_draft()
        data = draft.cancel(headers)
        self._invite = ClientTransaction(endpoint, draft, self)
        self._cancel = ClientTransaction(endpoint, draft, self, "CANCEL", data)
        self._answers: dict[str, Draft] = {}
        self.number = endpoint.number()

    def cancel(self) -> None:
        """Send the CANCEL."""
        self._invite.resume()
        self._cancel.start()
        self._endpoint.timer(self._endpoint.intervals.patience, self, Timer.GIVE_UP)

    def timer_fired(self, timer: Timer) -> None:
        del timer
        self._invite.give_up()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        if transaction is self._cancel:
            if response.status >= 200:
                self._tell(response, RefusalCause.RESPONSE)
        elif 200 <= response.status < 300:
            self._end(transaction.draft, response)

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        if transaction is self._cancel:
            self._tell(None, cause)

    def _tell(self, response: Response | None, cause: RefusalCause) -> None:
        self._endpoint.events.append(RequestCompleted(self.number, response, cause))

    def _end(self, draft: Draft, response: Response) -> None:
        """Acknowledge an answer, however often it comes, and end its dialog (13.2.2.4)."""
        tag = response.to_tag or ""
        ack = self._answers.get(tag)
        if ack is None and len(self._answers) < MAX_FORKS:
            local_uri = str(NameAddr(self._local.uri, self._local.display_name))
            dialog = Dialog.of_response(
                self._endpoint, draft, response, local_uri, self._local.tag or "", self._target
            )
            ack = self._answers[tag] = dialog.draft("ACK", draft.cseq)
            self._endpoint.send(ack.to_bytes(), ack.destination, ack.flow)
            DialogRequest(dialog, None, "BYE", self._headers).send()
        elif ack is not None:
            self._endpoint.send(ack.to_bytes(), ack.destination, ack.flow)
