"""New offers within a call: re-INVITE and UPDATE (RFC 3261 14, RFC 3311)."""

from __future__ import annotations

import pytest

from twoleg.sip import (
    Ended,
    Established,
    Invited,
    LocalProtocolError,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWanted,
)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_is_answered(network, caller, callee, method):
    leg, there = caller.call(callee)
    callee.on_event = lambda event: callee.do("answer_offer", event.leg, b"hold too")
    caller.do("offer", leg, b"hold", method)
    network.run_for(1)
    assert callee.told == [Offered(there, b"hold", method)]
    assert caller.told == [OfferAnswered(leg, b"hold too")]
    assert network.methods(caller).count("ACK") == (2 if method == "INVITE" else 1)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refused_offer_leaves_the_call_as_it_was(network, caller, callee, method):
    leg, there = caller.call(callee)
    there_is = callee
    there_is.on_event = lambda event: (
        isinstance(event, Offered) and callee.do("refuse_offer", event.leg, 488)
    )
    caller.do("offer", leg, b"video", method)
    network.run_for(1)
    assert caller.told == [OfferRefused(leg, 488)]
    caller.do("hang_up", leg)
    network.run()
    assert callee.told[-1] == Ended(there, by_remote=True)


def test_a_re_invite_without_offer_asks_us_for_one(network, caller, callee):
    leg, there = caller.call(callee)
    callee.on_event = lambda event: (
        isinstance(event, OfferWanted) and callee.do("answer_offer", event.leg, b"their offer")
    )
    caller.do("offer", leg, b"")
    network.run_for(1)
    assert caller.told == [OfferAnswered(leg, b"their offer")]
    # The ACK should have brought an answer and did not.
    assert callee.told == [OfferWanted(there), OfferRefused(there, 488)]


def test_a_second_offer_while_one_is_open_is_refused_with_500_and_a_time(network, callee, far):
    leg, dialog = established(network, callee, far)
    far.send(callee, f"UPDATE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 UPDATE\n{dialog}", b"one")
    far.send(callee, f"UPDATE sip:near@10.0.0.2 SIP/2.0\nCSeq: 3 UPDATE\n{dialog}", b"two")
    network.run_for(0.1)
    (refusal,) = far.responses(500)
    assert refusal.headers.get("Retry-After") is not None
    assert callee.told_of(Offered) == [Offered(leg, b"one", "UPDATE")]


def test_a_new_offer_of_ours_waits_for_the_first(network, caller, callee):
    leg, _ = caller.call(callee)
    caller.do("offer", leg, b"one")
    with pytest.raises(LocalProtocolError):
        caller.do("offer", leg, b"two")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("seed", range(20))
def test_offers_that_meet_are_made_again_one_after_the_other(network, method, seed):
    network.random.seed(seed)
    caller, callee = network.peer("10.0.0.1"), network.peer("10.0.0.2")
    leg, there = caller.call(callee)
    for peer in (caller, callee):
        peer.on_event = lambda event, peer=peer: (
            isinstance(event, Offered) and peer.do("answer_offer", event.leg, b"fine")
        )
    caller.do("offer", leg, b"from caller", method)
    callee.do("offer", there, b"from callee", method)
    network.run_for(20)
    assert network.methods(caller).count("491") >= 1
    assert set(caller.told) == {OfferAnswered(leg, b"fine"), Offered(leg, b"from callee", method)}
    assert set(callee.told) == {
        OfferAnswered(there, b"fine"),
        Offered(there, b"from caller", method),
    }


