"""Where an INVITE goes: one destination after another, redirects, TCP for what is large."""

from __future__ import annotations

import pytest

from twoleg.sip import (
    Address,
    Answered,
    Destination,
    DestinationFailed,
    Flow,
    LocalProtocolError,
    NameAddr,
    OutOfDialogRequest,
    Progress,
    RefusalCause,
    Refused,
    RequestCompleted,
    SipUri,
    Transport,
)

NOWHERE = Address("10.0.0.66", 5060)


def udp(place) -> Destination:
    address = getattr(place, "address", place)
    return Destination(Transport.UDP, address.host, address.port)


def test_a_destination_that_cannot_be_reached_makes_room_for_the_next(network, caller, far):
    network.reachable = lambda address: address != NOWHERE
    caller.invite(far, destinations=(udp(NOWHERE), udp(far)))
    network.run_for(0.1)
    assert caller.told == [DestinationFailed(udp(NOWHERE), RefusalCause.TRANSPORT)]
    assert len(far.requests("INVITE")) == 1


def test_a_destination_that_does_not_answer_makes_room_for_the_next(network, caller, far):
    caller.invite(far, destinations=(udp(NOWHERE), udp(far)))
    network.run(until=7.9)
    assert far.requests("INVITE") == []
    network.run(until=8.1)
    assert caller.told == [DestinationFailed(udp(NOWHERE), RefusalCause.TIMEOUT)]
    assert len(far.requests("INVITE")) == 1


def test_the_last_destination_is_waited_for_as_long_as_the_only_one(network, caller, far):
    leg = caller.invite(far, destinations=(udp(NOWHERE), udp(far)))
    network.run(until=39.9)
    assert caller.told_of(Refused) == []
    network.run(until=40.1)
    [refused] = caller.told_of(Refused)
    assert (refused.leg, refused.cause) == (leg, RefusalCause.TIMEOUT)


def test_a_request_outside_a_call_leaves_a_silent_destination_as_soon(network, caller, far):
    request = OutOfDialogRequest(
        method="OPTIONS",
        target=far.target,
        from_=caller.name,
        to=far.name,
        destinations=(udp(NOWHERE), udp(far)),
    )
    caller.do("request", request)
    network.run(until=7.9)
    assert far.requests("OPTIONS") == []
    network.run(until=39.9)
    assert len(far.requests("OPTIONS")) == 11
    assert caller.told_of(RequestCompleted) == []
    network.run(until=40.1)
    assert caller.told_of(RequestCompleted)[0].cause is RefusalCause.TIMEOUT


def test_of_a_destination_less_patience_may_be_had_and_what_rings_later_is_canceled(
    network, caller, far
):
    leg = caller.invite(far, response_seconds=8.0)
    network.run(until=7.9)
    assert caller.told == []
    network.run(until=8.1)
    assert [type(event) for event in caller.told] == [DestinationFailed, Refused]
    assert (caller.told[-1].leg, caller.told[-1].cause) == (leg, RefusalCause.TIMEOUT)
    assert len(far.requests("INVITE")) == 5
    far.reply(far.requests("INVITE")[0], 180)
    network.run_for(0.1)
    assert len(far.requests("CANCEL")) == 1


def test_one_that_has_said_100_is_waited_for(network, caller, far):
    caller.invite(far, response_seconds=8.0)
    network.run(until=5.0)
    far.reply(far.requests("INVITE")[0], 100)
    network.run(until=60.0)
    assert caller.told == []


def test_a_503_makes_room_for_the_next_destination_with_a_new_branch(network, caller, far):
    other = network.far_end("10.0.0.8")
    other.script = lambda message: message.method == "INVITE" and other.reply(message, 503)
    caller.invite(far, destinations=(udp(other), udp(far)))
    network.run_for(0.1)
    before, after = other.requests("INVITE")[0], far.requests("INVITE")[0]
    assert before.via.branch != after.via.branch
    assert (before.call_id, before.cseq, before.from_) == (after.call_id, after.cseq, after.from_)
    assert len(other.requests("ACK")) == 1
    assert caller.told == [DestinationFailed(udp(other), RefusalCause.RESPONSE)]


