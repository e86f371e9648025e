"""Descriptions as RFCs print them and as phones and servers send them, and what we answer."""

from dataclasses import dataclass

import pytest

from twoleg.sip.agreed_audio import LocalAudio
from twoleg.sip.audio_formats import G722, PCMA, PCMU, TELEPHONE_EVENT, AudioFormat
from twoleg.sip.offer_answer import AudioSession
from twoleg.sip.sdp import Direction, SessionDescription

LOCAL = LocalAudio("192.0.2.1", 4000, (PCMU, PCMA, G722, TELEPHONE_EVENT))


@dataclass(frozen=True)
class Case:
    description: str
    format: AudioFormat
    address: str
    port: int
    answer: tuple[str, ...]
    dtmf: int | None = 101
    rtcp: tuple[str, int] | None = None  # None: the port above
    ptime: int = 20
    direction: Direction = Direction.SENDRECV


CASES = {
    "rfc 3264 10.1": Case(
        """\
v=0
o=alice 2890844526 2890844526 IN IP4 host.anywhere.com
s=
c=IN IP4 192.0.2.101
t=0 0
m=audio 49170 RTP/AVP 0
a=rtpmap:0 PCMU/8000
m=video 51372 RTP/AVP 31
a=rtpmap:31 H261/90000
m=video 53000 RTP/AVP 32
a=rtpmap:32 MPV/90000
""",
        PCMU,
        "192.0.2.101",
        49170,
        ("m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32"),
        dtmf=None,
    ),
    "rfc 4317 2.1": Case(
        """\
v=0
o=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com
s=
c=IN IP4 192.0.2.101
t=0 0
m=audio 49170 RTP/AVP 0 8 97
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 iLBC/8000
m=video 51372 RTP/AVP 31 32
a=rtpmap:31 H261/90000
a=rtpmap:32 MPV/90000
""",
        PCMU,
        "192.0.2.101",
        49170,
        ("m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 31 32"),
        dtmf=None,
    ),
    "rfc 4317 2.4, where telephone-event has a stream of its own": Case(
        """\
v=0
o=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com
s=
c=IN IP4 192.0.2.101
t=0 0
m=audio 49170 RTP/AVP 0 97
a=rtpmap:0 PCMU/8000
a=rtpmap:97 iLBC/8000
m=audio 49172 RTP/AVP 98
a=rtpmap:98 telephone-event/8000
a=sendonly
""",
        PCMU,
        "192.0.2.101",
        49170,
        ("m=audio 4000 RTP/AVP 0", "m=audio 0 RTP/AVP 98"),
        dtmf=None,
    ),
    "Polycom VVX, G.722 first, events on 127": Case(
        """\
v=0
o=- 1415715834 1415715834 IN IP4 10.1.1.15
s=Polycom IP Phone
c=IN IP4 10.1.1.15
t=0 0
a=sendrecv
m=audio 2222 RTP/AVP 9 102 0 8 18 127
a=rtpmap:9 G722/8000
a=rtpmap:102 G7221/16000
a=fmtp:102 bitrate=32000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:127 telephone-event/8000
""",
        G722,
        "10.1.1.15",
        2222,
        ("m=audio 4000 RTP/AVP 9 127",),
        dtmf=127,
    ),
    "Polycom on hold, with an address of zeros": Case(
        """\
v=0
o=- 1415715834 1415715835 IN IP4 10.1.1.15
s=Polycom IP Phone
c=IN IP4 0.0.0.0
t=0 0
a=sendonly
m=audio 2222 RTP/AVP 0 8 127
a=rtpmap:127 telephone-event/8000
""",
        PCMU,
        "0.0.0.0",
        2222,
        ("m=audio 4000 RTP/AVP 0 127",),
        dtmf=127,
        direction=Direction.RECVONLY,
    ),
    "Yealink T46": Case(
        """\
v=0
o=- 20012 20012 IN IP4 192.168.1.44
s=SDP data
c=IN IP4 192.168.1.44
t=0 0
m=audio 11786 RTP/AVP 9 0 8 18 101
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=fmtp:101 0-15
a=rtpmap:101 telephone-event/8000
a=ptime:20
a=sendrecv
""",
        G722,
        "192.168.1.44",
        11786,
        ("m=audio 4000 RTP/AVP 9 101",),
    ),
    "Linphone, AVPF with RTCP mux and extended reports": Case(
        """\
v=0
o=alice 3405 2138 IN IP4 192.168.0.12
s=Talk
c=IN IP4 192.168.0.12
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
m=audio 7078 RTP/AVPF 96 97 98 0 8 18 101 99 100
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 speex/8000
a=fmtp:98 vbr=on
a=fmtp:18 annexb=yes
a=rtpmap:101 telephone-event/48000
a=rtpmap:99 telephone-event/16000
a=rtpmap:100 telephone-event/8000
a=rtcp-mux
a=rtcp-fb:* trr-int 5000
""",
        PCMU,
        "192.168.0.12",
        7078,
        ("m=audio 4000 RTP/AVPF 0 100",),
        dtmf=100,
        rtcp=("192.168.0.12", 7078),
    ),
    "baresip 1.0": Case(
        """\
v=0
o=- 1444051707 603558502 IN IP4 198.51.100.20
s=-
c=IN IP4 198.51.100.20
t=0 0
a=tool:baresip 1.0.0
m=audio 21064 RTP/AVP 9 0 8 101
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:2971938478 cname:sip:alice@198.51.100.20
a=minptime:20
a=ptime:20
""",
        G722,
        "198.51.100.20",
        21064,
        ("m=audio 4000 RTP/AVP 9 101",),
    ),
    "Asterisk (chan_pjsip)": Case(
        """\
v=0
o=- 1563461337 1563461337 IN IP4 203.0.113.5
s=Asterisk
c=IN IP4 203.0.113.5
t=0 0
m=audio 17664 RTP/AVP 0 8 3 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:3 GSM/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendrecv
""",
        PCMU,
        "203.0.113.5",
        17664,
        ("m=audio 4000 RTP/AVP 0 101",),
    ),
    "FreeSWITCH, comfort noise and events on two clocks": Case(
        """\
v=0
o=FreeSWITCH 1700000000 1700000001 IN IP4 203.0.113.6
s=FreeSWITCH
c=IN IP4 203.0.113.6
t=0 0
m=audio 24862 RTP/AVP 102 9 0 8 103 101 13
a=rtpmap:102 opus/48000/2
a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:103 telephone-event/48000
a=fmtp:103 0-16
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=rtcp:24863 IN IP4 203.0.113.6
""",
        G722,
        "203.0.113.6",
        24862,
        ("m=audio 4000 RTP/AVP 9 101",),
    ),
    "Cisco gateway, static types without rtpmap, its address in the media": Case(
        """\
v=0
o=CiscoSystemsSIP-GW-UserAgent 4872 7923 IN IP4 198.51.100.9
s=SIP Call
c=IN IP4 198.51.100.9
t=0 0
m=audio 18642 RTP/AVP 18 8 100
c=IN IP4 198.51.100.10
a=fmtp:18 annexb=no
a=rtpmap:100 telephone-event/8000
a=fmtp:100 0-16
a=ptime:30
""",
        PCMA,
        "198.51.100.10",
        18642,
        ("m=audio 4000 RTP/AVP 8 100",),
        dtmf=100,
        ptime=30,
    ),
    "snom, secure stream first and a plain one for who cannot": Case(
        """\
v=0
o=root 1234 1234 IN IP4 10.0.0.33
s=call
c=IN IP4 10.0.0.33
t=0 0
m=audio 51000 RTP/SAVP 0 8 101
a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:WbTBosdVUZqEb6Htqhn+m3z7wUh4RJVR8nE15GbN
a=rtpmap:101 telephone-event/8000
m=audio 51002 RTP/AVP 0 8 101
a=rtpmap:0 pcmu/8000
a=rtpmap:8 pcma/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=encryption:optional
""",
        PCMU,
        "10.0.0.33",
        51002,
        ("m=audio 0 RTP/SAVP 0 8 101", "m=audio 4000 RTP/AVP 0 101"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_offer_is_answered(case, line_end):
    body = case.description.replace("\n", line_end).encode()
    answer, agreed = AudioSession(LOCAL, 42).answer_offer(body)
    lines = answer.decode().split("\r\n")
    assert tuple(line for line in lines if line.startswith("m=")) == case.answer
    assert agreed.format == case.format
    assert (agreed.address, agreed.port) == (case.address, case.port)
    assert agreed.dtmf_send_payload_type == case.dtmf
    assert agreed.rtcp == (case.rtcp or (case.address, case.port + 1))
    assert agreed.ptime == case.ptime
    assert agreed.direction is case.direction


def test_one_of_several_codecs_is_settled_by_a_second_offer():
    # RFC 3264 10.2: the answer keeps all three; a second offer picks one, and wakes the stream.
    session = AudioSession(LOCAL, 42)
    opening = """\
v=0
o=alice 2890844526 2890844526 IN IP4 host.anywhere.com
s=
c=IN IP4 192.0.2.101
t=0 0
m=audio 62986 RTP/AVP 0 4 18
a=rtpmap:0 PCMU/8000
a=rtpmap:4 G723/8000
a=rtpmap:18 G729/8000
a=inactive
"""
    answer, agreed = session.answer_offer(opening.encode())
    assert b"a=inactive\r\n" in answer
    assert agreed.direction is Direction.INACTIVE
    settled = opening.replace(" 0 4 18", " 0").replace("inactive", "sendrecv")
    answer, agreed = session.answer_offer(settled.encode())
    assert b"a=sendrecv\r\n" in answer
    assert agreed.direction is Direction.SENDRECV


def test_hold_as_rfc_6337_5_3_has_it():
    """Bob holds, Alice's phone holds as well, and each resumes for itself."""
    bob = AudioSession(LOCAL, 1)
    alice = AudioSession(LocalAudio("192.0.2.2", 5000, (PCMU, TELEPHONE_EVENT)), 2)
    alice.accept_answer(bob.answer_offer(alice.create_offer())[0])

    answer, at_alice = alice.answer_offer(bob.create_offer(Direction.SENDONLY))
    assert bob.accept_answer(answer).direction is Direction.SENDONLY
    assert at_alice.direction is Direction.RECVONLY

    answer, at_bob = bob.answer_offer(alice.create_offer(Direction.SENDONLY))
    assert alice.accept_answer(answer).direction is Direction.INACTIVE
    assert at_bob.direction is Direction.INACTIVE

    answer, at_alice = alice.answer_offer(bob.create_offer())
    assert bob.accept_answer(answer).direction is Direction.RECVONLY
    assert at_alice.direction is Direction.SENDONLY

    answer, at_bob = bob.answer_offer(alice.create_offer())
    assert alice.accept_answer(answer).direction is Direction.SENDRECV
    assert at_bob.direction is Direction.SENDRECV


def test_every_description_here_is_read_whole():
    for case in CASES.values():
        read = SessionDescription.parse(case.description)
        assert read.origin is not None
        count = sum(len(m.attributes) for m in read.media) + len(read.attributes)
        assert count == case.description.count("\na=")
