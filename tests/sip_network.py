"""User agents joined by a network in virtual time: a list of datagrams, and a clock of our own.

`Network.peer` makes a user agent, `Network.far_end` a place whose messages a test writes itself.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

from twoleg.sip import (
    Address,
    Answered,
    Destination,
    Event,
    Flow,
    Invitation,
    Invited,
    NameAddr,
    Outgoing,
    Request,
    Response,
    SipUri,
    Transport,
    UserAgent,
    UserAgentConfig,
    parse_message,
)

Fate = Callable[[bytes, Address, Address], list[float]]
"""Says after which delays, in seconds, copies of a datagram arrive: none of them if it is lost."""

DELAY = 0.01
LONGEST = 400.0
"""Seconds of virtual time after which nothing of a call may still be going on."""


def faithful(data: bytes, source: Address, target: Address) -> list[float]:
    del data, source, target
    return [DELAY]


@dataclass
class Peer:
    """One user agent, with everything that it was told, and what is done when it is told."""

    network: Network
    address: Address
    agent: UserAgent
    told: list[Event] = field(default_factory=list)
    on_event: Callable[[Event], None] = lambda event: None
    deadline: float | None = None

    def told_of(self, kind: type) -> list:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def target(self) -> SipUri:
        return SipUri.parse(f"sip:{self.address}")

    @property
    def name(self) -> NameAddr:
        return NameAddr(self.target)

    def invite(self, *others: Peer, **changes: object) -> int:
        """Ring the others, one destination after another."""
        fields = {
            "target": others[0].target,
            "from_": self.name,
            "to": others[0].name,
            "destinations": tuple(
                Destination(Transport.UDP, peer.address.host, peer.address.port) for peer in others
            ),
            "body": b"offer",
            **changes,
        }
        leg = self.agent.invite(Invitation(**fields), self.network.now)
        self.network.flush(self)
        return leg

    def call(self, other: Peer) -> tuple[int, int]:
        """Have a call with another, answered and acknowledged; give both numbers of its legs."""
        leg = self.invite(other)
        self.network.run_for(0.1)
        there = other.told_of(Invited)[-1].leg
        other.do("accept", there, b"answer")
        self.network.run_for(0.1)
        assert self.told_of(Answered)[-1].leg == leg
        self.do("acknowledge", leg)
        self.network.run_for(0.1)
        self.told.clear()
        other.told.clear()
        return leg, there

    def do(self, verb: str, *arguments: object, **named: object) -> object:
        """Call a verb of the agent at the network's time, and send what comes of it."""
        method = getattr(self.agent, verb)
        result = method(arguments[0], self.network.now, *arguments[1:], **named)
        self.network.flush(self)
        return result


class FarEnd:
    """A place on the network whose messages are written by hand."""

    def __init__(self, network: Network, address: Address) -> None:
        self.network = network
        self.address = address
        self.got: list[Request | Response] = []
        self.script: Callable[[Request | Response], None] = lambda message: None

    @property
    def target(self) -> SipUri:
        return SipUri.parse(f"sip:far@{self.address}")

    @property
    def name(self) -> NameAddr:
        return NameAddr(self.target)

    def requests(self, method: str) -> list[Request]:
        return [each for each in self.got if isinstance(each, Request) and each.method == method]

    def responses(self, status: int) -> list[Response]:
        return [each for each in self.got if isinstance(each, Response) and each.status == status]

    def reply(
        self,
        request: Request,
        status: int,
        *headers: tuple[str, str],
        tag: str = "far",
        body: bytes = b"",
    ) -> None:
        """Answer a request of the peer at whose address it came."""
        response = request.make_response(status, to_tag=tag, body=body)
        if not any(name == "Contact" for name, _ in headers):
            headers = (*headers, ("Contact", f"<sip:far@{self.address}>"))
        for name, value in headers:
            response.headers.add(name, value)
        via = request.via
        self.network.carry(response.to_bytes(), self.address, Address(via.host, via.port or 5060))

    def send(self, peer: Peer, text: str, body: bytes = b"") -> None:
        """Send what is written, with `\n` for line ends and without what every request has."""
        head, _, more = text.partition("\n")
        method = head.partition(" ")[0]
        lines = [line for line in more.split("\n") if line]
        names = {line.partition(":")[0] for line in lines}
        usual = {
            "Via": f"SIP/2.0/UDP {self.address};branch=z9hG4bK{self.network.token()}",
            "From": f"<sip:far@{self.address}>;tag=far",
            "To": f"<sip:near@{peer.address}>",
            "Call-ID": "call",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:far@{self.address}>",
            "Max-Forwards": "70",
            "Content-Length": str(len(body)),
        }
        lines += [f"{name}: {value}" for name, value in usual.items() if name not in names]
        data = "\r\n".join([head, *lines, "", ""]).encode() + body
        self.network.carry(data, self.address, peer.address)