def test_a_503_after_100_still_makes_room_but_not_after_it_rang(network, caller, far):
    other = network.far_end("10.0.0.8")
    leg = caller.invite(far, destinations=(udp(other), udp(far)))
    network.run_for(0.1)
    invite = other.requests("INVITE")[0]
    other.reply(invite, 100)
    other.reply(invite, 503)
    network.run_for(0.1)
    invite = far.requests("INVITE")[0]
    far.reply(invite, 180)
    far.reply(invite, 503, ("Retry-After", "7 (later)"))
    network.run()
    refused = caller.told[-1]
    assert (refused.leg, refused.status, refused.cause) == (leg, 503, RefusalCause.RESPONSE)
    assert refused.retry_after == 7.0


@pytest.mark.parametrize(
    ("reachable", "status", "cause"),
    [(True, 408, RefusalCause.TIMEOUT), (False, 503, RefusalCause.TRANSPORT)],
)
def test_when_no_destination_is_left_the_leg_is_refused(network, caller, reachable, status, cause):
    network.reachable = lambda address: reachable
    far = network.far_end("10.0.0.7")
    far.script = lambda message: None
    caller.invite(far, destinations=(udp(NOWHERE), udp(NOWHERE)))
    network.run()
    (refused,) = caller.told_of(Refused)
    assert (refused.status, refused.cause) == (status, cause)
    assert len(caller.told_of(DestinationFailed)) == 2
    assert caller.agent.is_idle


def test_a_hung_up_leg_tries_no_further_destination(network, caller, far):
    leg = caller.invite(far, destinations=(udp(NOWHERE), udp(far)))
    caller.do("hang_up", leg)
    network.run()
    assert far.got == []
    assert caller.told[-1].cause is RefusalCause.CANCELED


def test_destinations_of_a_transport_that_we_have_not_are_left_out(network, caller, far):
    tls = Destination(Transport.TLS, "10.0.0.5", 5061)
    caller.invite(far, destinations=(tls, udp(far)))
    network.run_for(0.1)
    assert len(far.requests("INVITE")) == 1
    with pytest.raises(LocalProtocolError):
        caller.invite(far, destinations=(tls,))


def test_without_destinations_the_first_route_says_where(network, caller, far):
    route = NameAddr.parse("<sip:10.0.0.9:5060;lr>")
    target = SipUri.parse("sip:49301234@example.org")
    caller.invite(far, destinations=(), target=target, routes=(route,))
    network.run_for(0.1)
    (invite,) = far.requests("INVITE")
    assert str(invite.uri) == "sip:49301234@example.org"
    assert invite.routes == (route,)


def test_a_registered_phone_is_rung_by_the_flow_that_it_came_by(network, caller, far):
    flow = Flow(Transport.UDP, caller.address, far.address)
    target = SipUri.parse("sip:phone@192.168.1.20:5062")
    leg = caller.invite(far, destinations=(), target=target, flow=flow)
    network.run_for(0.1)
    far.reply(
        far.requests("INVITE")[0], 200, ("Contact", "<sip:phone@192.168.1.20:5062>"), body=b"a"
    )
    network.run_for(0.1)
    caller.do("hang_up", leg)
    network.run_for(0.1)
    assert str(far.requests("BYE")[0].uri) == "sip:phone@192.168.1.20:5062"


# Redirects.


def redirect(far, *contacts, status=302):
    def script(message):
        if getattr(message, "method", "") == "INVITE":
            far.reply(message, status, *[("Contact", contact) for contact in contacts])

    far.script = script


def test_a_302_is_followed_when_the_user_allows_it(network, caller, callee, far):
    redirect(far, "<sip:10.0.0.2:5060;method=INVITE?Subject=hello>")
    caller.invite(far, follow_redirects=1)
    network.run_for(0.1)
    request = callee.told[0].request
    assert str(request.uri) == "sip:10.0.0.2:5060"
    assert request.headers.get("Subject") is None
    assert request.cseq.number == 2
    assert "ACK" in [message.method for message in far.got]


def test_a_302_is_told_with_its_contacts_when_it_is_not_followed(network, caller, far):
    redirect(far, "<sip:10.0.0.2:5060>;q=0.5")
    caller.invite(far)
    network.run()
    (refused,) = caller.told
    assert (refused.status, refused.cause) == (302, RefusalCause.RESPONSE)
    assert [str(contact.uri) for contact in refused.contacts] == ["sip:10.0.0.2:5060"]


