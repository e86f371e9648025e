"""A far end that vanished is noticed (RFC 4028)."""

from __future__ import annotations

import pytest

from twoleg.sip import Ended, Invited, OfferAnswered, Offered


def answered(network, caller, far, *headers):
    leg = caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[-1], 200, *headers, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    network.run_for(0.1)
    caller.told.clear()
    return leg


def rung(network, callee, far, *lines):
    far.send(callee, "\n".join(["INVITE sip:near@10.0.0.2 SIP/2.0", *lines]), b"offer")
    network.run_for(0.1)
    leg = callee.told_of(Invited)[0].leg
    callee.do("accept", leg, b"answer")
    network.run_for(0.1)
    tag = far.responses(200)[0].to.tag
    far.send(callee, f"ACK sip:near@10.0.0.2 SIP/2.0\nTo: <sip:near@10.0.0.2:5060>;tag={tag}")
    network.run_for(0.1)
    return leg


def test_a_session_is_refreshed_by_update_at_half_its_interval(network, caller, far):
    leg = answered(network, caller, far, ("Session-Expires", "100;refresher=uac"))
    far.script = lambda message: far.reply(message, 200, ("Session-Expires", "100;refresher=uac"))
    network.run_for(49)
    assert far.requests("UPDATE") == []
    network.run_for(251)
    updates = far.requests("UPDATE")
    assert len(updates) == 5 or len(updates) == 6
    assert updates[0].headers.get("Session-Expires") == "100;refresher=uac"
    assert updates[0].body == b""
    assert caller.told == []
    caller.do("hang_up", leg)
    network.run()
    assert caller.told == [Ended(leg, by_remote=False)]


def test_a_far_end_that_answers_no_refresh_is_gone(network, caller, far):
    leg = answered(network, caller, far, ("Session-Expires", "400;refresher=uac"))
    network.run_for(300)
    assert caller.told == [Ended(leg, True, 408, None, "Request Timeout", vanished=True)]
    assert len(far.requests("BYE")) > 0


def test_a_far_end_that_should_refresh_and_does_not_is_gone(network, caller, far):
    leg = answered(network, caller, far, ("Session-Expires", "120;refresher=uas"))
    network.run_for(87)
    assert far.requests("BYE") == []
    network.run_for(2)
    assert len(far.requests("BYE")) > 0
    assert far.requests("UPDATE") == []
    network.run_for(40)
    assert caller.told == [Ended(leg, True, 408, None, "Session Expired", vanished=True)]


def test_where_update_is_unknown_a_re_invite_that_changes_nothing_refreshes(network, caller, far):
    answered(network, caller, far, ("Session-Expires", "100;refresher=uac"))

    def script(message):
        if message.method == "UPDATE":
            far.reply(message, 501)
        elif message.method == "INVITE":
            far.reply(message, 200, ("Session-Expires", "100;refresher=uac"), body=b"answer")

    far.script = script
    network.run_for(160)
    assert len(far.requests("UPDATE")) == 1
    refreshes = far.requests("INVITE")[1:]
    assert [refresh.body for refresh in refreshes] == [b"offer"] * 3
    assert len(far.requests("ACK")) == 4
    assert caller.told == []


def test_an_offer_of_ours_during_a_refresh_follows_it(network, caller, far):
    leg = answered(network, caller, far, ("Session-Expires", "100;refresher=uac"))
    far.script = lambda message: message.method == "UPDATE" and far.reply(message, 405)
    network.run_for(50.5)
    refresh = far.requests("INVITE")[-1]
    caller.do("offer", leg, b"hold")
    network.run_for(0.1)
    assert far.requests("INVITE")[-1] == refresh
    far.reply(refresh, 200, ("Session-Expires", "100;refresher=uac"), body=b"answer")
    network.run_for(0.1)
    assert far.requests("INVITE")[-1].body == b"hold"
    far.reply(far.requests("INVITE")[-1], 200, body=b"held")
    network.run_for(0.1)
    assert caller.told == [OfferAnswered(leg, b"held")]


def test_without_a_word_about_it_in_the_answer_no_timer_runs(network, caller, far):
    answered(network, caller, far)
    network.run_for(4000)
    assert far.requests("UPDATE") == []
    assert caller.told == []


def test_a_422_is_answered_with_a_longer_interval(network, caller, far):
    caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 422, ("Min-SE", "3600"))
    network.run_for(0.1)
    invite = far.requests("INVITE")[1]
    assert invite.headers.get("Session-Expires") == "3600"
    assert invite.headers.get("Min-SE") == "3600"
    far.reply(invite, 422, ("Min-SE", "3600"))
    network.run_for(0.1)
    assert caller.told[-1].status == 422


def test_timers_can_be_switched_off(network, far):
    caller = network.peer("10.0.0.3", session_seconds=0)
    leg = caller.invite(far)
    network.run_for(0.1)
    assert far.requests("INVITE")[0].headers.get("Session-Expires") is None
    far.reply(far.requests("INVITE")[0], 200, body=b"answer")
    network.run_for(0.1)
    caller.do("acknowledge", leg)
    network.run_for(4000)
    assert far.requests("UPDATE") == []


@pytest.mark.parametrize(
    ("asked", "said", "required"),
    [
        ("120", "120;refresher=uac", "timer"),
        ("120;refresher=uac", "120;refresher=uac", "timer"),
        ("120;refresher=uas", "120;refresher=uas", None),
    ],
)
def test_a_caller_that_asks_for_timers_gets_them(network, callee, far, asked, said, required):
    rung(network, callee, far, "Supported: timer", f"Session-Expires: {asked}")
    answer = far.responses(200)[0]
    assert answer.headers.get("Session-Expires") == said
    assert answer.headers.get("Require") == required
    network.run_for(61)
    assert (len(far.requests("UPDATE")) > 0) == (required is None)


def test_the_callers_refresh_keeps_the_session(network, callee, far):
    leg = rung(network, callee, far, "Supported: timer", "Session-Expires: 120")
    tag = far.responses(200)[0].to.tag
    for number in range(2, 6):
        network.run_for(80)
        far.send(
            callee,
            f"UPDATE sip:near@10.0.0.2 SIP/2.0\nCSeq: {number} UPDATE\nSupported: timer\n"
            f"Session-Expires: 120\nTo: <sip:near@10.0.0.2:5060>;tag={tag}",
        )
        network.run_for(0.1)
        assert far.responses(200)[-1].headers.get("Session-Expires") == "120;refresher=uac"
    assert callee.told_of(Offered) == []
    network.run_for(130)
    assert callee.told[-1] == Ended(leg, True, 408, None, "Session Expired", vanished=True)


def test_two_of_us_keep_a_call_alive(network, caller, callee):
    leg, _ = caller.call(callee)
    network.run_for(6000)
    assert caller.told == callee.told == []
    assert network.methods(caller).count("UPDATE") >= 5
    caller.do("hang_up", leg)
    network.run_for(1)
    assert caller.agent.is_idle
    assert callee.agent.is_idle
