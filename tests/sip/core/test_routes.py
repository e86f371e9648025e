"""The way of requests within a dialog, and of responses (RFC 3261 12.2.1.1, 18.2.2, RFC 3581)."""

from __future__ import annotations

import pytest

from twoleg.sip import Address, Flow, Invited, Transport, parse_message

PROXY = "10.0.0.5"


def answered(network, caller, far, *headers):
    leg = caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 200, *headers, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    network.run_for(0.1)
    return leg


def test_requests_of_the_dialog_go_to_the_contact_of_the_answer(network, caller, far):
    contact = network.far_end("10.0.0.7")
    leg = answered(network, caller, far, ("Contact", "<sip:line1@10.0.0.7:5060;x=y>"))
    caller.do("hang_up", leg)
    network.run_for(0.1)
    assert str(contact.requests("ACK")[0].uri) == "sip:line1@10.0.0.7:5060;x=y"
    assert str(contact.requests("BYE")[0].uri) == "sip:line1@10.0.0.7:5060;x=y"


def test_a_recorded_route_is_followed_backwards(network, caller, far):
    proxy = network.far_end(PROXY)
    answered(
        network,
        caller,
        far,
        ("Record-Route", "<sip:10.0.0.6;lr>"),
        ("Record-Route", "<sip:10.0.0.5:5060;lr>"),
    )
    (ack,) = proxy.requests("ACK")
    assert str(ack.uri) == "sip:far@10.0.0.9:5060"
    assert [str(route.uri) for route in ack.routes] == [
        "sip:10.0.0.5:5060;lr",
        "sip:10.0.0.6;lr",
    ]


def test_a_strict_router_finds_itself_in_the_request_uri(network, caller, far):
    proxy = network.far_end(PROXY)
    answered(
        network,
        caller,
        far,
        ("Record-Route", "<sip:10.0.0.6;lr>"),
        ("Record-Route", "<sip:10.0.0.5:5060>"),
    )
    (ack,) = proxy.requests("ACK")
    assert str(ack.uri) == "sip:10.0.0.5:5060"
    assert [str(route.uri) for route in ack.routes] == [
        "sip:10.0.0.6;lr",
        "sip:far@10.0.0.9:5060",
    ]


def test_the_callee_takes_the_recorded_route_as_it_came(network, callee, far):
    proxy = network.far_end(PROXY)
    far.send(
        callee,
        "INVITE sip:near@10.0.0.2 SIP/2.0\nRecord-Route: <sip:10.0.0.5:5060;lr>, <sip:10.0.0.6;lr>",
    )
    network.run_for(0.1)
    leg = callee.told_of(Invited)[0].leg
    callee.do("ring_back", leg)
    callee.do("accept", leg, b"answer")
    network.run_for(0.1)
    for reply in (far.responses(180)[0], far.responses(200)[0]):
        assert len(reply.record_routes) == 2
    tag = far.responses(200)[0].to.tag
    far.send(callee, f"ACK sip:near@10.0.0.2 SIP/2.0\nTo: <sip:near@10.0.0.2:5060>;tag={tag}")
    network.run_for(0.1)
    callee.do("hang_up", leg)
    network.run_for(0.1)
    (bye,) = proxy.requests("BYE")
    assert [str(route.uri) for route in bye.routes] == ["sip:10.0.0.5:5060;lr", "sip:10.0.0.6;lr"]


def test_a_new_contact_in_the_answer_to_our_offer_is_taken_over(network, caller, far):
    moved = network.far_end("10.0.0.7")
    leg = answered(network, caller, far)
    caller.do("offer", leg, b"hold")
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[-1], 200, ("Contact", "<sip:10.0.0.7:5060>"), body=b"held")
    network.run_for(0.1)
    assert [ack.cseq.number for ack in moved.requests("ACK")] == [2]
    caller.do("hang_up", leg)
    network.run_for(0.1)
    assert len(moved.requests("BYE")) == 1


def test_an_answer_without_contact_leaves_the_first_target(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    reply = far.requests("INVITE")[0].make_response(200, to_tag="far", body=b"answer")
    network.carry(reply.to_bytes(), far.address, caller.address)
    network.run_for(0.1)
    caller.do("hang_up", leg)
    network.run_for(0.1)
    assert str(far.requests("BYE")[0].uri) == str(far.target)


@pytest.mark.parametrize("contact", ["<tel:+4930123>", "<urn:service:sos>", "nonsense", "*"])
def test_a_caller_whose_contact_names_no_host_is_reached_where_it_called_from(
    network, callee, far, contact
):
    far.send(
        callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\nContact: {contact}\nFrom: <tel:+1>;tag=far"
    )
    network.run_for(0.1)
    leg = callee.told_of(Invited)[0].leg
    callee.do("accept", leg, b"answer")
    network.run_for(40)
    assert len(far.requests("BYE")) > 0


def responses_of(agent, flow, via):
    agent.receive(
        (
            "OPTIONS sip:near@10.0.0.2 SIP/2.0\r\n"
            f"Via: {via}\r\n"
            "From: <sip:far@10.0.0.9>;tag=far\r\nTo: <sip:near@10.0.0.2>\r\n"
            "Call-ID: call\r\nCSeq: 1 OPTIONS\r\n\r\n"
        ).encode(),
        flow,
        0.0,
    )
    (sent,), _, _ = agent.take()
    return sent, parse_message(sent.data)


NEAR = Address("10.0.0.2", 5060)


@pytest.mark.parametrize(
    ("via", "port", "marked"),
    [
        ("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKa", 5060, ""),
        ("SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKa", 5070, ""),
        ("SIP/2.0/UDP 192.168.1.5:5070;branch=z9hG4bKa", 5070, ";received=10.0.0.9"),
        (
            "SIP/2.0/UDP 192.168.1.5:5070;branch=z9hG4bKa;rport",
            4321,
            ";rport=4321;received=10.0.0.9",
        ),
    ],
)
def test_a_response_goes_where_its_request_came_from(network, callee, via, port, marked):
    flow = Flow(Transport.UDP, NEAR, Address("10.0.0.9", 4321))
    sent, response = responses_of(callee.agent, flow, via)
    assert sent.flow.remote == Address("10.0.0.9", port)
    assert (sent.destination.host, sent.destination.port) == ("10.0.0.9", port)
    assert response.headers.get("Via") == via.removesuffix(";rport") + marked


def test_a_response_takes_the_connection_of_its_request(network):
    callee = network.peer("10.0.0.2", (Transport.TCP,))
    flow = Flow(Transport.TCP, NEAR, Address("10.0.0.9", 4321), connection=7)
    sent, _ = responses_of(callee.agent, flow, "SIP/2.0/TCP 10.0.0.9:5070;branch=z9hG4bKa;rport")
    assert sent.flow is flow
    # Where it broke: to what the Via names (RFC 3261 18.2.2).
    assert sent.destination.port == 5070


def test_an_ipv6_source_is_marked_without_brackets(network):
    callee = network.peer("2001:db8::2")
    flow = Flow(Transport.UDP, callee.address, Address("2001:db8::9", 4321))
    via = "SIP/2.0/UDP [2001:db8::8]:5070;branch=z9hG4bKa;rport"
    sent, response = responses_of(callee.agent, flow, via)
    assert sent.flow.remote == Address("2001:db8::9", 4321)
    assert response.via.received == "2001:db8::9"
