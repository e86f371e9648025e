"""What the far end's session descriptions do to a leg's media port."""

from dataclasses import replace

import pytest
from calls.in_memory import ANSWERS, FINGERPRINT, Answers, HangsUp, MemoryPlane, Offers, Rings
from calls.virtual_time import run

from twoleg.calls.leg_media import LegMedia, agent_codecs, contact_codecs, digit_of, joins
from twoleg.media import Codec, KeyAgreement, OwnEnd, SrtpSuite
from twoleg.sip import (
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    AudioSession,
    CryptoSuite,
    Direction,
    LocalAudio,
    SessionRejected,
)
from twoleg.sip_io import Info

PCMU_, PCMA_, G722_ = Codec.PCMU, Codec.PCMA, Codec.G722


def with_media(test, codecs=(Codec.PCMU, Codec.PCMA)):
    """Run `test(media, port, far)`: a leg's media and the far end's session."""

    async def main(loop):
        async with MemoryPlane(1).open_port() as port:
            far = AudioSession(LocalAudio("192.0.2.9", 4000, (PCMU, PCMA, TELEPHONE_EVENT)), 5)
            await test(LegMedia(port, codecs), port, far)

    run(main)


def test_the_answer_connects_the_port():
    async def test(media, port, far):
        answer, _ = far.answer_offer(media.make_offer())
        media.accept_answer(answer)
        assert (port.remote.host, port.remote.port) == ("192.0.2.9", 4000)
        assert port.remote.codec is media.codec is Codec.PCMU
        assert port.remote.dtmf_payload_type == 101
        assert port.remote.sending
        assert port.remote.receiving

    with_media(test)


def test_an_encrypted_leg_connects_the_port_with_the_keys_of_both_sides():
    async def main(loop):
        async with MemoryPlane(1).open_port() as port:
            media = LegMedia(port, (Codec.PCMU,), KeyAgreement.SDES)
            suites = (CryptoSuite.AES_CM_128_HMAC_SHA1_32,)
            far = AudioSession(LocalAudio("192.0.2.9", 4000, (PCMU,), suites=suites), 5)
            answer, agreed = far.answer_offer(media.make_offer())
            media.accept_answer(answer)
            keys = port.remote.keys
            assert keys.suite is SrtpSuite.AES_CM_128_HMAC_SHA1_32
            assert (keys.ours, keys.theirs) == (agreed.keys.theirs, agreed.keys.ours)
            far.accept_answer(media.answer_offer(far.create_offer(Direction.SENDONLY)))
            assert port.remote.keys == keys
            assert not port.remote.sending

    run(main)


def test_a_browsers_leg_connects_the_port_with_what_ice_and_dtls_need():
    async def main(loop):
        async with MemoryPlane(1).open_port() as port:
            theirs = f"sha-256 {':'.join(['CD'] * 32)}"
            media = LegMedia(port, (Codec.PCMU,), KeyAgreement.DTLS)
            far = AudioSession(LocalAudio("192.0.2.9", 4000, (PCMU,), fingerprint=theirs), 5)
            # Both sides of this code are ICE-lite, and browsers are not.
            answer, agreed = far.answer_offer(media.make_offer().replace(b"a=ice-lite\r\n", b""))
            media.accept_answer(answer.replace(b"a=ice-lite\r\n", b""))
            terms = port.remote.webrtc
            assert terms.fragment == agreed.webrtc.theirs.fragment
            assert terms.password == agreed.webrtc.theirs.password
            assert terms.remote_fragment == agreed.webrtc.ours.fragment
            assert terms.fingerprints == (("sha-256", b"\xcd" * 32),)
            assert terms.is_client
            assert port.remote.rtcp_mux
            assert port.remote.keys is None

    run(main)


def test_the_keys_that_a_media_server_has_made_are_ours_and_the_suite_stays_when_it_is_agreed_on():
    high, low = SrtpSuite.AES_CM_128_HMAC_SHA1_80, SrtpSuite.AES_CM_128_HMAC_SHA1_32
    made = {high: b"h" * 30, low: b"l" * 30}

    async def main(loop):
        async with MemoryPlane(1).open_port() as port:
            port.given = OwnEnd(keys=tuple(made.items()))
            media = LegMedia(port, (Codec.PCMU,), KeyAgreement.SDES)
            suites = (CryptoSuite.AES_CM_128_HMAC_SHA1_32,)
            far = AudioSession(LocalAudio("192.0.2.9", 4000, (PCMU,), suites=suites), 5)
            answer, agreed = far.answer_offer(media.make_offer())
            media.accept_answer(answer)
            assert (port.remote.keys.suite, port.remote.keys.ours) == (low, made[low])
            assert agreed.keys.theirs == made[low]
            other = replace(far.local, suites=(CryptoSuite.AES_CM_128_HMAC_SHA1_80,))
            with pytest.raises(SessionRejected):
                media.answer_offer(AudioSession(other, 6).create_offer())
            assert port.remote.keys.suite is low

    run(main)


def test_ice_credentials_that_a_media_server_has_made_are_ours_and_outlast_restarts():
    async def main(loop):
        async with MemoryPlane(1).open_port() as port:
            port.given = OwnEnd(fingerprint=FINGERPRINT, ice=("ours", "our password of 22 signs"))
            media = LegMedia(port, (Codec.PCMU,), KeyAgreement.DTLS)
            local = LocalAudio("192.0.2.9", 4000, (PCMU,), fingerprint=FINGERPRINT)
            for number in range(2):
                # Each of the far ends has other credentials, as one has that restarts ICE.
                far = AudioSession(local, number)
                offer = far.create_offer().replace(b"a=ice-lite\r\n", b"")
                assert b"a=ice-ufrag:ours\r\n" in media.answer_offer(offer)
                assert port.remote.webrtc.fragment == "ours"
                assert port.remote.webrtc.password == "our password of 22 signs"

    run(main)


