"""Our answers to offers, first and later ones (RFC 3264 6 and 8)."""

from dataclasses import replace

import pytest
from sip.sdp.sessions import (
    HEAD,
    LOCAL,
    direction,
    media_lines,
    new_session,
    offer_and_answer,
    sdp,
    version,
)

from twoleg.sip.audio_formats import G722, PCMA, TELEPHONE_EVENT
from twoleg.sip.errors import SessionRejected
from twoleg.sip.sdp import Direction


def test_an_answer_has_one_codec_and_the_offers_numbers():
    answer, agreed = new_session().answer_offer(
        sdp(
            "m=audio 5000 RTP/AVP 18 8 0 96",
            "a=rtpmap:96 telephone-event/8000",
            "a=fmtp:96 0-16",
        )
    )
    assert answer.decode().split("\r\n")[5:] == [
        "m=audio 4000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]
    assert agreed.format == PCMA
    assert agreed.send_payload_type == 8
    assert agreed.dtmf_send_payload_type == 96
    assert agreed.receive_payload_types == {
        8: PCMA,
        96: TELEPHONE_EVENT._replace(payload_type=96),
    }


def test_media_that_we_do_not_want_are_refused_in_their_places():
    # RFC 3264 6: as many m= lines as the offer, in its order.
    answer, agreed = new_session().answer_offer(
        sdp(
            "m=audio 5000 RTP/SAVP 0",
            "m=video 5002 RTP/AVP 31 34",
            "m=audio 5004 RTP/AVP 0",
            "m=audio 5006 RTP/AVP 8",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "m=message 0 TCP/MSRP",
        )
    )
    assert media_lines(answer) == [
        "m=audio 0 RTP/SAVP 0",
        "m=video 0 RTP/AVP 31 34",
        "m=audio 4000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 8",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        "m=message 0 TCP/MSRP 0",
    ]
    assert agreed.port == 5004


@pytest.mark.parametrize(
    ("offered", "ours"),
    [
        ("sendrecv", Direction.SENDRECV),
        ("sendonly", Direction.RECVONLY),
        ("recvonly", Direction.SENDONLY),
        ("inactive", Direction.INACTIVE),
    ],
)
def test_the_direction_is_mirrored(offered, ours):
    answer, agreed = new_session().answer_offer(sdp("m=audio 5000 RTP/AVP 0", f"a={offered}"))
    assert direction(answer) is ours
    assert agreed.direction is ours


def test_while_we_hold_our_answers_hold_too():
    session = new_session()
    offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    session.create_offer(Direction.SENDONLY)
    session.accept_answer(sdp("m=audio 5000 RTP/AVP 0", "a=recvonly"))
    answer, _ = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0"))
    assert direction(answer) is Direction.SENDONLY
    answer, _ = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=sendonly"))
    assert direction(answer) is Direction.INACTIVE


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        ((), "no audio stream"),
        (("m=video 5000 RTP/AVP 31",), "no audio stream"),
        (("m=audio 0 RTP/AVP 0",), "no audio stream"),
        (("m=audio 5000 RTP/AVP 18 3",), "no codec"),
        (("m=audio 5000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2"), "no codec"),
        (("m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), "no codec"),
        (("m=audio 5000 UDP/TLS/RTP/SAVPF 0",), "not plain RTP"),
        (("m=audio 5000 RTP/AVP 0", "c=IN IP4 phone.example.com"), "no IP address"),
        (("m=audio 5000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"), "cannot be reached"),
        (("m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:db8::7"), "cannot be reached"),
    ],
)
def test_an_offer_that_does_not_fit_is_rejected_and_changes_nothing(offer, reason):
    session = new_session()
    agreed = offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    with pytest.raises(SessionRejected) as caught:
        session.answer_offer(sdp(*offer))
    assert reason in caught.value.reason
    assert session.agreed is agreed
    assert version(session.create_offer()) == 1


def test_an_offer_without_any_address_is_rejected():
    with pytest.raises(SessionRejected):
        new_session().answer_offer(b"v=0\r\nm=audio 5000 RTP/AVP 0\r\n")


def test_hold_and_resume():
    session = new_session()
    offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    held, on_hold = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=sendonly"))
    resumed, talking = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=sendrecv"))
    assert (on_hold.direction, talking.direction) == (
        Direction.RECVONLY,
        Direction.SENDRECV,
    )
    assert [version(held), version(resumed)] == [2, 3]


def test_hold_by_an_address_of_zeros():
    # RFC 3264 8.4: how RFC 2543 held. The stream's real address is remembered.
    session = new_session()
    offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    zeros = HEAD.replace("c=IN IP4 198.51.100.7", "c=IN IP4 0.0.0.0")
    answer, agreed = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0", head=zeros))
    assert direction(answer) is Direction.RECVONLY
    assert agreed.direction is Direction.RECVONLY
    assert agreed.address == "198.51.100.7"
    _, inactive = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=recvonly", head=zeros))
    assert inactive.direction is Direction.INACTIVE


def test_an_address_of_zeros_from_the_start_is_never_sent_to():
    zeros = HEAD.replace("c=IN IP4 198.51.100.7", "c=IN IP4 0.0.0.0")
    _, agreed = new_session().answer_offer(sdp("m=audio 5000 RTP/AVP 0", head=zeros))
    assert not agreed.direction.sends


def test_the_same_offer_gets_the_same_answer():
    # Session timers refresh by re-INVITEs that change nothing.
    session = new_session()
    offer = sdp(
        "m=audio 5000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"
    )
    first = session.answer_offer(offer)
    assert [session.answer_offer(offer) for _ in range(3)] == [first] * 3


def test_the_codec_in_use_stays_while_it_is_offered():
    session = new_session()
    agreed = offer_and_answer(session, "m=audio 5000 RTP/AVP 8")
    answer, still = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0 8 18"))
    assert media_lines(answer) == ["m=audio 4000 RTP/AVP 8"]
    assert still.format == agreed.format == PCMA


def test_a_codec_change():
    session = new_session()
    offer_and_answer(session, "m=audio 5000 RTP/AVP 8")
    answer, agreed = session.answer_offer(sdp("m=audio 5000 RTP/AVP 9"))
    assert media_lines(answer) == ["m=audio 4000 RTP/AVP 9"]
    assert agreed.format == G722


def test_a_new_address_and_port():
    session = new_session()
    offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    _, agreed = session.answer_offer(
        sdp("m=audio 6000 RTP/AVP 0", "c=IN IP4 203.0.113.9", "a=rtcp:6011")
    )
    assert (agreed.address, agreed.port) == ("203.0.113.9", 6000)
    assert agreed.rtcp == ("203.0.113.9", 6011)


def test_the_audio_stays_in_its_place_when_another_is_added_before_ours():
    session = new_session()
    session.answer_offer(sdp("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 0"))
    answer, agreed = session.answer_offer(sdp("m=audio 7000 RTP/AVP 0", "m=audio 5000 RTP/AVP 0"))
    assert media_lines(answer) == ["m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"]
    assert agreed.port == 5000


def test_our_new_formats_are_offered_from_the_next_offer_on():
    session = new_session()
    offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
    session.local = replace(LOCAL, formats=(PCMA, TELEPHONE_EVENT))
    assert media_lines(session.create_offer()) == ["m=audio 4000 RTP/AVP 8 101"]
