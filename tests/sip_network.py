"""User agents joined by a network in virtual time: a list of datagrams, and a clock of our own."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from twoleg.sip import (
    Address,
    Destination,
    Event,
    Flow,
    Invitation,
    NameAddr,
    Outgoing,
    SipUri,
    Transport,
    UserAgent,
    UserAgentConfig,
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

    def do(self, verb: str, *arguments: object, **named: object) -> object:
        """Call a verb of the agent at the network's time, and send what comes of it."""
        method = getattr(self.agent, verb)
        result = method(arguments[0], self.network.now, *arguments[1:], **named)
        self.network.flush(self)
        return result


class Network:
    """Peers, the datagrams between them, and the time."""

    def __init__(self, fate: Fate = faithful, seed: int = 0) -> None:
        self.now = 0.0
        self.fate = fate
        self.random = random.Random(seed)
        self.peers: dict[Address, Peer] = {}
        self.sent: list[tuple[float, Address, Address, bytes]] = []
        self.reachable: Callable[[Address], bool] = lambda address: True
        self._order = count()
        self._under_way: list[tuple[float, int, Callable[[], None]]] = []

    def peer(self, host: str, **config: object) -> Peer:
        address = Address(host, 5060)
        agent = UserAgent(
            UserAgentConfig(addresses={Transport.UDP: address}, **config),
            lambda size: self.random.randbytes(size).hex(),
        )
        peer = self.peers[address] = Peer(self, address, agent)
        return peer

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something done at a time."""
        heapq.heappush(self._under_way, (when, next(self._order), what))

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.at(self.now + seconds, what)

    def run(self, until: float = LONGEST) -> None:
        """Let everything happen in its order, until nothing is left or the time has come."""
        while True:
            moments = [(self._under_way[0][0], None)] if self._under_way else []
            for peer in self.peers.values():
                deadline = peer.agent.next_deadline()
                if deadline is not None:
                    moments.append((deadline, peer))
            if not moments:
                return
            when, peer = min(moments, key=lambda moment: moment[0])
            if when > until:
                self.now = until
                return
            self.now = max(self.now, when)
            if peer is None:
                heapq.heappop(self._under_way)[2]()
            else:
                peer.agent.handle_timeout(self.now)
                self.flush(peer)

    def flush(self, peer: Peer) -> None:
        """Send what a peer wants sent, and tell it what it is to be told."""
        while True:
            outgoing = peer.agent.datagrams_to_send()
            for each in outgoing:
                self._send(peer, each)
            event = peer.agent.next_event()
            if event is None:
                if not outgoing:
                    return
                continue
            peer.told.append(event)
            peer.on_event(event)

    def _send(self, peer: Peer, outgoing: Outgoing) -> None:
        if outgoing.flow is not None:
            target = outgoing.flow.remote
        else:
            target = Address(outgoing.destination.host, outgoing.destination.port or 5060)
        self.sent.append((self.now, peer.address, target, outgoing.data))
        if not self.reachable(target):
            peer.agent.transport_failed(outgoing, self.now)
            return
        for delay in self.fate(outgoing.data, peer.address, target):
            self.after(delay, lambda: self._arrive(outgoing.data, peer.address, target))

    def _arrive(self, data: bytes, source: Address, target: Address) -> None:
        peer = self.peers.get(target)
        if peer is not None:
            peer.agent.receive(data, Flow(Transport.UDP, target, source), self.now)
            self.flush(peer)

    def lines(self) -> Iterator[str]:
        """What was sent, by start line: the story of a failed test."""
        for at, source, target, data in self.sent:
            first = data.partition(b"\r\n")[0].decode()
            yield f"{at:8.3f} {source} -> {target} {first}"
