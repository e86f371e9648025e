"""Requests that no call of ours asked for: what each is answered."""

from __future__ import annotations

import pytest

from twoleg.sip import (
    Invited,
    LocalProtocolError,
    OutOfDialogRequest,
    RefusalCause,
    RequestCompleted,
    RequestReceived,
    ResponseSpec,
    user_agent,
)

INVITE = "INVITE sip:near@10.0.0.2 SIP/2.0"


def test_options_is_answered_with_what_we_can(network, callee, far):
    far.send(callee, "OPTIONS sip:near@10.0.0.2 SIP/2.0")
    network.run()
    (reply,) = far.responses(200)
    assert reply.headers.get_all("Allow") == [
        "INVITE",
        "ACK",
        "CANCEL",
        "BYE",
        "OPTIONS",
        "INFO",
        "UPDATE",
        "PRACK",
    ]
    assert reply.headers.get("Accept") == "application/sdp"
    assert reply.to.tag is not None
    assert callee.agent.is_idle


@pytest.mark.parametrize(
    ("request_line", "more", "status", "header"),
    [
        ("REGISTER sip:10.0.0.2 SIP/2.0", "", 405, "Allow"),
        ("FROBNICATE sip:10.0.0.2 SIP/2.0", "", 501, "Allow"),
        ("BYE sip:near@10.0.0.2 SIP/2.0", "", 481, ""),
        ("INFO sip:near@10.0.0.2 SIP/2.0", "To: <sip:near@10.0.0.2>;tag=gone", 481, ""),
        (INVITE, "To: <sip:near@10.0.0.2>;tag=gone", 481, ""),
        (INVITE, "Require: gruu", 420, "Unsupported"),
        (INVITE, "Require: 100rel, precondition", 420, "Unsupported"),
        (INVITE, "Session-Expires: 30", 422, "Min-SE"),
        ("INVITE http://10.0.0.2 SIP/2.0", "", 416, ""),
        ("OPTIONS sip:near@10.0.0.2 SIP/3.0", "", 505, ""),
        ("OPTIONS sip:near@10.0.0.2 SIP/2.0", "CSeq: 1 INVITE", 400, ""),
        ("OPTIONS sip:near@10.0.0.2 SIP/2.0", "Content-Length: 99", 400, ""),
        (
            "OPTIONS sip:near@10.0.0.2 SIP/2.0",
            "From: <sip:a@b>;tag=1\nFrom: <sip:c@d>;tag=2",
            400,
            "",
        ),
    ],
)
def test_a_request_is_refused_as_it_should_be(
    network, callee, far, request_line, more, status, header
):
    far.send(callee, f"{request_line}\n{more}")
    network.run()
    reply = far.responses(status)[0]
    assert reply.to.tag is not None
    assert not header or reply.headers.get(header)
    assert callee.told == []
    assert callee.agent.is_idle


def test_only_what_is_not_supported_is_named(network, callee, far):
    far.send(callee, f"{INVITE}\nRequire: timer, gruu")
    network.run_for(0.1)
    assert far.responses(420)[0].headers.get("Unsupported") == "gruu"


def test_an_offer_of_another_kind_is_refused_with_415(network, callee, far):
    far.send(callee, f"{INVITE}\nContent-Type: application/isup", b"?")
    network.run_for(0.1)
    assert far.responses(415)[0].headers.get("Accept") == "application/sdp"


def test_invites_are_refused_where_none_are_wanted(network, far):
    callee = network.peer("10.0.0.2", accept_invites=False)
    far.send(callee, INVITE)
    network.run_for(0.1)
    assert len(far.responses(403)) > 0
    assert callee.told == []


def test_a_request_that_comes_by_two_ways_is_answered_once(network, callee, far):
    far.send(callee, INVITE)
    far.send(callee, INVITE)
    network.run_for(0.1)
    assert len(callee.told_of(Invited)) == 1
    assert len(far.responses(482)) == 1


def test_a_retransmission_brings_the_last_response_again(network, callee, far):
    via = "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKa"
    far.send(callee, f"{INVITE}\n{via}")
    network.run_for(0.1)
    callee.do("ring_back", callee.told_of(Invited)[0].leg)
    far.send(callee, f"{INVITE}\n{via}")
    network.run_for(0.1)
    assert len(far.responses(180)) == 2
    assert len(callee.told) == 1
    assert callee.agent.counters.retransmissions_received == 1


def test_transactions_of_rfc_2543_are_told_apart_without_a_branch(network, callee, far):
    via = "Via: SIP/2.0/UDP 10.0.0.9:5060"
    for _ in range(2):
        far.send(callee, f"OPTIONS sip:near@10.0.0.2 SIP/2.0\n{via}")
    far.send(callee, f"OPTIONS sip:near@10.0.0.2 SIP/2.0\n{via}\nCSeq: 2 OPTIONS")
    network.run_for(0.1)
    assert [reply.cseq.number for reply in far.responses(200)] == [1, 1, 2]
    assert callee.agent.counters.retransmissions_received == 1