def test_a_peer_that_never_takes_our_offer_is_asked_a_few_times(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 200, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    far.script = lambda message: message.method == "UPDATE" and far.reply(message, 491)
    caller.do("offer", leg, b"offer", "UPDATE")
    network.run_for(60)
    assert len(far.requests("UPDATE")) == 6
    assert caller.told[-1] == OfferRefused(leg, 491)


def established(network, callee, far):
    """Have `far` call, and give the leg and the lines that name the dialog."""
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0", b"offer")
    network.run_for(0.1)
    leg = callee.told_of(Invited)[-1].leg
    callee.do("accept", leg, b"answer")
    network.run_for(0.1)
    dialog = f"To: <sip:near@10.0.0.2:5060>;tag={far.responses(200)[-1].to.tag}"
    far.send(callee, f"ACK sip:near@10.0.0.2 SIP/2.0\n{dialog}")
    network.run_for(0.1)
    assert len(callee.told_of(Established)) == 1
    return leg, dialog


def test_an_ack_that_comes_again_does_not_stand_for_that_of_a_later_answer(network, callee, far):
    leg, dialog = established(network, callee, far)
    far.send(callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 INVITE\n{dialog}")
    network.run_for(0.1)
    callee.do("answer_offer", leg, b"our offer")
    far.send(callee, f"ACK sip:near@10.0.0.2 SIP/2.0\n{dialog}")
    network.run_for(2)
    assert len([reply for reply in far.responses(200) if reply.cseq.number == 2]) == 3
    assert callee.told_of(OfferRefused) == []
    far.send(
        callee,
        f"ACK sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 ACK\nContent-Type: application/sdp\n{dialog}",
        b"their answer",
    )
    network.run_for(0.1)
    assert callee.told[-1] == OfferAnswered(leg, b"their answer")


def test_a_200_that_comes_again_does_not_answer_our_next_offer(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 200, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    caller.do("offer", leg, b"one")
    network.run_for(0.1)
    first = far.requests("INVITE")[-1]
    far.reply(first, 200, body=b"answer to one")
    network.run_for(0.1)
    caller.do("offer", leg, b"two")
    far.reply(first, 200, body=b"answer to one")
    network.run_for(0.1)
    assert caller.told_of(OfferAnswered) == [OfferAnswered(leg, b"answer to one")]
    assert [ack.cseq.number for ack in far.requests("ACK")] == [1, 2, 2]


def test_a_re_invite_whose_answer_is_never_acknowledged_ends_the_call(network, callee, far):
    leg, dialog = established(network, callee, far)
    sdp = "Content-Type: application/sdp"
    far.send(callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 INVITE\n{sdp}\n{dialog}", b"hold")
    network.run_for(0.1)
    callee.do("answer_offer", leg, b"held")
    network.run()
    assert callee.told[-1] == Ended(leg, by_remote=True, status=408, vanished=True)
    assert len(far.requests("BYE")) > 0


def test_a_re_invite_may_be_canceled(network, callee, far):
    leg, dialog = established(network, callee, far)
    via = "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKagain"
    far.send(callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\n{via}\nCSeq: 2 INVITE\n{dialog}")
    network.run_for(0.1)
    far.send(callee, f"CANCEL sip:near@10.0.0.2 SIP/2.0\n{via}\nCSeq: 2 CANCEL\n{dialog}")
    network.run_for(0.1)
    assert len(far.responses(487)) == 1
    with pytest.raises(LocalProtocolError):
        callee.do("answer_offer", leg, b"too late")


def test_a_re_invite_before_our_answer_is_told_to_wait(network, callee, far):
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0")
    network.run_for(0.1)
    callee.do("ring_back", callee.told_of(Invited)[0].leg)
    network.run_for(0.1)
    dialog = f"To: <sip:near@10.0.0.2:5060>;tag={far.responses(180)[0].to.tag}"
    far.send(callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 INVITE\n{dialog}")
    network.run_for(0.1)
    assert far.responses(500)[0].headers.get("Retry-After") is not None
    assert len(callee.told) == 1


def test_an_offer_that_is_no_session_description_is_refused_with_415(network, callee, far):
    _, dialog = established(network, callee, far)
    far.send(
        callee,
        f"INVITE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 INVITE\nContent-Type: text/plain\n{dialog}",
        b"hello",
    )
    network.run_for(0.1)
    assert far.responses(415)[0].headers.get("Accept") == "application/sdp"


def test_requests_that_come_out_of_order_are_refused(network, callee, far):
    _, dialog = established(network, callee, far)
    far.send(callee, f"INFO sip:near@10.0.0.2 SIP/2.0\nCSeq: 5 INFO\n{dialog}")
    far.send(callee, f"INFO sip:near@10.0.0.2 SIP/2.0\nCSeq: 4 INFO\n{dialog}")
    network.run_for(0.1)
    assert [reply.cseq.number for reply in far.responses(200)[1:]] == [5]
    assert far.responses(500)[0].cseq.number == 4


def test_an_update_without_offer_only_refreshes_the_target(network, callee, far):
    leg, dialog = established(network, callee, far)
    moved = network.far_end("10.0.0.77")
    far.send(
        callee,
        "UPDATE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 UPDATE\n"
        f"Contact: <sip:far@10.0.0.77:5060>\n{dialog}",
    )
    network.run_for(0.1)
    assert len(callee.told) == 2
    callee.do("hang_up", leg)
    network.run_for(0.1)
    assert len(moved.requests("BYE")) == 1


def test_an_open_offer_is_closed_with_the_call(network, callee, far):
    leg, dialog = established(network, callee, far)
    sdp = "Content-Type: application/sdp"
    far.send(callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 INVITE\n{sdp}\n{dialog}", b"hold")
    far.send(callee, f"BYE sip:near@10.0.0.2 SIP/2.0\nCSeq: 3 BYE\n{dialog}")
    network.run_for(0.1)
    assert len(far.responses(487)) == 1
    assert callee.told[-1] == Ended(leg, by_remote=True)
