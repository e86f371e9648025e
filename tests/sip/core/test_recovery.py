"""A dialog that outlives its process: stored, adopted, ended by BYE."""

from __future__ import annotations

import json

import pytest

from twoleg.sip import (
    Answered,
    Credentials,
    Destination,
    DialogIdentity,
    Ended,
    InvalidValue,
    InviteIdentity,
    LocalProtocolError,
    NameAddr,
    Reason,
    RefusalCause,
    Refused,
    RequestCompleted,
    SipUri,
    Transport,
)


def answered(network, caller, far, *headers):
    caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 200, *headers, body=b"answer")
    network.run_for(0.1)
    return caller.told_of(Answered)[0].identity


def test_another_process_ends_the_dialog_of_a_dead_one(network, caller, callee):
    caller.call(callee)
    caller.invite(callee)  # told of again, below
    identity = caller.agent._legs.get(1).dialog.identity()
    stored = json.dumps(identity.to_json())
    del network.peers[caller.address]
    heir = network.peer(caller.address.host)

    leg = heir.agent.adopt(DialogIdentity.from_json(json.loads(stored)), network.now)
    heir.do("hang_up", leg, Reason("SIP", 500, "engine died"))
    network.run_for(1)
    ended = callee.told_of(Ended)[0]
    assert (ended.by_remote, ended.status, ended.reason) == (True, 500, "engine died")
    assert heir.told == [Ended(leg, by_remote=False)]
    assert heir.agent.is_idle


def test_a_recovered_bye_skips_ahead_and_goes_by_the_stored_route(network, caller, far):
    proxy = network.far_end("10.0.0.5")
    identity = answered(network, caller, far, ("Record-Route", "<sip:10.0.0.5:5060;lr>"))
    heir = network.peer("10.0.0.3")
    leg = heir.agent.adopt(DialogIdentity.from_json(identity.to_json()), network.now)
    heir.do("hang_up", leg)
    network.run_for(0.1)
    (bye,) = proxy.requests("BYE")
    assert bye.cseq.number > 1000
    assert bye.call_id == identity.call_id
    assert bye.from_.tag == identity.local_tag
    assert bye.to.tag == "far"


def test_a_dialog_that_the_far_end_has_forgotten_is_ended_all_the_same(network, caller, far):
    identity = answered(network, caller, far)
    heir = network.peer("10.0.0.3")
    far.script = lambda message: message.method == "BYE" and far.reply(message, 481)
    leg = heir.agent.adopt(identity, network.now)
    heir.do("hang_up", leg)
    network.run_for(1)
    assert heir.told == [Ended(leg, by_remote=False)]


def test_an_adopted_dialog_answers_a_bye_of_the_far_end(network, caller, far):
    identity = answered(network, caller, far)
    heir = network.peer("10.0.0.3")
    leg = heir.agent.adopt(identity, network.now)
    far.send(
        heir,
        "BYE sip:near@10.0.0.3 SIP/2.0\n"
        f"To: <sip:near@10.0.0.1>;tag={identity.local_tag}\nCall-ID: {identity.call_id}",
    )
    network.run_for(0.1)
    assert heir.told == [Ended(leg, by_remote=True)]


def test_a_stored_dialog_that_cannot_be_read_is_refused(network, caller, far):
    identity = answered(network, caller, far)
    stored = identity.to_json()
    for name in ("call_id", "remote_target", "route_set", "transport", "local_cseq"):
        with pytest.raises(InvalidValue):
            DialogIdentity.from_json({key: stored[key] for key in stored if key != name})
    for change in ({"remote_target": "nonsense"}, {"route_set": ["<"]}):
        with pytest.raises(InvalidValue):
            caller.agent.adopt(DialogIdentity.from_json({**stored, **change}), 0.0)
    by_tls = {**stored, "transport": Transport.TLS.value}
    with pytest.raises(LocalProtocolError):
        caller.agent.adopt(DialogIdentity.from_json(by_tls), 0.0)


def test_another_process_takes_back_what_a_dead_one_left_ringing(network, caller, callee):
    leg = caller.invite(callee)
    network.run_for(0.1)
    stored = json.dumps(caller.agent.invite_under_way(leg).to_json())
    del network.peers[caller.address]
    heir = network.peer("10.0.0.3")

    invite = InviteIdentity.from_json(json.loads(stored))
    number = heir.do("cancel", invite, Reason("SIP", 503, "Engine lost"))
    network.run_for(1)
    assert [refused.cause for refused in callee.told_of(Refused)] == [RefusalCause.CANCELED]
    (completed,) = heir.told_of(RequestCompleted)
    assert (completed.request, completed.response.status) == (number, 200)


def foreseen(caller, callee):
    """Decide how an INVITE will be known."""
    there = Destination(Transport.UDP, callee.address.host, callee.address.port)
    return caller.agent.identify(callee.target, caller.name, callee.name, (), there)


def test_an_invite_is_what_was_decided_before_it_left(network, caller, far):
    route = NameAddr(SipUri.parse(f"sip:{far.address};lr"))
    there = Destination(Transport.UDP, far.address.host, far.address.port)
    decided = caller.agent.identify(far.target, caller.name, far.name, (route,), there)
    leg = caller.invite(far, routes=(route,), identity=decided)
    assert caller.agent.invite_under_way(leg) == decided
    assert InviteIdentity.from_json(json.loads(json.dumps(decided.to_json()))) == decided
    network.run_for(0.1)
    [invite] = far.requests("INVITE")
    assert (invite.call_id, invite.from_tag) == (decided.call_id, decided.local_tag)
    assert (invite.via.branch, invite.cseq.number) == (decided.branch, decided.cseq)