class Network:
    """Peers, the datagrams between them, and the time."""

    def __init__(self, fate: Fate = faithful, seed: int = 0) -> None:
        self.now = 0.0
        self.fate = fate
        self.random = random.Random(seed)
        self.peers: dict[Address, Peer] = {}
        self.far_ends: dict[Address, FarEnd] = {}
        self.sent: list[tuple[float, Address, Address, bytes]] = []
        self.reachable: Callable[[Address], bool] = lambda address: True
        self.names: dict[str, tuple[Address, ...]] = {}
        """What host names stand for, best first; whoever sends to one looks it up."""

        self._order = count()
        self._under_way: list[tuple[float, int, Callable[[], None]]] = []

    def peer(
        self,
        host: str,
        transports: tuple[Transport, ...] = (Transport.UDP,),
        known_as: str = "",
        **config: object,
    ) -> Peer:
        """Put a user agent at an address; Contact and Via name `known_as` in its place."""
        address = Address(host, 5060)
        named = dict.fromkeys(transports, Address(known_as or host, 5060))
        agent = UserAgent(UserAgentConfig(addresses=named, **config), self.token)
        peer = self.peers[address] = Peer(self, address, agent)
        return peer

    def far_end(self, host: str) -> FarEnd:
        address = Address(host, 5060)
        far_end = self.far_ends[address] = FarEnd(self, address)
        return far_end

    def token(self, size: int = 8) -> str:
        return self.random.randbytes(size).hex()

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something done at a time."""
        heapq.heappush(self._under_way, (when, next(self._order), what))

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.at(self.now + seconds, what)

    def run_for(self, seconds: float) -> None:
        """Let time go on, also where nothing happens."""
        until = self.now + seconds
        self.run(until)
        self.now = until

    def run(self, until: float = LONGEST) -> None:
        """Let everything happen in its order, until nothing is left or the time has come."""
        never = float("inf")
        while True:
            when = self._under_way[0][0] if self._under_way else never
            due = None
            for peer in self.peers.values():
                if peer.deadline is not None and peer.deadline < when:
                    when, due = peer.deadline, peer
            if when > until or when == never:
                return
            self.now = max(self.now, when)
            if due is None:
                heapq.heappop(self._under_way)[2]()
            else:
                due.agent.handle_timeout(self.now)
                self.flush(due)

    def flush(self, peer: Peer) -> None:
        """Send what a peer wants sent, and tell it what it is to be told."""
        while True:
            outgoing, events, peer.deadline = peer.agent.take()
            if not outgoing and not events:
                return
            for each in outgoing:
                self._send(peer, each)
            for event in events:
                peer.told.append(event)
                peer.on_event(event)

    def _send(self, peer: Peer, outgoing: Outgoing) -> None:
        flow = outgoing.flow
        if flow is not None:
            target, transport = flow.remote, flow.transport
        elif outgoing.destination.host in self.names:
            self.after(DELAY, lambda: self._resolved(peer, outgoing))
            return
        else:
            there = outgoing.destination
            target, transport = Address(there.host, there.port or 5060), there.transport
        if not self.reachable(target):
            self.sent.append((self.now, peer.address, target, outgoing.data))
            peer.agent.transport_failed(outgoing, self.now)
            return
        self.carry(outgoing.data, peer.address, target, transport)

    def _resolved(self, peer: Peer, outgoing: Outgoing) -> None:
        """Do what a shell does once it has looked up the host of a message."""
        there = outgoing.destination
        found = tuple(
            replace(there, host=address.host, port=address.port, domain=there.host)
            for address in self.names[there.host]
        )
        if outgoing.token is not None:
            peer.agent.resolved(outgoing, found, self.now)
        else:
            self._send(peer, replace(outgoing, destination=found[outgoing.turn % len(found)]))
        self.flush(peer)

    def carry(
        self, data: bytes, source: Address, target: Address, transport: Transport = Transport.UDP
    ) -> None:
        """Bring a message to its target, unless fate has it otherwise."""
        self.sent.append((self.now, source, target, data))
        for delay in [DELAY] if transport.reliable else self.fate(data, source, target):
            self.after(delay, lambda: self._arrive(data, source, target, transport))

    def _arrive(self, data: bytes, source: Address, target: Address, transport: Transport) -> None:
        peer = self.peers.get(target)
        if peer is not None:
            connection = 1 if transport.reliable else None
            peer.agent.receive(data, Flow(transport, target, source, connection), self.now)
            self.flush(peer)
            return
        far_end = self.far_ends.get(target)
        if far_end is not None:
            message = parse_message(data)
            far_end.got.append(message)
            far_end.script(message)

    def lines(self) -> Iterator[str]:
        """What was sent, by start line: the story of a failed test."""
        for at, source, target, data in self.sent:
            first = data.partition(b"\r\n")[0].decode()
            yield f"{at:8.3f} {source} -> {target} {first}"

    def methods(self, source: Peer | FarEnd) -> list[str]:
        """The methods and statuses that one sent, in their order."""
        firsts = [
            data.partition(b"\r\n")[0].decode().split(" ")
            for _, sender, _, data in self.sent
            if sender == source.address
        ]
        return [first[1] if first[0] == "SIP/2.0" else first[0] for first in firsts]


class Provable(Protocol):
    """What goes by a seed on a network of its own, and says whether it went as it must."""

    network: Network

    def run(self) -> None: ...

    def check(self) -> None: ...


def prove(story: Provable, seed: int) -> None:
    """Run a story and check it; what goes wrong comes with its seed and all that was sent."""
    try:
        story.run()
        story.check()
    except Exception as error:
        sent = "\n".join(story.network.lines())
        raise AssertionError(f"seed {seed}: {error!r}\n{sent}") from error
