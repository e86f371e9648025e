"""REFER and its NOTIFYs (RFC 3515), within a call between two of our cores."""

import pytest

from twoleg.sip import (
    SIPFRAG,
    Headers,
    Refer,
    Request,
    ResponseSpec,
    SipUri,
    TelUri,
    refer_news,
    refer_of,
)


def referring(*lines, cseq="7 REFER"):
    headers = Headers([("CSeq", cseq), *[("Refer-To", line) for line in lines]])
    return Request("REFER", SipUri.parse("sip:us@10.0.0.1"), headers)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("<sip:alice@example.com>", "alice"),
        ("sip:alice@example.com", "alice"),
        ('"Sales, all" <sip:sales@10.0.0.1;user=phone>;x=1', "sales"),
        ("<sip:+41445550100@10.0.0.1:5060;transport=tcp>", "+41445550100"),
        ("<tel:+41-44-555-01-00>", "+41445550100"),
    ],
)
def test_whom_a_refer_names(line, wanted):
    refer = refer_of(referring(line))
    assert (refer.number, refer.wanted) == (7, wanted)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("<sip:a@example.com>", "<sip:b@example.com>"),
        ("<sip:example.com>",),
        ("<http://example.com/>",),
        ("nobody",),
        ("<sip:alice@example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>",),
    ],
)
def test_what_cannot_be_called_or_asks_for_more_is_no_refer_of_ours(lines):
    assert refer_of(referring(*lines)) is None


@pytest.mark.parametrize(
    ("status", "state", "body"),
    [
        (100, "active;expires=180", b"SIP/2.0 100 Trying\r\n"),
        (180, "active;expires=180", b"SIP/2.0 180 Ringing\r\n"),
        (200, "terminated;reason=noresource", b"SIP/2.0 200 OK\r\n"),
        (486, "terminated;reason=noresource", b"SIP/2.0 486 Busy Here\r\n"),
    ],
)
def test_news_are_a_status_line_and_a_final_one_ends_them(status, state, body):
    refer = Refer(7, TelUri("+41445550100"))
    headers, fragment = refer_news(refer, status)
    assert headers == (("Event", "refer;id=7"), ("Subscription-State", state))
    assert fragment == body


def test_a_refer_is_accepted_with_a_contact_and_followed_by_news_of_it(network):
    caller = network.peer("10.0.0.1", handled_methods=frozenset({"NOTIFY"}))
    callee = network.peer("10.0.0.2", handled_methods=frozenset({"REFER"}))
    leg, there = caller.call(callee)
    number = caller.do("send_request", leg, "REFER", (("Refer-To", "<sip:x@10.0.0.3>"),))
    network.run_for(0.1)
    (received,) = callee.told
    refer = refer_of(received.request)
    callee.agent.respond(received.transaction, ResponseSpec(202), network.now)
    headers, body = refer_news(refer, 100)
    callee.do("send_request", there, "NOTIFY", headers, body, SIPFRAG)
    network.flush(callee)
    network.run_for(0.1)
    accepted, told = sorted(caller.told, key=lambda event: hasattr(event, "transaction"))
    assert (accepted.request, accepted.response.status) == (number, 202)
    assert accepted.response.headers.get("Contact") is not None
    assert told.request.headers.get("Event") == f"refer;id={refer.number}"
    assert told.request.headers.get("Content-Type") == SIPFRAG
    assert (told.leg, told.request.body) == (leg, b"SIP/2.0 100 Trying\r\n")
    caller.agent.respond(told.transaction, ResponseSpec(200), network.now)
    network.flush(caller)
    network.run_for(0.1)
    assert callee.told[-1].response.status == 200


def test_a_phone_without_use_for_refer_says_so(network, caller, callee):
    leg, _ = caller.call(callee)
    caller.do("send_request", leg, "REFER", (("Refer-To", "<sip:x@10.0.0.3>"),))
    network.run_for(0.1)
    (completed,) = caller.told
    assert completed.response.status == 405
    assert "REFER" not in completed.response.headers.get("Allow")