def test_another_process_takes_back_an_invite_that_left_no_trace_of_its_own(
    network, caller, callee
):
    decided = foreseen(caller, callee)
    caller.invite(callee, identity=decided)
    network.run_for(0.1)
    del network.peers[caller.address]
    heir = network.peer("10.0.0.3")
    number = heir.do("cancel", decided)
    network.run_for(1)
    assert [refused.cause for refused in callee.told_of(Refused)] == [RefusalCause.CANCELED]
    [completed] = heir.told_of(RequestCompleted)
    assert (completed.request, completed.response.status) == (number, 200)


def test_what_follows_a_challenge_is_known_before_it_too(network, caller, far):
    decided = foreseen(caller, far)
    leg = caller.invite(far, identity=decided, credentials=Credentials("alice", "secret"))
    network.run_for(0.1)
    challenge = 'Digest realm="far", nonce="1", qop="auth", algorithm=MD5'
    far.reply(far.requests("INVITE")[0], 407, ("Proxy-Authenticate", challenge))
    network.run_for(0.1)
    assert decided.is_first
    assert not decided.challenged().is_first
    assert caller.agent.invite_under_way(leg) == decided.challenged()
    first, *_, second = far.requests("INVITE")
    assert second.via.branch == decided.challenged().branch != first.via.branch


def test_each_invite_of_a_leg_has_a_branch_of_its_own(network, caller, far):
    other = network.far_end("10.0.0.8")
    caller.invite(far, other, response_seconds=1.0)
    network.run_for(2.0)
    [first] = {each.via.branch for each in far.requests("INVITE")}
    [second] = {each.via.branch for each in other.requests("INVITE")}
    assert first != second


def test_without_its_transport_no_invite_is_decided_on(caller, far):
    there = Destination(Transport.TLS, far.address.host, far.address.port)
    with pytest.raises(LocalProtocolError):
        caller.agent.identify(far.target, caller.name, far.name, (), there)


def test_a_cancel_that_finds_nobody_is_given_up(network, caller, far):
    leg = caller.invite(far)
    invite = caller.agent.invite_under_way(leg)
    network.run_for(0.1)
    heir = network.peer("10.0.0.3")
    number = heir.do("cancel", invite)
    network.run_for(40)
    assert len(far.requests("CANCEL")) > 5
    assert far.requests("CANCEL")[0].via.branch == far.requests("INVITE")[0].via.branch
    assert heir.told_of(RequestCompleted) == [RequestCompleted(number, None, RefusalCause.TIMEOUT)]
    assert heir.agent.is_idle


def test_what_was_answered_or_refused_cannot_be_taken_back(network, caller, far):
    answered_leg = caller.invite(far)
    network.run_for(0.1)
    far.reply(far.requests("INVITE")[0], 200, body=b"answer")
    network.run_for(0.1)
    assert caller.agent.invite_under_way(answered_leg) is None
    assert caller.agent.invite_under_way(answered_leg + 100) is None


@pytest.mark.parametrize("values", [{}, {"uri": "sip:a@b", "cseq": "x"}, {"destination": 3}])
def test_a_stored_invite_that_cannot_be_read_is_said_so(values):
    with pytest.raises(InvalidValue):
        InviteIdentity.from_json(values)


@pytest.fixture
def heir_of_ringing(network, caller, far):
    """A process at the address of one that died while it rang, and that takes its INVITE back."""
    leg = caller.invite(far)
    invite = caller.agent.invite_under_way(leg)
    network.run_for(0.1)
    del network.peers[caller.address]
    heir = network.peer(caller.address.host)
    heir.do("cancel", invite, Reason("SIP", 503, "Engine lost"))
    network.run_for(0.1)
    return heir


def test_an_answer_that_crosses_the_cancel_of_a_lost_invite_is_acked_and_ended(
    network, far, heir_of_ringing
):
    heir = heir_of_ringing
    invite = far.requests("INVITE")[0]
    far.reply(far.requests("CANCEL")[0], 481)
    for _ in range(3):
        far.reply(invite, 200, body=b"answer")
        network.run_for(0.1)
    assert len(far.requests("ACK")) == 3
    (bye,) = {request.cseq.number: request for request in far.requests("BYE")}.values()
    assert (bye.call_id, bye.from_.tag) == (invite.call_id, invite.from_.tag)
    assert bye.to.tag == "far"
    far.reply(bye, 200)
    network.run_for(40)
    assert heir.agent.is_idle


def test_the_refusal_of_a_lost_invite_is_acked_by_whoever_has_its_address(
    network, far, heir_of_ringing
):
    far.reply(far.requests("CANCEL")[0], 200)
    far.reply(far.requests("INVITE")[0], 487)
    network.run_for(0.1)
    assert len(far.requests("ACK")) == 1
    network.run_for(70)
    assert heir_of_ringing.agent.is_idle


def test_a_lost_invite_that_nobody_answers_any_more_is_forgotten(network, far, heir_of_ringing):
    far.reply(far.requests("CANCEL")[0], 200)
    network.run_for(40)
    assert heir_of_ringing.agent.is_idle
    network.run_for(40)
    assert heir_of_ringing.deadline is None
