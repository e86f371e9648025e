"""Keys in session descriptions: the rules of RFC 4568 for one audio stream."""

from __future__ import annotations

import itertools
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip import (
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    AudioSession,
    CryptoSuite,
    Direction,
    LocalAudio,
    SessionDescription,
    SessionRejected,
    StreamKeys,
)
from twoleg.sip.sdes import Crypto, parse_crypto

SUITE_80 = CryptoSuite.AES_CM_128_HMAC_SHA1_80
SUITE_32 = CryptoSuite.AES_CM_128_HMAC_SHA1_32
# RFC 4568 4.
EXAMPLE = "inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"
KEY = b64decode(EXAMPLE.removeprefix("inline:"))
THEIRS = b64encode(b"t" * 30).decode()
OTHERS = b64encode(b"o" * 30).decode()

SRTP = LocalAudio("192.0.2.1", 4000, (PCMU, PCMA, TELEPHONE_EVENT), suites=(SUITE_80, SUITE_32))
PLAIN = LocalAudio("192.0.2.1", 4000, (PCMU, PCMA, TELEPHONE_EVENT))
HEAD = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"


def new_session(local: LocalAudio = SRTP) -> AudioSession:
    """A session whose keys are 30 times A, then B, ..."""
    letters = itertools.count(ord("A"))
    return AudioSession(local, 42, lambda octets: bytes([next(letters)]) * octets)


def key_of(letter: str) -> bytes:
    return letter.encode() * 30


def inline(letter: str) -> str:
    return f"inline:{b64encode(key_of(letter)).decode()}"


def sdp(*crypto: str, protocol: str = "RTP/SAVP", port: int = 5000) -> bytes:
    return (HEAD + section(*crypto, protocol=protocol, port=port)).encode()


def section(*crypto: str, protocol: str = "RTP/SAVP", port: int = 5000) -> str:
    lines = "".join(f"a=crypto:{line}\r\n" for line in crypto)
    return f"m=audio {port} {protocol} 0 8\r\n{lines}"


def crypto_of(body: bytes) -> list[str]:
    (audio,) = (m for m in SessionDescription.parse(body).media if m.port)
    return [value or "" for name, value in audio.attributes if name == "crypto"]


def protocol_of(body: bytes) -> str:
    (audio,) = (m for m in SessionDescription.parse(body).media if m.port)
    return audio.protocol


class TestLines:
    @pytest.mark.parametrize(
        ("line", "read"),
        [
            (f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}", Crypto(1, SUITE_80, KEY)),
            (f"7 AES_CM_128_HMAC_SHA1_32 {EXAMPLE}", Crypto(7, SUITE_32, KEY)),
            (f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|2^20", Crypto(1, SUITE_80, KEY)),
            (f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|1048576", Crypto(1, SUITE_80, KEY)),
            (f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|2^48", Crypto(1, SUITE_80, KEY)),
            (f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} WSH=128", Crypto(1, SUITE_80, KEY)),
            (f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} -x=1 -y", Crypto(1, SUITE_80, KEY)),
            (f"1  aes_cm_128_hmac_sha1_80\t{EXAMPLE} ", Crypto(1, SUITE_80, KEY)),
        ],
    )
    def test_these_are_taken(self, line, read):
        assert parse_crypto(line) == read

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            f"AES_CM_128_HMAC_SHA1_80 {EXAMPLE}",
            f"1234567890 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}",
            f"-1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}A",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE[:-1]}",
            "1 AES_CM_128_HMAC_SHA1_80 inline:" + 40 * "*",
            f"1 AES_CM_128_HMAC_SHA1_80 uri:{EXAMPLE}",
            # Suites that we do not have (RFC 4568 6.2.3, RFC 6188, RFC 7714).
            f"1 F8_128_HMAC_SHA1_80 {EXAMPLE}",
            "1 AES_256_CM_HMAC_SHA1_80 inline:" + b64encode(bytes(46)).decode(),
            "1 AEAD_AES_128_GCM inline:" + b64encode(bytes(28)).decode(),
            # An MKI, and several keys told apart by it (6.1).
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|2^20|1:4",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|1:4",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|2^20|1:4;{EXAMPLE}|2^20|2:4",
            # Lifetimes that are none (6.1, RFC 3711 9.2).
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|0",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|2^49",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE}|",
            # What would protect less, or otherwise (6.3), and what nobody knows (9.1).
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} UNENCRYPTED_SRTP",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} UNENCRYPTED_SRTCP",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} UNAUTHENTICATED_SRTP",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} KDR=1",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} FEC_ORDER=FEC_SRTP",
            f"1 AES_CM_128_HMAC_SHA1_80 {EXAMPLE} WSH=64 SOMETHING=new",
        ],
    )
    def test_these_are_left_alone(self, line):
        assert parse_crypto(line) is None

    @given(
        st.integers(0, 999_999_999),
        st.sampled_from(CryptoSuite),
        st.binary(min_size=30, max_size=30),
    )
    def test_what_is_written_is_read_again(self, tag, suite, key):
        crypto = Crypto(tag, suite, key)
        name, value = crypto.attribute
        assert name == "crypto"
        assert parse_crypto(value) == crypto

    @given(
        st.text(max_size=200)
        | st.builds(
            " ".join,
            st.lists(
                st.sampled_from(
                    ["1", "AES_CM_128_HMAC_SHA1_80", EXAMPLE, "|2^20", "|1:4", "WSH=64", "-x", ";"]
                )
                | st.text(max_size=8),
                max_size=6,
            ),
        )
    )
    def test_whatever_comes_is_read_or_left_alone(self, value):
        crypto = parse_crypto(value)
        assert crypto is None or len(crypto.key) == 30

    def test_no_key_is_shown(self):
        for holder in (Crypto(1, SUITE_80, KEY), StreamKeys(SUITE_80, KEY, KEY)):
            assert repr(KEY)[2:12] not in repr(holder)

    def test_keys_are_not_remembered_as_other_lines_are(self):
        line = f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"
        text = sdp(line) + b"a=ptime:20\r\n"
        once, again = (SessionDescription.parse(text).media[0].attributes for _ in range(2))
        assert once == again == (("crypto", line), ("ptime", "20"))
        assert [one is other for one, other in zip(once, again, strict=True)] == [False, True]