def test_a_cancel_of_rfc_2543_finds_its_invite(network, callee, far):
    via = "Via: SIP/2.0/UDP 10.0.0.9:5060"
    far.send(callee, f"{INVITE}\n{via}")
    network.run_for(0.1)
    far.send(callee, f"CANCEL sip:near@10.0.0.2 SIP/2.0\n{via}")
    network.run_for(0.1)
    assert len(far.responses(487)) == 1


def test_what_the_user_handles_is_the_users_to_answer(network, far):
    registrar = network.peer("10.0.0.2", handled_methods=frozenset({"REGISTER"}))
    far.send(registrar, "REGISTER sip:10.0.0.2 SIP/2.0")
    network.run_for(0.1)
    (received,) = registrar.told
    assert isinstance(received, RequestReceived)
    assert (received.request.method, received.leg) == ("REGISTER", None)
    spec = ResponseSpec(200, headers=(("Expires", "60"),))
    registrar.agent.respond(received.transaction, spec, network.now)
    registrar.agent.respond(received.transaction, ResponseSpec(403), network.now)
    network.flush(registrar)
    network.run()
    assert far.responses(200)[0].headers.get("Expires") == "60"
    assert far.responses(403) == []
    assert registrar.agent.is_idle


def test_a_handled_request_within_a_call_names_its_leg(network, caller):
    callee = network.peer("10.0.0.2", handled_methods=frozenset({"REFER"}))
    leg, there = caller.call(callee)
    number = caller.do("send_request", leg, "REFER", (("Refer-To", "<sip:x@10.0.0.3>"),))
    network.run_for(0.1)
    (received,) = callee.told
    assert received.leg == there
    callee.agent.respond(received.transaction, ResponseSpec(202), network.now)
    network.flush(callee)
    network.run_for(0.1)
    (completed,) = caller.told
    assert (completed.request, completed.response.status) == (number, 202)


def test_stray_responses_and_acks_are_counted_and_dropped(network, callee, far):
    far.send(callee, "ACK sip:near@10.0.0.2 SIP/2.0\nTo: <sip:near@10.0.0.2>;tag=gone")
    network.carry(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKnone\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n",
        far.address,
        callee.address,
    )
    network.carry(b"\x00\x01rubbish", far.address, callee.address)
    network.run()
    assert far.got == []
    counters = callee.agent.counters
    assert (counters.stray_acks, counters.stray_responses, counters.malformed) == (1, 1, 1)


def options(caller, far, **changes):
    return OutOfDialogRequest(
        method="OPTIONS", target=far.target, from_=caller.name, to=far.name, **changes
    )


def test_a_request_of_ours_is_completed_by_its_response(network, caller, far):
    far.script = lambda message: far.reply(message, 486)
    number = caller.agent.request(options(caller, far), network.now)
    network.flush(caller)
    network.run()
    (completed,) = caller.told
    assert (completed.request, completed.response.status) == (number, 486)


def test_a_request_that_nobody_answers_is_completed_without_response(network, caller, far):
    caller.agent.request(options(caller, far), network.now)
    network.flush(caller)
    network.run()
    completed = caller.told[-1]
    assert isinstance(completed, RequestCompleted)
    assert (completed.response, completed.cause) == (None, RefusalCause.TIMEOUT)
    assert len(far.got) == 11
    assert caller.agent.is_idle


def test_what_is_too_much_is_refused_with_a_time_to_come_back(network, callee, far, monkeypatch):
    monkeypatch.setattr(user_agent, "MAX_LEGS", 1)
    far.send(callee, f"{INVITE}\nCall-ID: one")
    far.send(callee, f"{INVITE}\nCall-ID: two")
    network.run_for(0.1)
    assert far.responses(503)[0].headers.get("Retry-After") == "5"
    assert callee.agent.counters.refused_for_load == 1
    with pytest.raises(LocalProtocolError):
        callee.invite(far)


def test_the_number_of_transactions_is_bounded(network, callee, far, monkeypatch):
    monkeypatch.setattr(user_agent, "MAX_TRANSACTIONS", 3)
    for number in range(5):
        far.send(callee, f"OPTIONS sip:near@10.0.0.2 SIP/2.0\nCall-ID: {number}")
    network.run_for(0.1)
    assert far.responses(503)[0].headers.get("Retry-After") == "5"
    assert len(far.responses(503)) + len(far.responses(200)) == 5


def test_requests_that_the_user_leaves_lying_are_bounded(network, far, monkeypatch):
    monkeypatch.setattr(user_agent, "MAX_UNANSWERED", 2)
    registrar = network.peer("10.0.0.2", handled_methods=frozenset({"REGISTER"}))
    for number in range(3):
        far.send(registrar, f"REGISTER sip:10.0.0.2 SIP/2.0\nCall-ID: {number}")
    network.run_for(0.1)
    assert len(registrar.told) == 2
    assert len(far.responses(503)) == 1


def test_headers_that_would_break_out_of_their_line_are_refused(network, caller, far):
    with pytest.raises(LocalProtocolError):
        caller.invite(far, headers=(("X-Name", "a\r\nVia: b"),))
    assert caller.agent.is_idle
