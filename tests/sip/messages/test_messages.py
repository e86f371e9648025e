"""Requests, responses and their headers as the user agent reads and writes them."""

from __future__ import annotations

import pytest

from twoleg.sip import (
    CSeq,
    Headers,
    InvalidValue,
    LocalProtocolError,
    Reason,
    Request,
    Response,
    SipUri,
    parse_message,
    reason_phrase,
)


def test_all_that_a_user_agent_needs_is_read_from_an_invite(invite):
    request = parse_message(
        invite(
            "Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>",
            "Route: <sip:p3.example.com;lr>",
            "Record-Route: <sip:p4.example.com;lr>",
            'Reason: SIP;cause=200;text="Call completed elsewhere", Q.850;cause=16, broken;cause=x',
            "Content-Type: Application/SDP ;charset=utf-8",
            body=b"v=0\r\n",
        )
    )
    assert request.method == "INVITE"
    assert request.uri == SipUri("sip", "bob", None, "biloxi.com")
    assert (request.via.branch, request.via.rport) == ("z9hG4bK776asdhds", None)
    assert request.from_.tag == "1928301774"
    assert request.to.tag is None
    assert request.call_id == "a84b4c76e66710@pc33.atlanta.com"
    assert request.cseq == CSeq(314159, "INVITE")
    assert [str(contact.uri) for contact in request.contacts] == ["sip:alice@pc33.atlanta.com"]
    assert [route.uri.host for route in request.routes] == [
        "p1.example.com",
        "p2.example.com",
        "p3.example.com",
    ]
    assert [route.uri.loose for route in request.record_routes] == [True]
    assert request.max_forwards == 70
    assert request.content_type == "application/sdp"
    assert request.cause == (Reason("SIP", 200, "Call completed elsewhere"), Reason("Q.850", 16))
    assert request.body == b"v=0\r\n"


def test_what_is_not_there_is_nothing(invite):
    request = parse_message(invite(Contact=None, **{"Max-Forwards": None}))
    assert request.contacts == request.routes == request.record_routes == request.cause == ()
    assert request.max_forwards is None
    assert request.content_type == ""
    assert not request.contact_is_star


def test_a_contact_of_star_is_no_address(invite):
    request = parse_message(invite(Contact="*"))
    assert request.contact_is_star
    assert request.contacts == ()


def test_a_value_that_cannot_be_read_is_told_when_it_is_asked_for(invite):
    request = parse_message(invite("Route: <sip:", Contact="<", **{"Max-Forwards": "x"}))
    for name in ("contacts", "routes", "max_forwards"):
        with pytest.raises(InvalidValue):
            getattr(request, name)


def test_compact_and_odd_names_are_the_same_headers(invite):
    data = invite("v: SIP/2.0/TCP b", "ROUTE: <sip:a;lr>", "x-thing: 1", "X-THING: 2")
    headers = parse_message(data.replace(b"Call-ID:", b"i :").replace(b"From:", b"f:")).headers
    assert headers.get("Call-ID") == headers.get("i") == "a84b4c76e66710@pc33.atlanta.com"
    assert len(headers.get_all("via")) == 2
    assert headers.get_all("X-Thing") == ["1", "2"]
    assert "route" in headers
    assert "R" not in headers


def test_a_typed_value_follows_its_header():
    headers = Headers([("From", "<sip:a@b>;tag=1"), ("Contact", "<sip:a@b>")])
    request = Request("INVITE", SipUri("sip", "a", None, "b"), headers)
    assert (request.from_.tag, len(request.contacts)) == ("1", 1)
    headers.set("f", "<sip:a@b>;tag=2")
    headers.add("m", "<sip:c@d>, <sip:e@f>")
    assert (request.from_.tag, len(request.contacts)) == ("2", 3)
    headers.remove("contact")
    assert request.contacts == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Subject", "a\r\nVia: b"),
        ("Subject", "a\nb"),
        ("Subject", "\0"),
        ("Sub ject", "a"),
        ("", ""),
    ],
)
def test_a_header_that_would_break_out_of_its_line_is_never_written(name, value):
    for attempt in (Headers().add, Headers().set):
        with pytest.raises(LocalProtocolError):
            attempt(name, value)


def test_a_response_takes_over_what_names_the_request(invite):
    request = parse_message(
        invite("Via: SIP/2.0/UDP p1;branch=z9hG4bKb", "Timestamp: 54", "Subject: x", f=None)
    )
    response = request.make_response(180, to_tag="8321234356")
    response.identify()
    assert (response.status, response.reason) == (180, "Ringing")
    assert response.vias == request.vias
    assert response.to.tag == "8321234356"
    assert (response.from_, response.call_id) == (request.from_, request.call_id)
    assert response.cseq == request.cseq
    assert "Subject" not in response.headers
    assert "Timestamp" not in response.headers
    assert request.make_response(100).headers.get("Timestamp") == "54"
    assert request.to.tag is None


def test_a_tag_that_is_there_stays_in_the_response(invite):
    request = parse_message(invite(To="<sip:bob@biloxi.com>;tag=old"))
    assert request.make_response(200, to_tag="new").to.tag == "old"


def test_content_length_is_always_that_of_the_body():
    headers = Headers([("Content-Length", "99"), ("Subject", "x")])
    response = Response(200, "OK", headers, b"v=0")
    assert response.to_bytes() == b"SIP/2.0 200 OK\r\nSubject: x\r\nContent-Length: 3\r\n\r\nv=0"


def test_bytes_that_are_no_utf_8_are_echoed_as_they_came(invite):
    display_name = b"M\xfcller".decode("utf-8", "surrogateescape")
    request = parse_message(invite(From=f'"{display_name}" <sip:a@b>;tag=1'))
    assert b'From: "M\xfcller" <sip:a@b>;tag=1\r\n' in request.make_response(200).to_bytes()


@pytest.mark.parametrize(
    ("accept", "accepted"),
    [
        (None, True),
        ("application/sdp", True),
        ("text/plain, Application/SDP;level=1", True),
        ("application/*", True),
        ("*/*;q=0.1", True),
        ("text/plain", False),
        ("", False),
    ],
)
def test_accept_says_whether_our_answer_may_be_a_session_description(invite, accept, accepted):
    assert parse_message(invite(Accept=accept)).accepts("application/sdp") is accepted


def test_only_session_descriptions_are_accepted_where_nothing_is_said(invite):
    assert not parse_message(invite()).accepts("text/plain")


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(486, "Busy Here"), (499, "Bad Request"), (299, "OK"), (699, "Busy Everywhere")],
)
def test_every_status_has_a_reason_phrase(status, phrase):
    assert reason_phrase(status) == phrase


def test_what_is_shown_of_a_message_has_no_credentials(invite):
    request = parse_message(invite('Authorization: Digest username="a", response="secret"'))
    assert "secret" not in repr(request)
    assert "Authorization" in repr(request)