class TestOffers:
    def test_an_offer_has_a_line_for_each_suite_with_a_key_of_its_own(self):
        offer = new_session().create_offer()
        assert protocol_of(offer) == "RTP/SAVP"
        assert crypto_of(offer) == [
            f"1 AES_CM_128_HMAC_SHA1_80 {inline('A')}",
            f"2 AES_CM_128_HMAC_SHA1_32 {inline('B')}",
        ]

    @pytest.mark.parametrize(
        ("answer", "keys"),
        [
            (f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}", (SUITE_80, "A")),
            (f"2 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}|2^31", (SUITE_32, "B")),
        ],
    )
    def test_the_answer_says_by_its_tag_which_line_it_takes(self, answer, keys):
        session = new_session()
        session.create_offer()
        suite, letter = keys
        assert session.accept_answer(sdp(answer)).keys == StreamKeys(
            suite, key_of(letter), b"t" * 30
        )

    @pytest.mark.parametrize(
        "answer",
        [
            (),
            (f"3 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}",),
            (f"2 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}",),
            (f"1 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}",),
            (f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS} UNENCRYPTED_SRTP",),
            (f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}|2^31|1:1",),
            (
                f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}",
                f"2 AES_CM_128_HMAC_SHA1_32 inline:{OTHERS}",
            ),
            # Our own key, sent back.
            (f"1 AES_CM_128_HMAC_SHA1_80 {inline('A')}",),
            (f"1 AES_CM_128_HMAC_SHA1_80 {inline('B')}",),
        ],
    )
    def test_an_answer_that_takes_up_no_line_of_ours_is_refused(self, answer):
        session = new_session()
        session.create_offer()
        with pytest.raises(SessionRejected, match="crypto"):
            session.accept_answer(sdp(*answer))
        assert session.agreed is None

    def test_an_answer_in_the_clear_is_refused(self):
        session = new_session()
        session.create_offer()
        line = f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"
        with pytest.raises(SessionRejected, match="not encrypted"):
            session.accept_answer(sdp(line, protocol="RTP/AVP"))

    def test_an_early_answer_and_the_last_may_have_different_keys(self):
        session = new_session()
        session.create_offer()
        session.accept_answer(sdp(f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"))
        later = session.accept_answer(sdp(f"2 AES_CM_128_HMAC_SHA1_32 inline:{OTHERS}"))
        assert later.keys == StreamKeys(SUITE_32, key_of("B"), b"o" * 30)

    def test_a_later_offer_goes_on_with_the_key_in_use(self):
        session = new_session()
        session.create_offer()
        session.accept_answer(sdp(f"2 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}"))
        again = session.create_offer(Direction.SENDONLY)
        assert crypto_of(again) == [f"1 AES_CM_128_HMAC_SHA1_32 {inline('B')}"]
        agreed = session.accept_answer(sdp(f"1 AES_CM_128_HMAC_SHA1_32 inline:{OTHERS}"))
        assert agreed.keys == StreamKeys(SUITE_32, key_of("B"), b"o" * 30)


class TestAnswers:
    def test_the_first_line_that_we_can_is_taken_with_a_key_of_ours(self):
        body, agreed = new_session().answer_offer(
            sdp(
                f"4 F8_128_HMAC_SHA1_80 inline:{OTHERS}",
                f"5 AES_CM_128_HMAC_SHA1_80 inline:{OTHERS} UNENCRYPTED_SRTCP",
                f"6 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}|2^20",
                f"7 AES_CM_128_HMAC_SHA1_80 inline:{OTHERS}",
            )
        )
        assert protocol_of(body) == "RTP/SAVP"
        assert crypto_of(body) == [f"6 AES_CM_128_HMAC_SHA1_32 {inline('A')}"]
        assert agreed.keys == StreamKeys(SUITE_32, key_of("A"), b"t" * 30)

    @pytest.mark.parametrize("crypto", [(), ("1 NULL inline:" + THEIRS,), ("garbage",)])
    def test_an_offer_without_a_line_that_we_can_is_refused(self, crypto):
        with pytest.raises(SessionRejected, match="crypto"):
            new_session().answer_offer(sdp(*crypto))

    def test_an_offer_in_the_clear_is_refused_even_if_it_has_keys(self):
        # RTP/AVP with a=crypto is in no RFC.
        line = f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"
        with pytest.raises(SessionRejected, match="not encrypted"):
            new_session().answer_offer(sdp(line, protocol="RTP/AVP"))

    def test_an_encrypted_offer_is_refused_where_plain_audio_was_agreed(self):
        line = f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"
        with pytest.raises(SessionRejected, match="not plain RTP"):
            new_session(PLAIN).answer_offer(sdp(line))

    def test_of_an_encrypted_and_a_plain_stream_the_encrypted_one_is_taken(self):
        line = f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"
        offer = HEAD + section(protocol="RTP/AVP") + section(line, port=5002)
        body, agreed = new_session().answer_offer(offer.encode())
        assert agreed.port == 5002
        assert [line for line in body.decode().split("\r\n") if line.startswith("m=")] == [
            "m=audio 0 RTP/AVP 0 8",
            "m=audio 4000 RTP/SAVP 0",
        ]

    def test_of_several_encrypted_streams_the_first_with_a_usable_line_is_taken(self):
        usable = f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"
        offer = HEAD + section("1 NULL inline:x") + section(usable, port=5002)
        _, agreed = new_session().answer_offer(offer.encode())
        assert agreed.port == 5002

    def test_a_profile_with_feedback_is_answered_as_such(self):
        line = f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"
        body, _ = new_session().answer_offer(sdp(line, protocol="RTP/SAVPF"))
        assert protocol_of(body) == "RTP/SAVPF"


class TestLaterOffers:
    """RFC 4568 7.1.4: who keeps a key goes on with it, who changes it begins anew."""

    @pytest.fixture
    def session(self):
        session = new_session()
        session.create_offer()
        session.accept_answer(sdp(f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}"))
        return session

    def test_a_hold_with_the_same_key_keeps_both(self, session):
        before = session.agreed.keys
        held = sdp(f"1 AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}") + b"a=sendonly\r\n"
        body, agreed = session.answer_offer(held)
        assert agreed.keys == before
        assert crypto_of(body) == [f"1 AES_CM_128_HMAC_SHA1_80 {inline('A')}"]
        assert agreed.direction is Direction.RECVONLY

    def test_a_new_key_of_theirs_is_taken_and_ours_stays(self, session):
        body, agreed = session.answer_offer(sdp(f"9 AES_CM_128_HMAC_SHA1_80 inline:{OTHERS}"))
        assert agreed.keys == StreamKeys(SUITE_80, key_of("A"), b"o" * 30)
        assert crypto_of(body) == [f"9 AES_CM_128_HMAC_SHA1_80 {inline('A')}"]

    def test_another_suite_takes_our_other_key(self, session):
        _, agreed = session.answer_offer(sdp(f"1 AES_CM_128_HMAC_SHA1_32 inline:{OTHERS}"))
        assert agreed.keys == StreamKeys(SUITE_32, key_of("B"), b"o" * 30)

    def test_what_is_refused_leaves_the_keys_as_they_were(self, session):
        before = session.agreed
        for offer in (
            sdp(),
            sdp(f"1 AES_CM_128_HMAC_SHA1_80 {inline('A')}"),
            sdp(protocol="RTP/AVP"),
        ):
            with pytest.raises(SessionRejected):
                session.answer_offer(offer)
        assert session.agreed == before

    def test_both_sides_of_one_session_agree(self):
        ours, theirs = new_session(), AudioSession(SRTP, 7)
        answer, there = theirs.answer_offer(ours.create_offer())
        here = ours.accept_answer(answer)
        assert (here.keys.ours, here.keys.theirs) == (there.keys.theirs, there.keys.ours)
        assert here.keys.ours != here.keys.theirs
