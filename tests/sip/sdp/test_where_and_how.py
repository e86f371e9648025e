"""Where RTCP goes, how long a packet is, and which format a number means."""

import pytest
from sip.sdp.sessions import new_session, offer_and_answer, sdp

from twoleg.sip.audio_formats import G722, PCMA, PCMU
from twoleg.sip.errors import SessionRejected


@pytest.mark.parametrize(
    ("lines", "rtcp"),
    [
        ((), ("198.51.100.7", 5001)),
        (("a=rtcp:5011",), ("198.51.100.7", 5011)),
        (("a=rtcp:5011 IN IP4 203.0.113.9",), ("203.0.113.9", 5011)),
        (("a=rtcp:5011 IN IP4 0.0.0.0",), ("198.51.100.7", 5011)),
        (("a=rtcp:5011 IN IP4 example.com",), ("198.51.100.7", 5011)),
        (("a=rtcp:nonsense",), ("198.51.100.7", 5001)),
        (("b=RS:0", "b=RR:0"), None),
        (("b=AS:64",), ("198.51.100.7", 5001)),
    ],
)
def test_rtcp_goes_where_the_description_says(lines, rtcp):
    agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0", *lines)
    assert agreed.rtcp == rtcp


def test_rtcp_mux_is_accepted_where_it_is_offered():
    # RFC 5761 5.1.1: only in the answer to an offer that has it.
    answer, agreed = new_session().answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=rtcp-mux"))
    assert b"a=rtcp-mux\r\n" in answer
    assert agreed.rtcp_mux
    assert agreed.rtcp == ("198.51.100.7", 5000)
    unasked = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0", "a=rtcp-mux")
    assert not unasked.rtcp_mux


@pytest.mark.parametrize(
    ("lines", "ptime"),
    [
        ((), 20),
        (("a=ptime:20",), 20),
        (("a=ptime:30",), 30),
        (("a=ptime:60",), 60),
        (("a=ptime:0",), 20),
        (("a=ptime:25",), 20),
        (("a=ptime:200",), 20),
        (("a=ptime:abc",), 20),
        (("a=maxptime:10",), 10),
        (("a=maxptime:150",), 20),
    ],
)
def test_a_usual_packet_time_is_granted(lines, ptime):
    assert offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0", *lines).ptime == ptime


@pytest.mark.parametrize(
    ("rtpmap", "format_"),
    [
        ("0 pcmu/8000/1", PCMU),
        ("0 PCMU", PCMU),
        ("0", PCMU),
        ("0 PCMU/eight", PCMU),
        ("9 G722/16000", G722),
        ("97 PCMA/8000", PCMA),
    ],
)
def test_rtpmaps_of_all_sorts_are_understood(rtpmap, format_):
    number = int(rtpmap.split()[0])
    _, agreed = new_session().answer_offer(
        sdp(f"m=audio 5000 RTP/AVP {number}", f"a=rtpmap:{rtpmap}")
    )
    assert agreed.format == format_._replace(payload_type=number)
    assert agreed.send_payload_type == number


def test_a_static_number_that_was_given_another_meaning_has_that_one():
    with pytest.raises(SessionRejected):
        new_session().answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=rtpmap:0 iLBC/8000"))