def test_contacts_are_tried_in_the_order_of_their_weight_until_one_answers(network, caller, far):
    first, second = network.far_end("10.0.0.7"), network.far_end("10.0.0.8")
    redirect(far, "<sip:10.0.0.8:5060>;q=0.2", "<sip:10.0.0.7:5060>;q=0.9", status=300)
    first.script = lambda message: message.method == "INVITE" and first.reply(message, 486)
    caller.invite(far, follow_redirects=5)
    network.run_for(0.2)
    assert len(first.requests("INVITE")) == 1
    assert len(second.requests("INVITE")) == 1
    second.reply(second.requests("INVITE")[0], 180)
    network.run_for(0.1)
    assert caller.told[-1].status == 180


def test_a_603_of_a_contact_ends_the_search(network, caller, far):
    first, second = network.far_end("10.0.0.7"), network.far_end("10.0.0.8")
    redirect(far, "<sip:10.0.0.7:5060>", "<sip:10.0.0.8:5060>", status=300)
    first.script = lambda message: message.method == "INVITE" and first.reply(message, 603)
    caller.invite(far, follow_redirects=5)
    network.run()
    assert second.got == []
    assert caller.told[-1].status == 603


def test_redirects_in_a_circle_end_the_leg(network, caller, far):
    other = network.far_end("10.0.0.8")
    redirect(far, "<sip:10.0.0.8:5060>")
    redirect(other, "<sip:far@10.0.0.9:5060>")
    caller.invite(far, follow_redirects=5)
    network.run()
    (refused,) = caller.told
    assert (refused.status, refused.cause) == (302, RefusalCause.REDIRECTS)
    assert len(far.requests("INVITE")) == 1


def test_no_more_redirects_are_followed_than_the_user_allows(network, caller, far):
    count = iter(range(100))

    def script(message):
        if message.method == "INVITE":
            far.reply(message, 302, ("Contact", f"<sip:{next(count)}@10.0.0.9:5060>"))

    far.script = script
    caller.invite(far, follow_redirects=3)
    network.run()
    assert len(far.requests("INVITE")) == 4
    assert caller.told[-1].cause is RefusalCause.REDIRECTS


@pytest.mark.parametrize(
    "contact",
    [
        "<tel:+49301234>",
        "<sips:10.0.0.2>",
        "<sip:10.0.0.2;transport=tls>",
        "nonsense",
        "<http://a>",
    ],
)
def test_a_redirect_to_where_we_cannot_go_ends_the_leg(network, caller, far, contact):
    redirect(far, contact)
    caller.invite(far, follow_redirects=3)
    network.run()
    assert caller.told[-1].cause is RefusalCause.REDIRECTS


# RFC 3261 18.1.1.

BOTH = (Transport.UDP, Transport.TCP)


def test_an_invite_too_large_for_a_datagram_goes_by_tcp(network, far):
    caller = network.peer("10.0.0.1", BOTH)
    caller.invite(far, body=b"a" * 1300)
    network.run_for(0.1)
    (invite,) = far.requests("INVITE")
    assert invite.via.transport == "TCP"
    assert "transport=tcp" in str(invite.contacts[0])


def test_a_small_one_goes_by_udp(network, far):
    caller = network.peer("10.0.0.1", BOTH)
    caller.invite(far)
    network.run_for(0.1)
    assert far.requests("INVITE")[0].via.transport == "UDP"


def test_where_tcp_does_not_get_through_a_large_invite_goes_by_udp_after_all(network, far):
    caller = network.peer("10.0.0.1", BOTH)
    transport_of = {}
    carry = network.carry

    def only_udp(data, source, target, transport=Transport.UDP):
        transport_of[data] = transport
        if transport is Transport.UDP:
            carry(data, source, target, transport)

    network.carry = only_udp
    caller.invite(far, body=b"a" * 1300)
    (sent,) = transport_of
    *_, newest = caller.agent._endpoint.clients.values()
    newest.transport_failed()
    network.flush(caller)
    network.run_for(0.1)
    assert transport_of[sent] is Transport.TCP
    (invite,) = far.requests("INVITE")
    assert invite.via.transport == "UDP"
    far.reply(invite, 180)
    network.run_for(0.1)
    assert len(caller.told_of(Progress)) == 1
    assert caller.told_of(Answered) == []
