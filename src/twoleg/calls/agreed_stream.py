"""What offer and answer came to, in the words of the media plane."""

from typing import Final

from twoleg.media import Codec, RemoteStream, SrtpKeys, SrtpSuite, WebRtcTerms
from twoleg.sip import G722, PCMA, PCMU, AgreedAudio, CryptoSuite, StreamKeys, WebRtc

FORMATS: Final = {Codec.PCMU: PCMU, Codec.PCMA: PCMA, Codec.G722: G722}
SUITES: Final = {
    CryptoSuite.AES_CM_128_HMAC_SHA1_80: SrtpSuite.AES_CM_128_HMAC_SHA1_80,
    CryptoSuite.AES_CM_128_HMAC_SHA1_32: SrtpSuite.AES_CM_128_HMAC_SHA1_32,
}
"""In the order in which they are offered, the preferred one first."""

CODECS: Final = {offered.kind: codec for codec, offered in FORMATS.items()}


def remote_stream(agreed: AgreedAudio) -> RemoteStream:
    """Say to the media plane what was agreed."""
    return RemoteStream(
        host=agreed.address,
        port=agreed.port,
        codec=CODECS[agreed.format.kind],
        payload_type=agreed.send_payload_type,
        rtcp=agreed.rtcp,
        dtmf_payload_type=agreed.dtmf_send_payload_type,
        sending=agreed.direction.sends,
        receiving=agreed.direction.receives,
        ptime=agreed.ptime,
        rtcp_mux=agreed.rtcp_mux,
        keys=None if agreed.keys is None else _srtp_keys(agreed.keys),
        webrtc=None if agreed.webrtc is None else _webrtc_terms(agreed.webrtc),
    )


def _srtp_keys(keys: StreamKeys) -> SrtpKeys:
    return SrtpKeys(SUITES[keys.suite], keys.ours, keys.theirs)


def _webrtc_terms(agreed: WebRtc) -> WebRtcTerms:
    return WebRtcTerms(
        fragment=agreed.ours.fragment,
        password=agreed.ours.password,
        remote_fragment=agreed.theirs.fragment,
        fingerprints=agreed.fingerprints,
        is_client=agreed.is_dtls_client,
    )
