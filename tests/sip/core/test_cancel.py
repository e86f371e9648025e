"""Giving up a call that has no answer yet, and everything that may cross the CANCEL."""

from __future__ import annotations

from twoleg.sip import (
    Answered,
    Ended,
    Established,
    Invited,
    Reason,
    RefusalCause,
    Refused,
)

ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")


def test_cancel_waits_for_a_provisional_response(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    caller.do("hang_up", leg)
    network.run_for(0.2)
    assert far.requests("CANCEL") == []
    far.reply(far.requests("INVITE")[0], 100)
    network.run_for(0.1)
    (cancel,) = far.requests("CANCEL")
    assert cancel.via == far.requests("INVITE")[0].via
    assert cancel.cseq.number == far.requests("INVITE")[0].cseq.number


def test_a_canceled_call_is_refused_on_both_sides(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    there = callee.told_of(Invited)[0].leg
    callee.do("ring_back", there)
    network.run_for(0.1)
    caller.do("hang_up", leg, ELSEWHERE)
    network.run()
    assert network.methods(caller) == ["INVITE", "CANCEL", "ACK"]
    assert network.methods(callee) == ["100", "180", "200", "487"]
    refused = caller.told[-1]
    assert (refused.status, refused.cause) == (487, RefusalCause.CANCELED)
    assert callee.told[-1] == Refused(there, 487, "Call completed elsewhere", RefusalCause.CANCELED)


def test_a_200_that_crosses_cancel_is_acked_and_ended_by_bye(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    there = callee.told_of(Invited)[0].leg
    callee.do("accept", there, b"answer")
    caller.do("hang_up", leg)
    network.run()
    assert network.methods(caller) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert caller.told_of(Answered) == []
    (refused,) = caller.told_of(Refused)
    assert (refused.status, refused.cause) == (487, RefusalCause.CANCELED)
    assert callee.told_of(Established)
    assert callee.told[-1] == Ended(there, by_remote=True)


def test_a_200_that_comes_before_any_provisional_is_acked_and_ended_too(network, caller, far):
    leg = caller.invite(far)
    caller.do("hang_up", leg, ELSEWHERE)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 200, body=b"answer")
    network.run_for(0.1)
    assert far.requests("CANCEL") == []
    far.reply(far.requests("BYE")[0], 200)
    network.run()
    assert network.methods(caller) == ["INVITE", "ACK", "BYE"]
    assert far.requests("BYE")[0].headers.get("Reason") == str(ELSEWHERE)
    assert caller.told_of(Refused)[0].cause is RefusalCause.CANCELED


def test_a_refusal_that_crosses_cancel_ends_the_call_as_canceled(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    callee.do("reject", callee.told_of(Invited)[0].leg, 486)
    caller.do("hang_up", leg)
    network.run()
    (refused,) = caller.told_of(Refused)
    assert (refused.status, refused.cause) == (486, RefusalCause.CANCELED)
    assert network.methods(caller) == ["INVITE", "CANCEL", "ACK"]


def test_a_cancel_that_brings_no_final_response_is_waited_for_64_t1(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 180)
    network.run_for(0.1)
    caller.do("hang_up", leg)
    began = network.now
    network.run(until=began + 31.9)
    assert caller.told_of(Refused) == []
    network.run()
    assert caller.told_of(Refused)[0].cause is RefusalCause.CANCELED
    assert caller.agent.is_idle


def test_an_answer_that_comes_after_all_patience_is_still_acked_and_ended(network, caller, far):
    leg = caller.invite(far)
    network.run_for(0.1)
    invite = far.requests("INVITE")[0]
    far.reply(invite, 180)
    network.run_for(0.1)
    caller.do("hang_up", leg)
    network.run_for(40)
    assert caller.told_of(Refused)
    far.reply(invite, 200, body=b"answer")
    network.run_for(0.1)
    assert len(far.requests("ACK")) == 1
    assert len(far.requests("BYE")) == 1
    assert len(caller.told_of(Refused)) == 1


def test_an_answer_after_the_invite_timed_out_is_acked_and_ended(network, caller, far):
    caller.invite(far)
    network.run_for(40)
    assert caller.told_of(Refused)[0].cause is RefusalCause.TIMEOUT
    assert caller.told_of(Refused)[0].status == 408
    invite = far.requests("INVITE")[0]
    assert len(far.requests("INVITE")) == 7
    far.reply(invite, 200, body=b"answer")
    network.run_for(0.1)
    assert len(far.requests("ACK")) == 1
    assert len(far.requests("BYE")) == 1


def test_a_phone_that_rings_after_the_invite_timed_out_is_canceled(network, caller, far):
    caller.invite(far)
    network.run_for(40)
    invite = far.requests("INVITE")[0]
    for _ in range(2):
        far.reply(invite, 180)
        network.run_for(0.1)
    assert len({request.via for request in far.requests("CANCEL")}) == 1
    far.reply(invite, 487)
    network.run_for(0.1)
    assert len(far.requests("ACK")) == 1


def test_a_cancel_after_the_answer_changes_nothing(network, callee, far):
    via = "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKa"
    far.send(callee, f"INVITE sip:near@10.0.0.2 SIP/2.0\n{via}")
    network.run_for(0.1)
    leg = callee.told_of(Invited)[0].leg
    callee.do("accept", leg, b"answer")
    far.send(callee, f"CANCEL sip:near@10.0.0.2 SIP/2.0\n{via}")
    network.run_for(0.1)
    assert callee.told == callee.told_of(Invited)
    assert [reply.cseq.method for reply in far.responses(200)] == ["INVITE", "CANCEL"]
    assert far.responses(487) == []


def test_a_cancel_of_nothing_is_answered_with_481(network, callee, far):
    far.send(callee, "CANCEL sip:near@10.0.0.2 SIP/2.0")
    network.run_for(0.1)
    assert len(far.responses(481)) == 1
    assert callee.told == []


def test_a_caller_that_says_bye_before_the_answer_has_given_up(network, callee, far):
    far.send(callee, "INVITE sip:near@10.0.0.2 SIP/2.0")
    network.run_for(0.1)
    leg = callee.told_of(Invited)[0].leg
    callee.do("ring_back", leg)
    network.run_for(0.1)
    tag = far.responses(180)[0].to.tag
    far.send(
        callee,
        f"BYE sip:near@10.0.0.2 SIP/2.0\nCSeq: 2 BYE\nTo: <sip:near@10.0.0.2:5060>;tag={tag}",
    )
    network.run_for(0.1)
    assert len(far.responses(487)) == 1
    assert callee.told_of(Refused)[0].cause is RefusalCause.CANCELED


def test_hanging_up_a_call_that_rings_here_declines_it(network, caller, callee):
    caller.invite(callee)
    network.run_for(0.1)
    callee.do("hang_up", callee.told_of(Invited)[0].leg)
    network.run()
    assert caller.told_of(Refused)[0].status == 603
