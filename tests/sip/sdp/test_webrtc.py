"""Offers to browsers and answers of theirs: RFC 8829, RFC 8839, RFC 8842 for one audio stream."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip import (
    G722,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    AudioSession,
    Direction,
    LocalAudio,
    SessionDescription,
    SessionRejected,
)

OURS = "sha-256 " + ":".join(["A5"] * 32)
THEIRS = ":".join([f"{octet:02X}" for octet in range(32)])
LOCAL = LocalAudio("192.0.2.1", 4000, (PCMU, PCMA, G722, TELEPHONE_EVENT), fingerprint=OURS)

# What Chromium 156 offers, and answers but for a=setup and the formats.
CHROMIUM = f"""\
v=0
o=- 9069956129202469713 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:103904321 1 udp 2122194687 5b0e83cb.local 35542 typ host generation 0 network-cost 50
a=candidate:724082842 1 udp 2122267903 2001:db8::1 51134 typ host generation 0 network-cost 50
a=ice-ufrag:6KtN
a=ice-pwd:K5da8yNVqc8RFe87auI2QrRd
a=ice-options:trickle
a=fingerprint:sha-256 {THEIRS}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:- b491fba5-4640-44e3-befc-e4b68fb1210f
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3026825344 cname:UTx/GO9yC/BaGcYT
"""

ANSWER = (
    CHROMIUM.replace("setup:actpass", "setup:active")
    .replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 0 101")
    .replace("126 telephone-event", "101 telephone-event")
)


def new_session(local=LOCAL):
    numbers = itertools.count(1)
    return AudioSession(local, 42, lambda octets: bytes([next(numbers)]) * octets)


def read(body):
    description = SessionDescription.parse(body)
    [audio] = [each for each in description.media if each.kind == "audio"]
    return description, audio


def agreed_with(answer):
    session = new_session()
    session.create_offer()
    return session, session.accept_answer(answer.encode())


class TestOffers:
    def test_an_offer_has_what_browsers_need(self):
        description, audio = read(new_session().create_offer())
        assert audio.protocol == "UDP/TLS/RTP/SAVPF"
        assert audio.formats == ("0", "8", "9", "101")
        assert description.attribute("ice-lite") == ""
        assert description.attribute("group") == "BUNDLE 0"
        assert audio.attribute("mid") == "0"
        assert audio.attribute("rtcp-mux") == ""
        assert audio.attribute("setup") == "actpass"
        assert audio.attribute("fingerprint") == OURS
        assert audio.attribute("candidate") == "1 1 udp 2130706431 192.0.2.1 4000 typ host"
        assert len(audio.attribute("ice-ufrag")) >= 4
        assert len(audio.attribute("ice-pwd")) >= 22
        assert audio.attribute("crypto") is None

    def test_the_answer_of_a_browser_is_taken_wherever_it_says_that_it_is(self):
        session, agreed = agreed_with(ANSWER)
        _, offered = read(session.create_offer())
        webrtc = agreed.webrtc
        assert webrtc.ours.fragment == offered.attribute("ice-ufrag")
        assert webrtc.theirs.fragment == "6KtN"
        assert webrtc.fingerprints == (("sha-256", bytes.fromhex(THEIRS.replace(":", ""))),)
        assert not webrtc.is_dtls_client
        assert agreed.rtcp_mux
        assert agreed.keys is None
        assert agreed.direction is Direction.SENDRECV
        assert (agreed.format.encoding, agreed.dtmf_send_payload_type) == ("PCMU", 101)

    @pytest.mark.parametrize("said", ["IN IP4 0.0.0.0", "IN IP6 ::", "IN IP6 2001:db8::1"])
    @pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::7"])
    def test_an_address_of_either_kind_may_be_said_to_ours_of_either(self, address, said):
        """ICE finds where the browser is, whatever c= says (RFC 8829 5.2.1)."""
        session = new_session(replace(LOCAL, address=address))
        _, offered = read(session.create_offer())
        assert offered.attribute("candidate") == f"1 1 udp 2130706431 {address} 4000 typ host"
        agreed = session.accept_answer(ANSWER.replace("IN IP4 0.0.0.0", said).encode())
        assert agreed.webrtc is not None
        assert agreed.direction is Direction.SENDRECV

    def test_who_answers_passively_leaves_the_handshake_to_us(self):
        _, agreed = agreed_with(ANSWER.replace("setup:active", "setup:passive"))
        assert agreed.webrtc.is_dtls_client

    def test_what_is_said_for_the_session_holds_for_the_audio(self):
        lines = ("ice-ufrag", "ice-pwd", "fingerprint", "setup")
        moved = [line for line in ANSWER.splitlines() if line[2:].startswith(lines)]
        rest = [line for line in ANSWER.splitlines() if line not in moved]
        _, agreed = agreed_with("\n".join([*rest[:4], *moved, *rest[4:]]))
        assert agreed.webrtc == agreed_with(ANSWER)[1].webrtc

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ((f"a=fingerprint:sha-256 {THEIRS}\n", ""), "a=fingerprint"),
            (("sha-256", "sha-1"), "a=fingerprint"),
            (("sha-256", "sha-512"), "a=fingerprint"),
            ((":1E:1F", ":1E:1G"), "a=fingerprint"),
            (("a=rtcp-mux\n", ""), "rtcp-mux"),
            (("a=setup:active\n", ""), "a=setup"),
            (("setup:active", "setup:holdconn"), "a=setup"),
            (("setup:active", "setup:actpass"), "chooses no side"),
            (("a=ice-ufrag:6KtN\n", ""), "a=ice-ufrag"),
            (("a=ice-pwd:K5da8yNVqc8RFe87auI2QrRd", "a=ice-pwd:short"), "a=ice-pwd"),
            (("s=-\n", "s=-\na=ice-lite\n"), "ICE-lite"),
            (("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "not WebRTC's"),
            (("UDP/TLS/RTP/SAVPF", "RTP/SAVP"), "not WebRTC's"),
            (("m=audio 9", "m=audio 0"), "refused the audio"),
        ],
    )
    def test_an_answer_that_is_no_browsers_is_refused_with_the_reason(self, change, why):
        with pytest.raises(SessionRejected, match=why):
            agreed_with(ANSWER.replace(*change))

    def test_a_later_offer_of_ours_keeps_the_association(self):
        session, agreed = agreed_with(ANSWER)
        _, offered = read(session.create_offer())
        assert offered.attribute("ice-pwd") == agreed.webrtc.ours.password
        assert offered.attribute("setup") == "actpass"
        assert session.accept_answer(ANSWER.encode()).webrtc == agreed.webrtc

    def test_a_browser_that_holds_us_is_told_from_one_without_an_address(self):
        _, agreed = agreed_with(ANSWER.replace("a=sendrecv", "a=sendonly"))
        assert agreed.direction is Direction.RECVONLY


class TestAnswers:
    def test_an_offer_is_answered_by_who_waits_for_the_handshake(self):
        answer, agreed = new_session().answer_offer(CHROMIUM.encode())
        description, audio = read(answer)
        assert audio.protocol == "UDP/TLS/RTP/SAVPF"
        assert audio.attribute("setup") == "passive"
        assert audio.formats == ("9", "126")
        assert description.attribute("group") == "BUNDLE 0"
        assert description.attribute("ice-lite") == ""
        assert audio.attribute("rtcp-mux") == ""
        assert not agreed.webrtc.is_dtls_client

    @pytest.mark.parametrize(
        ("offered", "answered"), [("active", "passive"), ("passive", "active")]
    )
    def test_the_other_part_is_taken_of_who_has_chosen(self, offered, answered):
        offer = CHROMIUM.replace("setup:actpass", f"setup:{offered}")
        answer, agreed = new_session().answer_offer(offer.encode())
        assert read(answer)[1].attribute("setup") == answered
        assert agreed.webrtc.is_dtls_client == (answered == "active")

    @pytest.mark.parametrize("chosen", ["active", "passive"])
    def test_hold_keeps_the_association_and_the_part_in_it(self, chosen):
        session, before = agreed_with(ANSWER.replace("setup:active", f"setup:{chosen}"))
        hold = CHROMIUM.replace("a=sendrecv", "a=sendonly")
        answer, agreed = session.answer_offer(hold.encode())
        _, audio = read(answer)
        assert agreed.direction is Direction.RECVONLY
        assert agreed.format.encoding == "PCMU"
        assert agreed.webrtc == before.webrtc
        assert audio.attribute("setup") == {"active": "passive", "passive": "active"}[chosen]
        assert audio.attribute("ice-pwd") == before.webrtc.ours.password

    def test_an_ice_restart_renews_our_side_too_and_keeps_the_part(self):
        session, before = agreed_with(ANSWER)
        restart = CHROMIUM.replace("6KtN", "9Zzz").replace("K5da8yNV", "00000000")
        answer, agreed = session.answer_offer(restart.encode())
        _, audio = read(answer)
        assert audio.attribute("ice-ufrag") == agreed.webrtc.ours.fragment
        assert agreed.webrtc.ours != before.webrtc.ours
        assert agreed.webrtc.theirs.fragment == "9Zzz"
        assert agreed.webrtc.fingerprints == before.webrtc.fingerprints
        assert not agreed.webrtc.is_dtls_client

    def test_names_of_sections_are_repeated_and_the_group_has_ours_alone(self):
        video = (
            "m=video 9 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 0.0.0.0\na=mid:v1\na=rtpmap:96 VP8/90000\n"
        )
        offer = CHROMIUM.replace("BUNDLE 0", "BUNDLE a0 v1").replace("a=mid:0", "a=mid:a0") + video
        answer, _ = new_session().answer_offer(offer.encode())
        description = SessionDescription.parse(answer)
        audio, refused = description.media
        assert description.attribute("group") == "BUNDLE a0"
        assert (audio.attribute("mid"), refused.attribute("mid")) == ("a0", "v1")
        assert refused.port == 0

    def test_who_has_no_groups_gets_none(self):
        offer = CHROMIUM.replace("a=group:BUNDLE 0\n", "").replace("a=mid:0\n", "")
        description, audio = read(new_session().answer_offer(offer.encode())[0])
        assert description.attribute("group") is None
        assert audio.attribute("mid") is None

    def test_an_offer_that_is_no_browsers_is_refused_and_changes_nothing(self):
        session, before = agreed_with(ANSWER)
        for offer in (CHROMIUM.replace("sha-256", "md5"), CHROMIUM.replace("/TLS/RTP/SAVPF", "")):
            with pytest.raises(SessionRejected):
                session.answer_offer(offer.encode())
        assert session.agreed is before
        assert read(session.create_offer())[1].attribute("ice-pwd") == before.webrtc.ours.password


def test_no_password_is_shown():
    assert "K5da8yNV" not in repr(agreed_with(ANSWER)[1])


def test_passwords_are_not_remembered_as_other_lines_are():
    text = (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
        "a=ice-pwd:K5da8yNVqc8RFe87auI2QrRd\r\na=ptime:20\r\n"
    )
    once, again = (SessionDescription.parse(text).media[0].attributes for _ in range(2))
    assert once == again
    assert [one is other for one, other in zip(once, again, strict=True)] == [False, True]


def test_a_plain_session_takes_no_browser():
    plain = AudioSession(LocalAudio("192.0.2.1", 4000, (PCMU,)), 1)
    with pytest.raises(SessionRejected, match="not plain RTP"):
        plain.answer_offer(CHROMIUM.encode())


@given(
    st.sampled_from(["ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid", "group", "msid"]),
    st.text(max_size=80),
)
def test_whatever_an_attribute_says_an_offer_is_answered_or_refused(name, value):
    lines = [line for line in CHROMIUM.splitlines() if not line.startswith(f"a={name}:")]
    lines.insert(len(lines) if name != "group" else 4, f"a={name}:{value}")
    try:
        answer, _ = new_session().answer_offer("\n".join(lines).encode("utf-8", "surrogatepass"))
    except SessionRejected:
        return
    assert SessionDescription.parse(answer).media
    assert all(line.isprintable() for line in answer.decode("utf-8", "replace").split("\r\n"))
