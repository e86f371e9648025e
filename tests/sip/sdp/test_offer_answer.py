"""The rules of RFC 3264 for one audio stream."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip.agreed_audio import AgreedAudio, LocalAudio
from twoleg.sip.audio_formats import G722, PCMA, PCMU, TELEPHONE_EVENT, AudioFormat
from twoleg.sip.errors import LocalProtocolError, SessionRejected
from twoleg.sip.offer_answer import AudioSession
from twoleg.sip.sdp import Direction, SessionDescription

LOCAL = LocalAudio("192.0.2.1", 4000, (PCMU, PCMA, G722, TELEPHONE_EVENT))

HEAD = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
TAIL_101 = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"


def sdp(*media: str, head: str = HEAD) -> bytes:
    return (head + "".join(f"{line}\r\n" for line in media)).encode()


def new_session(local: LocalAudio = LOCAL) -> AudioSession:
    return AudioSession(local, 42)


def version(body: bytes) -> int:
    origin = SessionDescription.parse(body).origin
    assert origin is not None
    return int(origin.version)


def media_lines(body: bytes) -> list[str]:
    return [line for line in body.decode().split("\r\n") if line.startswith("m=")]


def direction(body: bytes) -> Direction:
    read = SessionDescription.parse(body)
    (audio,) = (m for m in read.media if m.kind == "audio" and m.port)
    return read.direction_of(audio)


def offer_and_answer(session: AudioSession, *answer: str) -> AgreedAudio:
    session.create_offer()
    return session.accept_answer(sdp(*answer))


class TestOffers:
    def test_an_offer_lists_our_formats_in_order_of_preference(self):
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

    def test_an_ipv6_address_is_named_as_one(self):
        body = new_session(replace(LOCAL, address="2001:db8::1")).create_offer().decode()
        assert "c=IN IP6 2001:db8::1\r\n" in body
        assert "o=- 42 1 IN IP6 2001:db8::1\r\n" in body

    def test_the_version_rises_by_one_only_when_something_changes(self):
        session = new_session()
        bodies = [session.create_offer()]
        session.accept_answer(sdp("m=audio 5000 RTP/AVP 0"))
        for wanted in (Direction.SENDRECV, Direction.SENDONLY, Direction.SENDONLY):
            bodies.append(session.create_offer(wanted))
            session.accept_answer(sdp("m=audio 5000 RTP/AVP 0"))
        assert [version(body) for body in bodies] == [1, 1, 2, 2]
        assert bodies[0] == bodies[1]

    def test_one_offer_at_a_time(self):
        session = new_session()
        session.create_offer()
        assert session.offer_pending
        with pytest.raises(LocalProtocolError):
            session.create_offer()
        with pytest.raises(SessionRejected):
            session.answer_offer(sdp("m=audio 5000 RTP/AVP 0"))

    def test_an_abandoned_offer_leaves_the_session_as_it_was(self):
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

    def test_abandoning_nothing_does_nothing(self):
        session = new_session()
        session.abandon_offer()
        agreed = offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
        session.abandon_offer()
        assert session.agreed is agreed

    def test_a_later_offer_keeps_the_places_of_all_media_lines(self):
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

    def test_a_payload_type_stays_with_its_encoding(self):
        # RFC 3264 8.3.2: the far end's 96 for events stays 96 in our own offers.
        session = new_session()
        session.answer_offer(
            sdp("m=audio 5000 RTP/AVP 0 96 101", "a=rtpmap:96 telephone-event/8000")
        )
        offer = session.create_offer().decode()
        assert "m=audio 4000 RTP/AVP 0 8 9 96\r\n" in offer
        assert "a=fmtp:96 0-15\r\n" in offer

    def test_a_payload_type_is_never_given_to_two_encodings(self):
        opus = AudioFormat(101, "opus", 48000, 2)
        session = new_session(replace(LOCAL, formats=(opus, PCMU)))
        session.answer_offer(sdp("m=audio 5000 RTP/AVP 101", "a=rtpmap:101 opus/48000/2"))
        session.local = LOCAL
        offer = session.create_offer().decode()
        assert "a=rtpmap:96 telephone-event/8000\r\n" in offer
        assert "rtpmap:101" not in offer


class TestAnswersToUs:
    def test_the_first_codec_of_the_answer_that_we_offered_is_sent(self):
        agreed = offer_and_answer(
            new_session(), "m=audio 5000 RTP/AVP 18 8 0 101", "a=rtpmap:101 telephone-event/8000"
        )
        assert (agreed.format, agreed.send_payload_type) == (PCMA, 8)
        assert agreed.receive_payload_types == {8: PCMA, 0: PCMU, 101: TELEPHONE_EVENT}
        assert (agreed.address, agreed.port) == ("198.51.100.7", 5000)
        assert agreed.direction is Direction.SENDRECV
        assert agreed.dtmf_send_payload_type == 101

    def test_events_go_out_under_the_number_of_the_answer_and_come_in_under_ours(self):
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

    def test_an_answer_without_the_rtpmap_of_our_own_number_means_our_format(self):
        agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0 101")
        assert agreed.dtmf_send_payload_type == 101

    def test_without_telephone_event_there_is_no_dtmf_by_rtp(self):
        agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0")
        assert agreed.dtmf_send_payload_type is None
        assert agreed.receive_payload_types == {0: PCMU}

    def test_events_on_another_clock_than_the_codec_are_not_for_it(self):
        events_48 = replace(TELEPHONE_EVENT, payload_type=102, clock_rate=48000)
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
    def test_the_direction_of_the_answer_narrows_ours(self, answered, ours):
        agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0", f"a={answered}")
        assert agreed.direction is ours

    def test_an_answer_cannot_widen_what_we_offered(self):
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
    def test_an_answer_that_gives_us_no_audio_is_rejected(self, answer):
        session = new_session()
        session.create_offer()
        with pytest.raises(SessionRejected):
            session.accept_answer(sdp(*answer))
        assert session.agreed is None
        assert not session.offer_pending

    def test_garbage_is_rejected(self):
        session = new_session()
        session.create_offer()
        with pytest.raises(SessionRejected) as caught:
            session.accept_answer(b"\xff\xfe")
        assert "line 1" in caught.value.reason

    def test_the_answer_of_the_200_takes_the_place_of_the_early_one(self):
        # A 183 from the network's announcement server, then a 200 from the phone itself.
        session = new_session()
        early = offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
        final = session.accept_answer(sdp("m=audio 7000 RTP/AVP 8"))
        assert (early.port, final.port, final.format) == (5000, 7000, PCMA)
        assert session.accept_answer(sdp("m=audio 7000 RTP/AVP 8")) == final

    def test_an_answer_repeated_after_a_later_offer_was_answered_changes_nothing(self):
        # RFC 3261 13.2.1: after 183 and an UPDATE the 200 still carries the first answer.
        session = new_session()
        offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
        _, updated = session.answer_offer(sdp("m=audio 6000 RTP/AVP 8"))
        assert session.accept_answer(sdp("m=audio 5000 RTP/AVP 0")) is updated

    def test_an_answer_without_an_offer_is_our_own_mistake(self):
        with pytest.raises(LocalProtocolError):
            new_session().accept_answer(sdp("m=audio 5000 RTP/AVP 0"))

    def test_an_answer_that_leaves_out_the_refused_media_is_taken(self):
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
    def test_an_answer_in_the_words_of_another_comes_to_what_it_says_itself(self, lines, port):
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

    def test_words_that_were_refused_once_are_refused_again(self):
        for port in (7000, 7002):
            session = new_session()
            session.create_offer()
            with pytest.raises(SessionRejected, match="no codec"):
                session.accept_answer(sdp(f"m=audio {port} RTP/AVP 18"))
            assert not session.offer_pending


class TestOurAnswers:
    def test_an_answer_has_one_codec_and_the_offers_numbers(self):
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
            96: replace(TELEPHONE_EVENT, payload_type=96),
        }

    def test_media_that_we_do_not_want_are_refused_in_their_places(self):
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
    def test_the_direction_is_mirrored(self, offered, ours):
        answer, agreed = new_session().answer_offer(sdp("m=audio 5000 RTP/AVP 0", f"a={offered}"))
        assert direction(answer) is ours
        assert agreed.direction is ours

    def test_while_we_hold_our_answers_hold_too(self):
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
    def test_an_offer_that_does_not_fit_is_rejected_and_changes_nothing(self, offer, reason):
        session = new_session()
        agreed = offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
        with pytest.raises(SessionRejected) as caught:
            session.answer_offer(sdp(*offer))
        assert reason in caught.value.reason
        assert session.agreed is agreed
        assert version(session.create_offer()) == 1

    def test_an_offer_without_any_address_is_rejected(self):
        with pytest.raises(SessionRejected):
            new_session().answer_offer(b"v=0\r\nm=audio 5000 RTP/AVP 0\r\n")


class TestLaterOffers:
    def test_hold_and_resume(self):
        session = new_session()
        offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
        held, on_hold = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=sendonly"))
        resumed, talking = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=sendrecv"))
        assert (on_hold.direction, talking.direction) == (
            Direction.RECVONLY,
            Direction.SENDRECV,
        )
        assert [version(held), version(resumed)] == [2, 3]

    def test_hold_by_an_address_of_zeros(self):
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

    def test_an_address_of_zeros_from_the_start_is_never_sent_to(self):
        zeros = HEAD.replace("c=IN IP4 198.51.100.7", "c=IN IP4 0.0.0.0")
        _, agreed = new_session().answer_offer(sdp("m=audio 5000 RTP/AVP 0", head=zeros))
        assert not agreed.direction.sends

    def test_the_same_offer_gets_the_same_answer(self):
        # Session timers refresh by re-INVITEs that change nothing.
        session = new_session()
        offer = sdp("m=audio 5000 RTP/AVP 8 0 101", TAIL_101.rstrip())
        first = session.answer_offer(offer)
        assert [session.answer_offer(offer) for _ in range(3)] == [first] * 3

    def test_the_codec_in_use_stays_while_it_is_offered(self):
        session = new_session()
        agreed = offer_and_answer(session, "m=audio 5000 RTP/AVP 8")
        answer, still = session.answer_offer(sdp("m=audio 5000 RTP/AVP 0 8 18"))
        assert media_lines(answer) == ["m=audio 4000 RTP/AVP 8"]
        assert still.format == agreed.format == PCMA

    def test_a_codec_change(self):
        session = new_session()
        offer_and_answer(session, "m=audio 5000 RTP/AVP 8")
        answer, agreed = session.answer_offer(sdp("m=audio 5000 RTP/AVP 9"))
        assert media_lines(answer) == ["m=audio 4000 RTP/AVP 9"]
        assert agreed.format == G722

    def test_a_new_address_and_port(self):
        session = new_session()
        offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
        _, agreed = session.answer_offer(
            sdp("m=audio 6000 RTP/AVP 0", "c=IN IP4 203.0.113.9", "a=rtcp:6011")
        )
        assert (agreed.address, agreed.port) == ("203.0.113.9", 6000)
        assert agreed.rtcp == ("203.0.113.9", 6011)

    def test_the_audio_stays_in_its_place_when_another_is_added_before_ours(self):
        session = new_session()
        session.answer_offer(sdp("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 0"))
        answer, agreed = session.answer_offer(
            sdp("m=audio 7000 RTP/AVP 0", "m=audio 5000 RTP/AVP 0")
        )
        assert media_lines(answer) == ["m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"]
        assert agreed.port == 5000

    def test_our_new_formats_are_offered_from_the_next_offer_on(self):
        session = new_session()
        offer_and_answer(session, "m=audio 5000 RTP/AVP 0")
        session.local = replace(LOCAL, formats=(PCMA, TELEPHONE_EVENT))
        assert media_lines(session.create_offer()) == ["m=audio 4000 RTP/AVP 8 101"]


class TestWhereAndHow:
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
    def test_rtcp_goes_where_the_description_says(self, lines, rtcp):
        agreed = offer_and_answer(new_session(), "m=audio 5000 RTP/AVP 0", *lines)
        assert agreed.rtcp == rtcp

    def test_rtcp_mux_is_accepted_where_it_is_offered(self):
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
    def test_a_usual_packet_time_is_granted(self, lines, ptime):
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
    def test_rtpmaps_of_all_sorts_are_understood(self, rtpmap, format_):
        number = int(rtpmap.split()[0])
        _, agreed = new_session().answer_offer(
            sdp(f"m=audio 5000 RTP/AVP {number}", f"a=rtpmap:{rtpmap}")
        )
        assert agreed.format == replace(format_, payload_type=number)
        assert agreed.send_payload_type == number

    def test_a_static_number_that_was_given_another_meaning_has_that_one(self):
        with pytest.raises(SessionRejected):
            new_session().answer_offer(sdp("m=audio 5000 RTP/AVP 0", "a=rtpmap:0 iLBC/8000"))


numbers = st.sampled_from([0, 8, 9, 13, 18, 96, 101, 127])
mappings = st.builds(
    "a=rtpmap:{} {}/{}".format,
    numbers,
    st.sampled_from(["PCMU", "pcma", "G722", "telephone-event", "opus", ""]),
    st.sampled_from([8000, 16000, 48000, "x"]),
)
media = st.builds(
    "m={} {} {} {}".format,
    st.sampled_from(["audio", "audio", "video"]),
    st.sampled_from([0, 5000, 65535]),
    st.sampled_from(["RTP/AVP", "RTP/AVP", "rtp/avpf", "RTP/SAVP"]),
    st.lists(numbers, max_size=5).map(lambda found: " ".join(map(str, found))),
)
others = st.sampled_from(
    [
        *("a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0", "c=IN IP4 203.0.113.9", "a=rtcp-mux"),
        *("a=rtcp:1 IN IP4 ::1", "a=ptime:30", "b=RS:0", "b=RR:0"),
    ]
)
descriptions = st.lists(st.one_of(media, mappings, others), max_size=10).map(lambda x: sdp(*x))


@given(st.lists(st.tuples(st.sampled_from(["offer", "peer", "answer", "drop"]), descriptions)))
def test_through_any_exchange_our_descriptions_stay_lawful(steps):
    session = new_session()
    lines: list[str] = []
    last_version = 0
    for step, body in steps:
        sent = None
        try:
            if step == "offer":
                sent = session.create_offer()
            elif step == "peer":
                sent, _ = session.answer_offer(body)
                asked = SessionDescription.parse(body)
                answered = SessionDescription.parse(sent)
                assert [m.kind for m in answered.media] == [m.kind for m in asked.media]
                for theirs, ours in zip(asked.media, answered.media, strict=True):
                    assert set(ours.formats) <= {*theirs.formats, "0"}
                lines = []
            elif step == "answer":
                session.accept_answer(body)
            else:
                session.abandon_offer()
        except (SessionRejected, LocalProtocolError):
            continue
        if sent is not None:
            kinds = [line.split()[0] for line in media_lines(sent)]
            assert len(kinds) >= len(lines)
            lines = kinds
            assert last_version <= version(sent) <= last_version + 1
            last_version = version(sent)
            assert sum(m.port != 0 for m in SessionDescription.parse(sent).media) == 1


@given(st.binary(max_size=200))
def test_any_offer_is_answered_or_rejected(body):
    for candidate in (body, HEAD.encode() + body):
        session = new_session()
        try:
            session.answer_offer(candidate)
        except SessionRejected:
            assert session.agreed is None
