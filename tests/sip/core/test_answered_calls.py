"""A call that is answered: who sends what, and when."""

from __future__ import annotations

import pytest

from twoleg.sip import (
    Address,
    Answered,
    Ended,
    Established,
    InfoReceived,
    Invited,
    LegGone,
    Progress,
    Reason,
    RefusalCause,
    Refused,
    RequestCompleted,
)


def test_a_call_is_rung_answered_acknowledged_and_ended_by_the_caller(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    there = callee.told_of(Invited)[0].leg
    callee.do("ring_back", there)
    network.run_for(0.1)
    callee.do("accept", there, b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    network.run_for(0.1)
    caller.do("hang_up", leg, Reason("SIP", 200, "done"))
    network.run()

    assert network.methods(caller) == ["INVITE", "ACK", "BYE"]
    assert network.methods(callee) == ["100", "180", "200", "200"]
    progress, answered, ended = caller.told
    assert isinstance(progress, Progress)
    assert (progress.status, progress.reliable) == (180, False)
    assert isinstance(answered, Answered)
    assert (answered.status, answered.body) == (200, b"answer")
    assert ended == Ended(leg, by_remote=False)
    assert callee.told[0].request.body == b"offer"
    assert isinstance(callee.told[1], Established)
    assert callee.told[2] == Ended(there, by_remote=True, status=200, reason="done")
    assert caller.agent.is_idle
    assert callee.agent.is_idle


def test_the_callee_may_end_the_call_too(network, caller, callee):
    leg, there = caller.call(callee)
    callee.do("hang_up", there, Reason("Q.850", 16, "Normal call clearing"))
    network.run()
    assert caller.told == [Ended(leg, True, None, 16, "Normal call clearing")]
    assert callee.told == [Ended(there, by_remote=False)]


def test_the_ack_leaves_only_when_the_user_acknowledges(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    callee.do("accept", callee.told_of(Invited)[0].leg, b"answer")
    network.run_for(10)
    assert "ACK" not in network.methods(caller)
    assert network.methods(callee).count("200") > 3
    assert len(caller.told_of(Answered)) == 1
    caller.do("acknowledge", leg)
    network.run_for(1)
    assert network.methods(caller).count("ACK") == 1
    assert len(callee.told_of(Established)) == 1


def test_a_200_that_comes_again_is_acknowledged_again(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    invite = far.requests("INVITE")[0]
    far.reply(invite, 200, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    far.reply(invite, 200, body=b"answer")
    network.run_for(0.1)
    first, second = far.requests("ACK")
    assert first == second
    assert len(caller.told) == 1


def test_hanging_up_an_answer_not_yet_acknowledged_sends_ack_and_bye(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    callee.do("accept", callee.told_of(Invited)[0].leg, b"answer")
    network.run_for(0.1)
    caller.do("hang_up", leg)
    network.run()
    assert network.methods(caller) == ["INVITE", "ACK", "BYE"]
    assert caller.told[-1] == Ended(leg, by_remote=False)


def test_a_bye_that_comes_before_our_ack_is_answered_and_the_200_acknowledged(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    invite = far.requests("INVITE")[0]
    far.reply(invite, 200, body=b"answer")
    network.run_for(0.1)
    far.send(
        caller,
        "BYE sip:near@10.0.0.1 SIP/2.0\n"
        f"To: {invite.headers.get('From')}\nCall-ID: {invite.call_id}",
    )
    network.run()
    assert network.methods(caller) == ["INVITE", "200", "ACK"]
    assert caller.told[-1] == Ended(leg, by_remote=True)
    assert caller.agent.is_idle


def test_an_answer_without_ack_is_repeated_for_64_t1_and_then_ended_by_bye(network, callee, far):
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0")
    network.run_for(0.1)
    leg = callee.told_of(Invited)[0].leg
    callee.do("accept", leg, b"answer")
    network.run(until=31.9)
    assert far.requests("BYE") == []
    assert len(far.responses(200)) == 11
    network.run(until=33)
    far.reply(far.requests("BYE")[0], 200)
    network.run()
    assert callee.told[-1] == Ended(leg, by_remote=True, status=408, vanished=True)
    assert callee.agent.is_idle


def test_hanging_up_before_the_ack_of_our_answer_waits_for_it(network, callee, far):
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0")
    network.run_for(0.1)
    leg = callee.told_of(Invited)[0].leg
    callee.do("accept", leg, b"answer")
    callee.do("hang_up", leg)
    network.run_for(1)
    assert far.requests("BYE") == []
    tag = far.responses(200)[0].to.tag
    far.send(callee, f"ACK sip:near@10.0.0.2 SIP/2.0\nTo: <sip:near@10.0.0.2:5060>;tag={tag}")
    network.run_for(0.1)
    assert len(far.requests("BYE")) == 1


def test_an_offer_in_the_answer_is_answered_in_the_ack(network, caller, callee):
    leg = caller.invite(callee, body=b"")
    network.run_for(0.1)
    callee.do("accept", callee.told_of(Invited)[0].leg, b"offer")
    network.run_for(0.1)
    assert caller.told_of(Answered)[0].body == b"offer"
    caller.do("acknowledge", leg, b"answer")
    network.run_for(0.1)
    assert callee.told_of(Established)[0].body == b"answer"


def test_hanging_up_again_changes_nothing(network, caller, callee):
    leg, _ = caller.call(callee)
    for _ in range(3):
        caller.do("hang_up", leg)
    network.run_for(1)
    caller.do("hang_up", leg)
    network.run()
    assert network.methods(caller).count("BYE") == 1
    assert caller.told == [Ended(leg, by_remote=False)]


def test_byes_that_cross_end_the_call_on_both_sides(network, caller, callee):
    leg, there = caller.call(callee)
    caller.do("hang_up", leg)
    callee.do("hang_up", there)
    network.run()
    assert caller.told == [Ended(leg, by_remote=False)]
    assert callee.told == [Ended(there, by_remote=False)]


def test_a_bye_that_nobody_answers_ends_the_leg_after_64_t1(network, caller, callee):
    leg, _ = caller.call(callee)
    network.fate = lambda data, source, target: []
    began = network.now
    caller.do("hang_up", leg)
    network.run(until=began + 31.9)
    assert caller.told == []
    network.run()
    assert caller.told == [Ended(leg, by_remote=False)]


def test_a_bye_goes_through_whatever_the_network_loses(network, caller, callee):
    leg, there = caller.call(callee)
    lost = iter([True, True, False, True, False])
    network.fate = lambda data, source, target: [] if next(lost, False) else [0.01]
    caller.do("hang_up", leg)
    network.run()
    assert network.methods(caller)[2:] == ["BYE"] * 4
    assert callee.told == [Ended(there, by_remote=True)]


def test_an_info_is_told_and_answered(network, caller, callee):
    leg, there = caller.call(callee)
    number = caller.do("send_info", leg, "application/dtmf-relay", b"Signal=5\r\n")
    network.run_for(1)
    assert callee.told == [InfoReceived(there, "application/dtmf-relay", b"Signal=5\r\n")]
    (completed,) = caller.told_of(RequestCompleted)
    assert (completed.request, completed.response.status) == (number, 200)


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE", "UPDATE"])
def test_requests_within_a_dialog_that_is_over_get_481(network, caller, far, method):
    """RFC 3261 12.2.2, 15.1.2: whichever side has ended it."""
    leg = caller.invite(far)
    network.run_for(0.1)
    invite = far.requests("INVITE")[0]
    far.reply(invite, 200, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    caller.do("hang_up", leg)
    network.run_for(0.1)
    far.reply(far.requests("BYE")[0], 200)
    network.run_for(0.1)
    assert caller.told[-1] == Ended(leg, by_remote=False)
    told = len(caller.told)
    far.send(
        caller,
        f"{method} sip:near@10.0.0.1 SIP/2.0\n"
        f"To: {invite.headers.get('From')}\nCall-ID: {invite.call_id}",
    )
    network.run_for(0.1)
    (refusal,) = far.responses(481)
    assert refusal.cseq.method == method
    assert len(caller.told) == told


def test_a_request_that_finds_no_dialog_there_ends_the_leg(network, caller, callee, far):
    leg, _ = caller.call(callee)
    del network.peers[callee.address]
    network.far_ends[callee.address] = far
    far.address = callee.address
    far.script = lambda message: far.reply(message, 481)
    caller.do("send_info", leg, "text/plain", b"are you there")
    network.run()
    assert caller.told[-1] == Ended(
        leg, True, 481, None, "Call/Transaction Does Not Exist", vanished=True
    )
    assert network.methods(caller).count("BYE") == 0


def test_a_request_that_nobody_answers_ends_the_leg_by_bye(network, caller, callee):
    leg, _ = caller.call(callee)
    del network.peers[callee.address]
    caller.do("send_info", leg, "text/plain", b"are you there")
    network.run()
    assert caller.told[-1] == Ended(leg, True, 408, None, "Request Timeout", vanished=True)
    assert "BYE" in network.methods(caller)


def test_what_a_leg_that_is_over_is_asked_for_is_refused(network, caller, callee):
    leg, _ = caller.call(callee)
    caller.do("hang_up", leg)
    network.run()
    caller.do("hang_up", leg)
    caller.do("acknowledge", leg)
    with pytest.raises(LegGone):
        caller.do("offer", leg, b"offer")
    with pytest.raises(LegGone):
        caller.do("send_info", leg, "text/plain", b"")
    with pytest.raises(LegGone):
        caller.do("accept", leg, b"answer")


def test_a_call_is_refused_with_the_reason_that_the_callee_gives(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    there = callee.told_of(Invited)[0].leg
    headers = (("Reason", 'Q.850;cause=17;text="User busy"'), ("Retry-After", "30"))
    callee.do("reject", there, 486, "On the phone", headers)
    network.run()
    refused = caller.told[-1]
    assert isinstance(refused, Refused)
    assert (refused.leg, refused.status, refused.reason) == (leg, 486, "On the phone")
    assert (refused.cause, refused.q850) == (RefusalCause.RESPONSE, 17)
    assert refused.retry_after == 30.0
    assert callee.told[-1] == Refused(there, 486, "On the phone", RefusalCause.RESPONSE)
    assert network.methods(caller) == ["INVITE", "ACK"]


def test_a_refusal_is_repeated_until_its_ack_comes(network, callee, far):
    far.send(
        callee, "INVITE sip:near@10.0.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKa"
    )
    network.run_for(0.1)
    callee.do("reject", callee.told_of(Invited)[0].leg, 486)
    network.run_for(2)
    assert len(far.responses(486)) == 3
    tag = far.responses(486)[0].to.tag
    far.send(
        callee,
        "ACK sip:near@10.0.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKa\n"
        f"To: <sip:near@10.0.0.2:5060>;tag={tag}",
    )
    network.run()
    assert len(far.responses(486)) == 3
    assert callee.agent.is_idle


def test_a_second_phone_at_the_same_address_is_none_of_the_first_calls_business(
    network, caller, callee
):
    first, _ = caller.call(callee)
    second, there = caller.call(callee)
    callee.do("hang_up", there)
    network.run()
    assert caller.told == [Ended(second, by_remote=True)]
    assert first != second
    assert Address("10.0.0.2", 5060) == callee.address
