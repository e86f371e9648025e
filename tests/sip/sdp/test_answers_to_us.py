"""What the answer to our offer of one audio stream comes to (RFC 3264 7)."""

from dataclasses import replace

import pytest
from sip.sdp.sessions import LOCAL, new_session, offer_and_answer, sdp

from twoleg.sip.audio_formats import PCMA, PCMU, TELEPHONE_EVENT
from twoleg.sip.errors import LocalProtocolError, SessionRejected
from twoleg.sip.sdp import Direction, SessionDescription


def test_the_first_codec_of_the_answer_that_we_offered_is_sent():
    agreed = offer_and_answer(
        new_session(), "m=audio 5000 RTP/AVP 18 8 0 101", "a=rtpmap:101 telephone-event/8000"
    )
    assert (agreed.format, agreed.send_payload_type) == (PCMA, 8)
    assert agreed.receive_payload_types == {8: PCMA, 0: PCMU, 101: TELEPHONE_EVENT}
    assert (agreed.address, agreed.port) == ("198.51.100.7", 5000)
    assert agreed.direction is Direction.SENDRECV
    assert agreed.dtmf_send_payload_type == 101


def test_events_go_out_under_the_number_of_the_answer_and_come_in_under_ours():
    agreed = offer_and_answer(
        new_session(), "m=audio 5000 RTP/AVP 0 97", "a=rtpmap:97 Telephone-Event/8000"
    )
    assert agreed.dtmf_send_payload_type == 97
    # Some send by the number of their own answer, and no other meaning is lost by it.
    assert agreed.receive_payload_types == {
        0: PCMU,
        101: TELEPHONE_EVENT,
        97: TELEPHONE_EVENT,
    }


def test_an_answer_without_the_rtpmap_of_our_own_number_means_our_format():
    agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0 101")
    assert agreed.dtmf_send_payload_type == 101


def test_without_telephone_event_there_is_no_dtmf_by_rtp():
    agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0")
    assert agreed.dtmf_send_payload_type is None
    assert agreed.receive_payload_types == {0: PCMU}


def test_events_on_another_clock_than_the_codec_are_not_for_it():
    events_48 = TELEPHONE_EVENT._replace(payload_type=102, clock_rate=48000)
    session = new_session(replace(LOCAL, formats=(PCMU, events_48)))
    agreed = offer_and_answer(
        session, "m=audio 5000 RTP/AVP 0 102", "a=rtpmap:102 telephone-event/48000"
    )
    assert agreed.dtmf_send_payload_type is None


@pytest.mark.parametrize(
    ("answered", "ours"),
    [
        ("sendrecv", Direction.SENDRECV),
        ("recvonly", Direction.SENDONLY),
        ("sendonly", Direction.RECVONLY),
        ("inactive", Direction.INACTIVE),
    ],
)
def test_the_direction_of_the_answer_narrows_ours(answered, ours):
    agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0", f"a={answered}")
    assert agreed.direction is ours


def test_an_answer_cannot_widen_what_we_offered():
    session = new_session()
    session.create_offer(Direction.SENDONLY)
    agreed = session.accept_answer(sdp("m=audio 5000 RTP/AVP 0", "a=sendrecv"))
    assert agreed.direction is Direction.SENDONLY


@pytest.mark.parametrize(
    "answer",
    [
        ("m=audio 0 RTP/AVP 0",),
        ("m=audio 5000 RTP/AVP 18",),
        ("m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
        ("m=audio 5000 RTP/SAVP 0",),
        ("m=video 5000 RTP/AVP 31",),
        ("m=audio 5000 RTP/AVP",),
        (),
    ],
)
def test_an_answer_that_gives_us_no_audio_is_rejected(answer):
    session = new_session()
    session.create_offer()
    with pytest.raises(SessionRejected):
        session.accept_answer(sdp(*answer))
    assert session.agreed is None
    assert not session.offer_pending


def test_garbage_is_rejected():
    session = new_session()
    session.create_offer()
    with pytest.raises(SessionRejected) as caught:
        session.accept_answer(b"\xff\xfe")
    assert "line 1" in caught.value.reason


def test_the_answer_of_the_200_takes_the_place_of_the_early_one():
    # A 183 from the network's announcement server, then a 200 from the phone itself.
    session = new_session()
    early = offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    final = session.accept_answer(sdp("m=audio 7000 RTP/AVP 8"))
    assert (early.port, final.port, final.format) == (5000, 7000, PCMA)
    assert session.accept_answer(sdp("m=audio 7000 RTP/AVP 8")) == final


def test_an_answer_repeated_after_a_later_offer_was_answered_changes_nothing():
    # RFC 3261 13.2.1: after 183 and an UPDATE the 200 still carries the first answer.
    session = new_session()
    offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    _, updated = session.answer_offer(sdp("m=audio 6000 RTP/AVP 8"))
    assert session.accept_answer(sdp("m=audio 5000 RTP/AVP 0")) is updated


def test_an_answer_without_an_offer_is_our_own_mistake():
    with pytest.raises(LocalProtocolError):
        new_session().accept_answer(sdp("m=audio 5000 RTP/AVP 0"))


def test_an_answer_that_leaves_out_the_refused_media_is_taken():
    session = new_session()
    session.answer_offer(sdp("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 0"))
    assert offer_and_answer(session, "m=audio 5000 RTP/AVP 0").port == 5000


@pytest.mark.parametrize(
    "lines",
    [
        ("a=rtpmap:0 PCMU/8000", "a=ptime:30"),
        ("a=sendonly",),
        ("c=IN IP4 0.0.0.0",),
        ("b=RS:0", "b=RR:0"),
        ("a=rtcp:53020",),
        ("a=rtcp:5001 IN IP4 198.51.100.9",),
        ("a=RTCP : 10",),
    ],
)
@pytest.mark.parametrize("port", [1, 9, 5000, 65_534, 65_535])
def test_an_answer_in_the_words_of_another_comes_to_what_it_says_itself(lines, port):
    def answer(port: int) -> bytes:
        return sdp(f"m=audio {port} RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", *lines)

    before, session = new_session(), new_session()
    before.create_offer()
    before.accept_answer(answer(7000))
    session.create_offer()
    agreed = session.accept_answer(answer(port))
    looked_at = new_session().agreed_by(LOCAL.formats, SessionDescription.parse(answer(port)))
    assert agreed == looked_at
    assert agreed.port == port


def test_words_that_were_refused_once_are_refused_again():
    for port in (7000, 7002):
        session = new_session()
        session.create_offer()
        with pytest.raises(SessionRejected, match="no codec"):
            session.accept_answer(sdp(f"m=audio {port} RTP/AVP 18"))
        assert not session.offer_pending