def test_a_plain_answer_to_an_encrypted_offer_connects_nothing():
    async def main(loop):
        async with MemoryPlane(1).open_port() as port:
            media = LegMedia(port, (Codec.PCMU,), KeyAgreement.SDES)
            far = AudioSession(LocalAudio("192.0.2.9", 4000, (PCMU,)), 5)
            media.make_offer()
            with pytest.raises(SessionRejected):
                media.accept_answer(far.create_offer())
            assert port.remote is None

    run(main)


def test_hold_and_resume_are_answered_and_stop_and_start_our_sending():
    async def test(media, port, far):
        answer, _ = far.answer_offer(media.make_offer())
        media.accept_answer(answer)
        held = far.accept_answer(media.answer_offer(far.create_offer(Direction.SENDONLY)))
        assert held.direction is Direction.SENDONLY
        assert not port.remote.sending
        assert port.remote.receiving
        far.accept_answer(media.answer_offer(far.create_offer(Direction.SENDRECV)))
        assert port.remote.sending

    with_media(test)


def test_a_change_of_codec_is_answered():
    async def test(media, port, far):
        answer, _ = far.answer_offer(media.make_offer())
        media.accept_answer(answer)
        far.local = LocalAudio("192.0.2.9", 4002, (PCMA,))
        far.accept_answer(media.answer_offer(far.create_offer()))
        assert port.remote.codec is Codec.PCMA
        assert port.remote.port == 4002

    with_media(test)


def test_an_offer_without_a_codec_of_ours_is_refused_and_changes_nothing():
    async def test(media, port, far):
        answer, _ = far.answer_offer(media.make_offer())
        media.accept_answer(answer)
        before = port.remote
        with pytest.raises(SessionRejected):
            media.answer_offer(answer.replace(b"RTP/AVP 0", b"RTP/AVP 18").replace(b"PCMU", b"X"))
        assert port.remote is before

    with_media(test)


def test_our_offer_to_a_reinvite_without_one_is_taken_up_by_its_answer():
    async def test(media, port, far):
        answer, _ = far.answer_offer(media.make_offer())
        media.accept_answer(answer)
        far.local = LocalAudio("192.0.2.10", 5000, (PCMU,))
        answer, _ = far.answer_offer(media.make_offer())
        media.accept_answer(answer)
        assert port.remote.host == "192.0.2.10"

    with_media(test)


def test_the_answer_may_differ_from_the_early_one():
    async def test(media, port, far):
        offer = media.make_offer()
        early, _ = far.answer_offer(offer)
        assert media.accept_early_answer(early)
        other = AudioSession(LocalAudio("192.0.2.77", 7000, (PCMA,)), 6)
        media.accept_answer(other.answer_offer(offer)[0])
        assert (port.remote.host, port.remote.codec) == ("192.0.2.77", Codec.PCMA)

    with_media(test)


def test_a_hold_during_the_call_reaches_the_agents_port(tell):
    told = tell(
        {
            "agent": (
                *ANSWERS,
                Offers(10.0, lambda session: session.create_offer(Direction.SENDONLY)),
            ),
            "contact": (Answers(), HangsUp(20.0)),
        }
    )
    (reply,) = told.phone.legs["agent"].replies
    assert b"a=recvonly" in reply
    assert not told.plane.used[0].remote.sending


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", b"Signal= #\r\nDuration= 250\r\n", "#"),
        ("Application/DTMF-Relay; charset=ascii", b"duration=1\nsignal=*", "*"),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b"", None),
        ("application/dtmf-relay", b"Duration=160", None),
        ("application/media_control+xml", b"<vfu/>", None),
        ("application/dtmf-relay", b"\xff\xfe=\x00", None),
    ],
)
def test_digits_that_come_as_info(content_type, body, digit):
    assert digit_of(content_type, body) == digit


def test_digits_of_info_go_to_the_port():
    async def test(media, port, far):
        media.take_info(Info("application/dtmf", b"1"))
        media.take_info(Info("text/plain", b"2"))
        media.take_info(Info("application/dtmf-relay", b"Signal=3"))
        assert list(port.digits) == ["1", "3"]

    with_media(test)


@pytest.mark.parametrize("agent", [(PCMU_, PCMA_), (G722_, PCMA_), (G722_,)])
@pytest.mark.parametrize("contact", [(PCMU_,), (G722_, PCMU_), (G722_,), (PCMA_, PCMU_)])
def test_whatever_the_two_take_of_what_they_are_offered_can_be_joined(agent, contact):
    for taken in agent_codecs(agent, contact):
        offered = contact_codecs(taken, contact)
        assert offered
        assert all(joins(taken, other) for other in offered)


def test_the_contact_is_offered_first_what_the_agent_speaks():
    assert contact_codecs(PCMA_, (PCMU_, PCMA_)) == (PCMA_, PCMU_)
    assert contact_codecs(PCMA_, (G722_, PCMU_)) == (PCMU_,)


def test_an_agent_is_spared_g722_where_the_contact_may_not_have_it():
    assert agent_codecs((G722_, PCMU_), (PCMU_, PCMA_)) == (PCMU_,)
    assert agent_codecs((G722_, PCMU_), (G722_,)) == (G722_,)


def test_a_ringing_leg_needs_no_media(tell):
    told = tell({"agent": (Rings(),)})
    assert told.plane.used[0].remote is None
