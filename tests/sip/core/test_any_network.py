"""Whatever is lost, doubled, delayed or reordered: calls end, and end well at both ends."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from sip_network import Network, Peer, prove

from twoleg.sip import (
    Address,
    Answered,
    Ended,
    Established,
    Invited,
    LocalProtocolError,
    Offered,
    OfferWanted,
    Reason,
    Refused,
)

RUNS = int(os.environ.get("TWOLEG_SIP_RUNS", "20000"))
CHUNKS = 40
SILENCE = 32.0
PATIENCE = 45.0
"""Longest time after which the caller hangs up, whatever has happened."""


class Story:
    """One call over a network that loses, doubles and delays, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = draw = random.Random(seed)
        self.loss = draw.choice([0, 0, 0.1, 0.3, 0.5])
        self.doubling = draw.choice([0, 0, 0.2])
        self.slowness = draw.choice([0.01, 0.5, 3.0])
        self.network = Network(self.fate, seed)
        self.caller = self.network.peer("10.0.0.1")
        self.callee = self.network.peer("10.0.0.2")
        self.arrived: list[tuple[float, bytes]] = []
        self.forgotten_at = float("inf")
        self.caller.on_event = self.at_caller
        self.callee.on_event = self.at_callee

    def fate(self, data: bytes, source: Address, target: Address) -> list[float]:
        draw = self.draw
        copies = 0 if draw.random() < self.loss else 1 + (draw.random() < self.doubling)
        delays = [draw.random() * self.slowness for _ in range(copies)]
        if delays and target == self.caller.address:
            self.arrived.append((self.network.now + min(delays), data))
        return delays

    def run(self) -> None:
        leg = self.caller.invite(self.callee)
        self.later(PATIENCE, self.caller, "hang_up", leg, Reason("SIP", 200, "enough"))
        self.network.run(until=2000)

    def later(self, most: float, peer: Peer, verb: str, *arguments: object) -> None:
        self.network.after(self.draw.random() * most, lambda: peer.do(verb, *arguments))

    def at_caller(self, event: object) -> None:
        if isinstance(event, Answered):
            self.later(0.2, self.caller, "acknowledge", event.leg)
            if self.draw.random() < 0.3:
                self.offer(self.caller, event.leg)
        if isinstance(event, Refused) and event.response is None:
            self.forgotten_at = self.network.now + SILENCE
        self.at_either(self.caller, event)

    def at_callee(self, event: object) -> None:
        if isinstance(event, Invited):
            kind = self.draw.random()
            if kind < 0.8:
                self.unless_over(self.callee, 0, "ring_back", event.leg)
            if kind < 0.5:
                self.unless_over(self.callee, 20, "accept", event.leg, b"answer")
            elif kind < 0.7:
                self.unless_over(self.callee, 20, "reject", event.leg, 486)
            if kind > 0.4:
                self.later(50, self.callee, "hang_up", event.leg)
        if isinstance(event, Established) and self.draw.random() < 0.3:
            self.offer(self.callee, event.leg)
        self.at_either(self.callee, event)

    def at_either(self, peer: Peer, event: object) -> None:
        if isinstance(event, Offered | OfferWanted):
            verb = "answer_offer" if self.draw.random() < 0.7 else "refuse_offer"
            arguments = (b"answer",) if verb == "answer_offer" else (488,)
            self.unless_over(peer, 3, verb, event.leg, *arguments)

    def offer(self, peer: Peer, leg: int) -> None:
        method = self.draw.choice(["INVITE", "UPDATE"])
        self.unless_over(peer, 5, "offer", leg, b"again", method)

    def unless_over(self, peer: Peer, most: float, verb: str, leg: int, *rest: object) -> None:
        """Do something with a leg, whose user need not know yet that it is over."""

        def attempt() -> None:
            try:
                peer.do(verb, leg, *rest)
            except LocalProtocolError:
                self.network.flush(peer)

        self.network.after(self.draw.random() * most, attempt)

    def check(self) -> None:
        for peer in (self.caller, self.callee):
            assert peer.agent.is_idle
            legs = Counter(event.leg for event in peer.told if isinstance(event, Refused | Ended))
            begun = {event.leg for event in peer.told_of(Invited)}
            assert all(times == 1 for times in legs.values())
            assert begun <= set(legs)
        assert sum(isinstance(event, Refused | Ended) for event in self.caller.told) == 1
        self.check_acks()
        self.check_byes()

    def check_acks(self) -> None:
        """Every final response to an INVITE that reached the caller was acknowledged.

        But for one that comes when it has heard nothing for 64*T1 since it gave the INVITE up.
        """
        acked = {
            number_of(data)
            for _, source, _, data in self.network.sent
            if source == self.caller.address and data.startswith(b"ACK ")
        }
        for at, data in self.arrived:
            is_final = data.startswith(b"SIP/2.0 ") and not data.startswith(b"SIP/2.0 1")
            if is_final and at < self.forgotten_at and data.count(b" INVITE\r\n"):
                assert number_of(data) in acked, data

    def check_byes(self) -> None:
        """An answered call was ended by BYE, whoever sent it."""
        if self.caller.told_of(Answered) or self.callee.told_of(Established):
            assert any(data.startswith(b"BYE ") for _, _, _, data in self.network.sent)


def number_of(data: bytes) -> bytes:
    """The number in a message's CSeq, without reading all of it."""
    return data.partition(b"\r\nCSeq: ")[2].partition(b" ")[0]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_final_response_is_acknowledged_and_every_answered_leg_gets_its_bye(chunk):
    for seed in range(chunk * RUNS // CHUNKS, (chunk + 1) * RUNS // CHUNKS):
        prove(Story(seed), seed)
