"""Server transactions (RFC 3261 17.2, RFC 6026): a request that came, until it is done with."""

from __future__ import annotations

from typing import Final, Protocol

from twoleg.sip.endpoint import MAGIC_COOKIE, Endpoint
from twoleg.sip.fields import Via
from twoleg.sip.message import Request
from twoleg.sip.transaction import Transaction
from twoleg.sip.transactions import INVITE_SERVER, NON_INVITE_SERVER, Action, Input, State
from twoleg.sip.transport import Address, Destination, Flow, Transport

_BUSY: Final = {
    INVITE_SERVER.name: frozenset({State.PROCEEDING, State.COMPLETED}),
    NON_INVITE_SERVER.name: frozenset({State.TRYING, State.PROCEEDING}),
}
_SEND: Final = Action.SEND


class ServerUser(Protocol):
    """Whoever answers an INVITE."""

    def on_acknowledged(self, ack: Request) -> None:
        """Take the ACK of a 2xx that came within the INVITE's own transaction."""


class ServerTransaction(Transaction):
    """One request that came, and the responses to it."""

    __slots__ = ("_data", "_destination", "_flow", "keys", "number", "request", "to_tag", "user")

    def __init__(
        self, endpoint: Endpoint, request: Request, via: Via, flow: Flow, key: tuple[object, ...]
    ) -> None:
        """Take a request, its topmost Via as `mark_received` left it, and its `transaction_key`."""
        machine = INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER
        self._destination, self._flow = response_path(via, flow)
        super().__init__(endpoint, machine, self._destination.transport)
        self._data = b""
        self.request = request
        self.number = endpoint.number()
        self.to_tag = request.to_tag or ""
        self.user: ServerUser | None = None
        self.keys = [key]
        endpoint.servers[key] = self
        endpoint.busy += 1

    @property
    def transport(self) -> Transport:
        """What the request came by."""
        return self._flow.transport

    def receive(self, request: Request) -> None:
        """Take the request again, or its ACK."""
        if request.method == "ACK":
            self.step(Input.ACK, request)
        else:
            self.endpoint.counters.retransmissions_received += 1
            self.step(Input.REQUEST)

    def respond(self, status: int, data: bytes) -> None:
        """Send a response, unless a final one was sent before."""
        if status < 200:
            happened = Input.PROVISIONAL
        else:
            happened = Input.SUCCESS if status < 300 else Input.FAILURE
        if self.machine.table[self.state][happened][1] is _SEND:
            self._data = data
        self.step(happened)

    def repeat(self) -> None:
        """Send the last response again: a 2xx to INVITE that has no ACK yet."""
        self.endpoint.counters.retransmissions_sent += 1
        self._send()

    def step(self, happened: Input, request: Request | None = None) -> None:
        before = self.state
        after, action = self.machine.table[before][happened]
        if after is not before:
            self._enter(after)
        if action is _SEND:
            self._send()
        elif action is Action.RETRANSMIT:
            if self._data:
                self.repeat()
        elif action is Action.ACKNOWLEDGED and self.user is not None:
            assert request is not None
            self.user.on_acknowledged(request)

    def _enter(self, state: State) -> None:
        endpoint = self.endpoint
        busy = _BUSY[self.machine.name]
        endpoint.busy += (state in busy) - (self.state in busy)
        self.state = state
        self.start_timers()
        if state is State.TERMINATED:
            for key in self.keys:
                endpoint.servers.pop(key, None)
            self.user = None
        elif state is State.COMPLETED and self.machine is NON_INVITE_SERVER:
            # What comes again gets the same bytes: 2 kB of headers need not wait for that too.
            self.request = self.request.without_content()

    def _send(self) -> None:
        self.endpoint.send(self._data, self._destination, self._flow)


def transaction_key(request: Request, via: Via) -> tuple[object, ...]:
    """Give what a request is matched by (RFC 3261 17.2.3); an ACK has the key of its INVITE."""
    method = "INVITE" if request.method == "ACK" else request.method
    branch = request.branch
    if branch is not None and branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return (branch, via.host, via.port, method)
    # An RFC 2543 peer: the ACK's To has a tag that the INVITE's had not.
    cseq = request.cseq.number
    return (str(request.uri), request.from_tag, request.call_id, cseq, str(via), method)


def merge_key(request: Request) -> tuple[object, ...]:
    """Give what is the same in a request that came by two ways (RFC 3261 8.2.2.2)."""
    return ("merged", request.from_tag, request.call_id, request.cseq.number, request.method)


def mark_received(request: Request, flow: Flow) -> Via:
    """Note the source in the topmost Via, and give it (RFC 3261 18.2.1, RFC 3581 4)."""
    via = request.via
    source = flow.remote
    wants_port = via.parameter("rport") is not None
    if via.host == source.host and not wants_port:
        return via
    parameters = dict(via.parameters)
    parameters["received"] = source.host
    if wants_port:
        parameters["rport"] = str(source.port)
    marked = Via(via.transport, via.host, via.port, tuple(parameters.items()))
    lines = request.headers.get_all("Via")
    request.headers.set("Via", str(marked))
    for line in lines[1:]:
        request.headers.add("Via", line)
    return marked


def response_path(via: Via, flow: Flow) -> tuple[Destination, Flow]:
    """Say where a response goes: the way its request came (RFC 3261 18.2.2, RFC 3581 4).

    The flow's source is where to, but the port of the Via without `rport`.
    """
    transport = flow.transport
    sent_by_port = via.port or transport.default_port
    if transport is not Transport.UDP:
        # By the connection; where that broke, a new one to where the Via says.
        return Destination(transport, flow.remote.host, sent_by_port), flow
    if via.rport is not None or flow.remote.port == sent_by_port:
        return Destination(transport, flow.remote.host, flow.remote.port), flow
    there = Address(flow.remote.host, sent_by_port)
    return Destination(transport, there.host, there.port), Flow(transport, flow.local, there)
