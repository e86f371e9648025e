"""Keys of the media go where nobody else reads them: over TLS, or not at all (RFC 4568 5.1.4)."""

from __future__ import annotations

import pytest

from twoleg.sip import (
    Address,
    Answered,
    Destination,
    Flow,
    LocalProtocolError,
    NameAddr,
    Offered,
    RefusalCause,
    Refused,
    Transport,
)

FAR = Address("10.0.0.9", 5060)
TLS = Destination(Transport.TLS, FAR.host, FAR.port)
UDP = Destination(Transport.UDP, FAR.host, FAR.port)


@pytest.fixture
def caller(network):
    return network.peer("10.0.0.1", (Transport.UDP, Transport.TCP, Transport.TLS))


def sent_over(network, caller):
    """The methods of the caller's requests, with the transport that their Via names."""
    sent = [data.decode() for _, source, _, data in network.sent if source == caller.address]
    return [
        (text.partition(" ")[0], text.partition("Via: SIP/2.0/")[2].partition(" ")[0])
        for text in sent
        if not text.startswith("SIP/2.0")
    ]


def answered(network, caller, far, *, contact):
    """A call over TLS whose far end has given `contact`; give its leg."""
    leg = caller.invite(far, destinations=(TLS,), secure=True)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 200, ("Contact", contact), body=b"answer")
    network.run_for(0.1)
    assert caller.told_of(Answered)
    caller.do("acknowledge", leg)
    network.run_for(0.1)
    caller.told.clear()
    return leg


def offer_within(far, caller, method):
    """Send an offer in the dialog over TCP."""
    invite = far.requests("INVITE")[0]
    request = (
        f"{method} sip:near@10.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/TCP {far.address};branch=z9hG4bKoffer\r\n"
        f"From: {invite.headers.get('To')};tag=far\r\nTo: {invite.headers.get('From')}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:far@{far.address}>\r\nContent-Length: 3\r\n\r\nnew"
    )
    return request.encode()


def test_of_several_destinations_only_the_secure_ones_are_tried(network, caller, far):
    caller.invite(far, destinations=(UDP, TLS), secure=True)
    network.run_for(0.1)
    assert sent_over(network, caller) == [("INVITE", "TLS")]


@pytest.mark.parametrize(
    "way",
    [
        {"destinations": (UDP,)},
        {"destinations": ()},
        {"destinations": (), "routes": (NameAddr.parse("<sip:10.0.0.9:5060;lr>"),)},
        {
            "destinations": (),
            "flow": Flow(Transport.TCP, Address("10.0.0.1", 5060), FAR, 1),
        },
    ],
)
def test_nothing_is_sent_where_no_way_is_secure(network, caller, far, way):
    with pytest.raises(LocalProtocolError):
        caller.invite(far, secure=True, **way)
    network.run()
    assert far.got == []


def test_a_redirect_to_where_the_keys_would_be_seen_is_not_followed(network, caller, far):
    leg = caller.invite(far, destinations=(TLS,), secure=True, follow_redirects=3)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 302, ("Contact", "<sip:elsewhere@10.0.0.8:5060>"))
    network.run()
    assert [(each.leg, each.status, each.cause) for each in caller.told_of(Refused)] == [
        (leg, 302, RefusalCause.REDIRECTS)
    ]
    assert {transport for _, transport in sent_over(network, caller)} == {"TLS"}


def test_a_redirect_to_another_secure_place_is_followed(network, caller, far):
    other = network.far_end("10.0.0.8")
    caller.invite(far, destinations=(TLS,), secure=True, follow_redirects=3)
    network.run_for(0.1)
    contact = "<sip:elsewhere@10.0.0.8:5060;transport=tls>"
    far.reply(far.requests("INVITE")[0], 302, ("Contact", contact))
    network.run_for(0.1)
    assert len(other.requests("INVITE")) == 1


def test_an_offer_of_ours_does_not_follow_a_contact_into_the_clear(network, caller, far):
    leg = answered(network, caller, far, contact="<sip:far@10.0.0.9:5060;transport=udp>")
    with pytest.raises(LocalProtocolError):
        caller.do("offer", leg, b"keys")
    # What holds no keys does.
    caller.do("hang_up", leg)
    network.run_for(0.1)
    assert sent_over(network, caller)[-1] == ("BYE", "UDP")


def test_an_offer_of_ours_stays_where_the_call_was_made(network, caller, far):
    leg = answered(network, caller, far, contact="<sip:far@10.0.0.9:5060>")
    caller.do("offer", leg, b"keys")
    network.run_for(0.1)
    assert sent_over(network, caller)[-1] == ("INVITE", "TLS")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(
    ("transport", "taken"), [(Transport.TCP, False), (Transport.UDP, False), (Transport.TLS, True)]
)
def test_an_offer_of_theirs_is_taken_only_as_the_keys_may_come(
    network, caller, far, method, transport, taken
):
    leg = answered(network, caller, far, contact="<sip:far@10.0.0.9:5060>")
    flow = Flow(transport, caller.address, far.address, 3)
    data = offer_within(far, caller, method).replace(b"/TCP", f"/{transport.value}".encode())
    caller.agent.receive(data, flow, network.now)
    network.flush(caller)
    network.run_for(0.1)
    assert caller.told_of(Offered) == ([Offered(leg, b"new", method)] if taken else [])
    assert bool(far.responses(488)) is not taken
