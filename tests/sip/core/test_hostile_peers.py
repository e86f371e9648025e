"""Whatever comes from the network, nothing is raised, and nothing grows without bound."""

from __future__ import annotations

import os
import random

import pytest
from sip_network import Network

from twoleg.sip import (
    Address,
    Answered,
    Flow,
    Invited,
    LocalProtocolError,
    Offered,
    OfferWanted,
    Transport,
)

CHUNKS = 10
RUNS = int(os.environ.get("TWOLEG_SIP_RUNS", "1000")) // CHUNKS
PIECES = [
    b"\x00", b"\xff\xfe", b"\n", b",", b";", b"<", b">", b'"', b"@", b":", b"%zz", b"[::1", b" ",
    b";tag=", b";lr", b"\r\nRoute: <", b"\r\nContact: <tel:1>", b"\r\nContact: *",
    b"\r\nRequire: 100rel\r\nRSeq: 1", b"\r\nRecord-Route: <sip:x>", b"\r\nContact: <sips:a@b>",
    b"\r\nRecord-Route: <urn:x>", b"\r\nRetry-After: 9" + b"9" * 40, b"\r\nReason: SIP;cause=x",
    b"\r\nRSeq: 999999999999", b"\r\nContact: <sip:a@b;transport=tls>", b"\r\nTo: \xc3\x28",
    b"\r\nWWW-Authenticate: Digest", b"\r\nl: 5", b"\r\n folded", b"4294967296",
    b"\r\nContact: <sip:a@names.example.com>", b"\r\nRecord-Route: <sip:names.example.com;lr>",
    b"\r\nRAck: 1 1 INVITE", b"\r\nRAck: x",
]  # fmt: skip


def damaged(draw: random.Random, data: bytes) -> bytes:
    for _ in range(draw.randrange(4)):
        at = draw.randrange(len(data) + 1)
        kind = draw.random()
        if kind < 0.5:
            ends = [index for index in range(len(data)) if data.startswith(b"\r\n", index)]
            place = draw.choice(ends) if ends and draw.random() < 0.6 else at
            data = data[:place] + draw.choice(PIECES) + data[place:]
        elif kind < 0.8:
            data = data[:at] + data[at + draw.randrange(1, 30) :]
        else:
            data = data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    return data


def status_changed(draw: random.Random, data: bytes) -> bytes:
    if data.startswith(b"SIP/2.0 ") and draw.random() < 0.2:
        status = draw.choice([100, 180, 183, 199, 200, 202, 300, 302, 401, 407, 481, 491, 503, 699])
        return b"SIP/2.0 %d" % status + data[11:]
    return data


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_damaged_messages_in_the_midst_of_calls_raise_nothing(chunk):
    for seed in range(chunk * RUNS, (chunk + 1) * RUNS):
        draw = random.Random(seed)
        network = Network(seed=seed)
        carry = network.carry

        def carry_damaged(data, source, target, transport=Transport.UDP, *, d=draw, c=carry):
            copy = status_changed(d, data)
            c(damaged(d, copy) if d.random() < 0.5 else copy, source, target, transport)
            if d.random() < 0.3:
                c(data, source, target, transport)

        network.carry = carry_damaged
        caller = network.peer("10.0.0.1", (Transport.UDP, Transport.TCP))
        callee = network.peer("10.0.0.2")
        network.names["names.example.com"] = (Address("10.0.0.66", 5060), callee.address)
        for peer in (caller, callee):
            peer.on_event = lambda event, peer=peer, d=draw: answer(peer, event, d)
        required = draw.choice([(), (("Require", "100rel"),)])
        leg = caller.invite(callee, follow_redirects=2, headers=required)
        network.after(draw.random() * 5, lambda c=caller, n=leg: c.do("hang_up", n))
        network.run()


def answer(peer, event, draw):
    if isinstance(event, Invited):
        attempt(peer, "ring_back", event.leg, 183, draw.choice([None, b"answer"]))
        attempt(peer, "accept", event.leg, b"answer")
    elif isinstance(event, Answered):
        peer.do("acknowledge", event.leg)
        attempt(peer, "offer", event.leg, b"more", draw.choice(["INVITE", "UPDATE"]))
    elif isinstance(event, Offered | OfferWanted):
        if draw.random() < 0.5:
            attempt(peer, "answer_offer", event.leg, b"answer")
        else:
            attempt(peer, "refuse_offer", event.leg)


def attempt(peer, verb, leg, *arguments):
    try:
        peer.do(verb, leg, *arguments)
    except LocalProtocolError:
        pass


def test_a_flood_of_invites_leaves_nothing_behind_once_it_is_over(network, callee, far):
    for number in range(300):
        far.send(callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\nCall-ID: {number}")
    network.run_for(1)
    for event in callee.told_of(Invited):
        callee.do("reject", event.leg, 403)
    network.run()
    endpoint = callee.agent._endpoint
    assert callee.agent.is_idle
    assert (endpoint.clients, endpoint.servers) == ({}, {})
    assert len(endpoint.deadlines) == 0


def test_a_finished_call_leaves_nothing_behind(network, caller, callee):
    leg, _ = caller.call(callee)
    caller.do("offer", leg, b"more")
    network.run_for(1)
    caller.do("hang_up", leg)
    network.run()
    for peer in (caller, callee):
        endpoint = peer.agent._endpoint
        assert (endpoint.clients, endpoint.servers) == ({}, {})
        assert len(endpoint.deadlines) == 0
        assert peer.deadline is None
        assert len(peer.agent._legs) == 0


def test_a_message_by_a_transport_that_we_have_no_address_for_raises_nothing(network, callee):
    flow = Flow(Transport.TLS, callee.address, Address("10.0.0.9", 5061), connection=1)
    callee.agent.receive(
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS 10.0.0.9;branch=z9hG4bKa\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
        b"Contact: <sip:a@b>\r\n\r\n",
        flow,
        0.0,
    )
    network.flush(callee)
    assert callee.told == []
