"""Offers of one audio stream, first and later ones (RFC 3264 5 and 8)."""

from dataclasses import replace

import pytest
from sip.sdp.sessions import (
    LOCAL,
    direction,
    media_lines,
    new_session,
    offer_and_answer,
    sdp,
    version,
)

from twoleg.sip.audio_formats import PCMA, PCMU, AudioFormat
from twoleg.sip.errors import LocalProtocolError, SessionRejected
from twoleg.sip.sdp import Direction


def test_an_offer_lists_our_formats_in_order_of_preference():
    assert new_session().create_offer().decode().split("\r\n") == [
        "v=0",
        "o=- 42 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0 8 9 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_an_ipv6_address_is_named_as_one():
    body = new_session(replace(LOCAL, address="2001:db8::1")).create_offer().decode()
    assert "c=IN IP6 2001:db8::1\r\n" in body
    assert "o=- 42 1 IN IP6 2001:db8::1\r\n" in body


def test_the_version_rises_by_one_only_when_something_changes():
    session = new_session()
    bodies = [session.create_offer()]
    session.accept_answer(sdp("m=audio 5000 RTP/AVP 0"))
    for wanted in (Direction.SENDRECV, Direction.SENDONLY, Direction.SENDONLY):
        bodies.append(session.create_offer(wanted))
        session.accept_answer(sdp("m=audio 5000 RTP/AVP 0"))
    assert [version(body) for body in bodies] == [1, 1, 2, 2]
    assert bodies[0] == bodies[1]


def test_one_offer_at_a_time():
    session = new_session()
    session.create_offer()
    assert session.offer_pending
    with pytest.raises(LocalProtocolError):
        session.create_offer()
    with pytest.raises(SessionRejected):
        session.answer_offer(sdp("m=audio 5000 RTP/AVP 0"))


def test_an_abandoned_offer_leaves_the_session_as_it_was():
    session = new_session()
    agreed = offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    held = session.create_offer(Direction.SENDONLY)
    session.abandon_offer()
    assert not session.offer_pending
    assert session.agreed is agreed
    # The far end has seen the version of the abandoned one, and must not take the next for it.
    answer, again = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0"))
    assert direction(answer) is Direction.SENDRECV
    assert again.direction is Direction.SENDRECV
    assert version(answer) == version(held) + 1


def test_abandoning_nothing_does_nothing():
    session = new_session()
    session.abandon_offer()
    agreed = offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    session.abandon_offer()
    assert session.agreed is agreed


def test_a_later_offer_keeps_the_places_of_all_media_lines():
    # RFC 3264 8: the n-th m= line stays the n-th, whoever offers.
    session = new_session()
    session.answer_offer(
        sdp("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 0", "m=image 5004 udptl t38")
    )
    assert media_lines(session.create_offer()) == [
        "m=video 0 RTP/AVP 31",
        "m=audio 4000 RTP/AVP 0 8 9 101",
        "m=image 0 udptl t38",
    ]
    agreed = session.accept_answer(
        sdp("m=video 0 RTP/AVP 31", "m=audio 5000 RTP/AVP 8", "m=image 0 udptl t38")
    )
    assert agreed.format == PCMA


def test_a_payload_type_stays_with_its_encoding():
    # RFC 3264 8.3.2: the far end's 96 for events stays 96 in our own offers.
    session = new_session()
    session.answer_offer(sdp("m=audio 5000 RTP/AVP 0 96 101", "a=rtpmap:96 telephone-event/8000"))
    offer = session.create_offer().decode()
    assert "m=audio 4000 RTP/AVP 0 8 9 96\r\n" in offer
    assert "a=fmtp:96 0-15\r\n" in offer


def test_a_payload_type_is_never_given_to_two_encodings():
    opus = AudioFormat(101, "opus", 48000, 2)
    session = new_session(replace(LOCAL, formats=(opus, PCMU)))
    session.answer_offer(sdp("m=audio 5000 RTP/AVP 101", "a=rtpmap:101 opus/48000/2"))
    session.local = LOCAL
    offer = session.create_offer().decode()
    assert "a=rtpmap:96 telephone-event/8000\r\n" in offer
    assert "rtpmap:101" not in offer
