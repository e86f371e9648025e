"""Client transactions (RFC 3261 17.1, RFC 6026): a request until its final response, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from twoleg.sip.drafts import Draft
from twoleg.sip.endpoint import Endpoint
from twoleg.sip.events import RefusalCause
from twoleg.sip.interface import Outgoing
from twoleg.sip.message import Response
from twoleg.sip.transaction import Transaction
from twoleg.sip.transactions import INVITE_CLIENT, NON_INVITE_CLIENT, Action, Input, State

if TYPE_CHECKING:
    from twoleg.sip.transport import Destination

_BUSY: Final = frozenset({State.CALLING, State.TRYING, State.PROCEEDING})
_TERMINATED: Final = State.TERMINATED
_DELIVER: Final = Action.DELIVER
_NOTHING: Final = frozenset({Action.IGNORE, Action.FORGET})

RESPONSE_INPUTS: Final = {
    status: Input.PROVISIONAL if status < 200 else Input.SUCCESS if status < 300 else Input.FAILURE
    for status in range(100, 700)
}
"""What a response is to its transaction, by its status."""


class ClientUser(Protocol):
    """Whoever sent a request."""

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Take a provisional or final response; of INVITE each 2xx, however often it comes."""

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        """Take note that there will be no response: TIMEOUT or TRANSPORT."""


class Unheard:
    """A user to whom neither a response nor its want changes anything."""

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        pass

    def on_failure(self, transaction: ClientTransaction, cause: RefusalCause) -> None:
        pass


class ClientTransaction(Transaction):
    """One request on its way. `start` sends it; `give_up` forgets it."""

    __slots__ = (
        "_ack",
        "_data",
        "_hurried",
        "_key",
        "draft",
        "further",
        "hurries",
        "tried",
        "user",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        draft: Draft,
        user: ClientUser,
        method: str = "",
        data: bytes = b"",
    ) -> None:
        """Take the request as `draft`; `data` is what to send, if it is written already.

        A CANCEL comes with the draft of its INVITE: it is told by `method`.
        """
        method = method or draft.method
        machine = INVITE_CLIENT if method == "INVITE" else NON_INVITE_CLIENT
        super().__init__(endpoint, machine, draft.destination.transport)
        self._data = data or draft.to_bytes()
        self._key = (draft.branch, method)
        self._ack = b""
        self._hurried = False
        self.draft = draft
        self.user: ClientUser | None = user
        """Who is told; None: nobody any more."""

        self.further: tuple[Destination, ...] = ()
        """What else the name of its destination stands for, best first (RFC 3263 4.3)."""

        self.hurries = False
        """Whether its user would try those, so that the first need not be waited for as long."""

        self.tried: tuple[Destination, ...] = ()
        """Where the same request went before, in vain."""

    def start(self, patience: float | None = None) -> None:
        """Send the request. `patience`: seconds until no response is its end; None: 64*T1."""
        self._register()
        self._send(self._data)
        self.start_timers(patience)

    def hurry(self) -> None:
        """Have silence end it sooner from now on: there is another address to try."""
        self._hurried = True
        self.start_timers(self.endpoint.intervals.silence)

    def resume(self) -> None:
        """Wait for the final response of an INVITE that another process sent."""
        self._register()
        self.state = State.PROCEEDING

    def resolved(self, sent: Outgoing, destinations: tuple[Destination, ...]) -> None:
        """Take the addresses of a destination that was a name: the first is the one from now on.

        Whatever the request needs goes there: its repetitions, its ACK, its CANCEL. Where all of
        them were tried before, it cannot be sent.
        """
        draft = self.draft
        if draft.destination != sent.destination:
            return  # two looked it up; it was settled by the first
        left = [there for there in destinations if not any(map(there.leads_where, self.tried))]
        if not left:
            self.transport_failed()
            return
        draft.destination, *further = left
        self.further = tuple(further)
        self._send(sent.data)
        if further and self.hurries and self.state is self.machine.start:
            self.hurry()

    def transport_failed(self) -> None:
        """Take note that what was sent last could not be sent."""
        self.step(Input.TRANSPORT_ERROR)

    def give_up(self) -> None:
        """Forget a request whose response nobody waits for any more."""
        self.step(Input.GIVE_UP)

    def step(self, happened: Input, response: Response | None = None) -> None:
        """Enter the next state, and do what the table says; `response` is one that matches."""
        before = self.state
        user = self.user
        after, action = self.machine.table[before][happened]
        if after is not before:
            self._enter(after)
        if user is None or action in _NOTHING:
            return
        if action is _DELIVER:
            assert response is not None
            user.on_response(self, response)
        elif action is Action.DELIVER_LATE:
            assert response is not None
            self.start_timers()
            user.on_response(self, response)
        elif action is Action.ACK_AND_DELIVER:
            assert response is not None
            self._acknowledge(response)
            user.on_response(self, response)
        elif action is Action.ACK:
            assert response is not None
            self._acknowledge(response)
        elif action is Action.RETRANSMIT or action is Action.RETRANSMIT_LATER:
            self.endpoint.counters.retransmissions_sent += 1
            self._send(self._data)
            if action is Action.RETRANSMIT_LATER:
                self._interval = self.endpoint.intervals.t2
        elif action is Action.TIMEOUT:
            user.on_failure(self, RefusalCause.TIMEOUT)
        else:
            user.on_failure(self, RefusalCause.TRANSPORT)

    def _register(self) -> None:
        endpoint = self.endpoint
        endpoint.clients[self._key] = self
        endpoint.busy += 1

    def _enter(self, state: State) -> None:
        if state in _BUSY:
            # The one other than the first, PROCEEDING: what it does not keep stops.
            if self._hurried:
                self.start_timers()
            self.state = state
            if state not in self.machine.keeps:
                self.stop_timers()
            return
        endpoint = self.endpoint
        if self.state in _BUSY:
            endpoint.busy -= 1
        self.state = state
        if state is _TERMINATED:
            if self._deadline is not None:
                self.stop_timers()
            endpoint.clients.pop(self._key, None)
            # Who sent it holds it too: together they would outlive the call.
            self.user = None
        else:
            self.start_timers()
            # What is sent from here on is a repeated ACK, whose loss nobody is told of.
            self._data = b""
            if self.machine is NON_INVITE_CLIENT:
                self.user = None  # what comes again is absorbed

    def _acknowledge(self, response: Response) -> None:
        if not self._ack:
            self._ack = self.draft.failure_ack(response.headers.get("To") or self.draft.to)
        self._send(self._ack)

    def _send(self, data: bytes) -> None:
        draft = self.draft
        sent = Outgoing(data, draft.destination, draft.flow, self._key)
        self.endpoint.outbox.append(sent)
