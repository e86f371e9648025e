"""What a node says of the protected streams that it offers, and what it is told of far ends."""

from base64 import b64encode

import pytest

from twoleg.media import Codec, KeyAgreement, RemoteStream, SrtpKeys, SrtpSuite, WebRtcTerms
from twoleg.media.rtpengine.descriptions import UnusableDescription
from twoleg.media.rtpengine.protected import OfferedEnd, far_end_answer

SDES, DTLS = KeyAgreement.SDES, KeyAgreement.DTLS
HIGH, LOW = SrtpSuite.AES_CM_128_HMAC_SHA1_80, SrtpSuite.AES_CM_128_HMAC_SHA1_32
HIGH_KEY, LOW_KEY = b"h" * 30, b"l" * 30
FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)


def crypto(tag, suite, key):
    return f"a=crypto:{tag} {suite} inline:{b64encode(key).decode()}"


def offer(protocol, *lines):
    return "\r\n".join(["v=0", f"m=audio 4000 {protocol} 0", *lines, ""]).encode()


CRYPTO = (
    crypto(1, "AEAD_AES_256_GCM", b"x" * 44),
    crypto(7, HIGH.name, HIGH_KEY),
    crypto(8, LOW.name, LOW_KEY),
)
WEBRTC = (
    "a=setup:actpass",
    f"a=fingerprint:{FINGERPRINT}",
    "a=ice-ufrag:fWON6LPf",
    "a=ice-pwd:i0VYoKnsbQhepiPicyWCXW74Gs",
)


def test_the_keys_of_our_suites_are_read_with_their_tags():
    end = OfferedEnd(offer("RTP/SAVP", *CRYPTO), SDES)
    assert end.own_end.keys == ((HIGH, HIGH_KEY), (LOW, LOW_KEY))
    assert end.tags == {HIGH: 7, LOW: 8}


def test_certificate_and_ice_credentials_are_read():
    own = OfferedEnd(offer("UDP/TLS/RTP/SAVPF", *WEBRTC), DTLS).own_end
    assert own.fingerprint == FINGERPRINT
    assert own.ice == ("fWON6LPf", "i0VYoKnsbQhepiPicyWCXW74Gs")


@pytest.mark.parametrize(
    ("description", "agreement"),
    [
        (None, SDES),
        (b"", DTLS),
        (offer("RTP/AVP", *CRYPTO), SDES),
        (offer("RTP/SAVP", *CRYPTO[:2]), SDES),
        (offer("RTP/SAVP", *CRYPTO[:2], crypto(8, LOW.name, b"short")), SDES),
        (offer("RTP/SAVP", *CRYPTO[:2], f"a=crypto:8 {LOW.name} inline:A"), SDES),
        (offer("RTP/SAVP", *WEBRTC), DTLS),
        (offer("UDP/TLS/RTP/SAVPF", *WEBRTC[:3]), DTLS),
        (offer("UDP/TLS/RTP/SAVPF", *WEBRTC[2:]), DTLS),
    ],
)
def test_what_does_not_protect_as_it_was_asked_to_is_refused(description, agreement):
    with pytest.raises(UnusableDescription):
        OfferedEnd(description, agreement)


def test_a_far_ends_key_takes_up_the_nodes_line_of_its_suite():
    keys = SrtpKeys(LOW, LOW_KEY, b"f" * 30)
    remote = RemoteStream("192.0.2.9", 4000, Codec.PCMA, 8, ("192.0.2.9", 4007), keys=keys)
    lines = far_end_answer(remote, {HIGH: 7, LOW: 8}, "IP4").split("\r\n")
    assert "m=audio 4000 RTP/SAVP 0 8 9 101" in lines
    assert "c=IN IP4 192.0.2.9" in lines
    assert crypto(8, LOW.name, b"f" * 30) in lines
    assert "a=rtcp:4007 IN IP4 192.0.2.9" in lines
    assert "a=sendrecv" in lines


@pytest.mark.parametrize(("is_client", "setup"), [(True, "passive"), (False, "active")])
@pytest.mark.parametrize(("family", "nowhere"), [("IP4", "0.0.0.0"), ("IP6", "::")])
def test_a_browser_is_described_by_its_certificate_and_not_by_a_place(
    is_client, setup, family, nowhere
):
    terms = WebRtcTerms(
        fragment="ours",
        password="secret of our side",
        remote_fragment="theirs",
        fingerprints=(("sha-256", b"\xab" * 32),),
        is_client=is_client,
    )
    remote = RemoteStream(nowhere, 9, Codec.PCMU, 0, sending=False, rtcp_mux=True, webrtc=terms)
    text = far_end_answer(remote, {}, family)
    lines = text.split("\r\n")
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 0 8 9 101" in lines
    assert f"c=IN {family} {nowhere}" in lines
    assert f"a=fingerprint:{FINGERPRINT}" in lines
    assert f"a=tls-id:{'ab' * 32}" in lines
    assert f"a=setup:{setup}" in lines
    assert "a=ice-ufrag:theirs" in lines
    assert "a=inactive" in lines
    assert "secret" not in text
