"""What we can do with an audio stream, and what offer and answer come to (RFC 3264)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from twoleg.sip.audio_ends import Reach, ptime_of, reach_of, rtcp_of
from twoleg.sip.audio_formats import AudioFormat
from twoleg.sip.errors import SessionRejected
from twoleg.sip.format_match import Match
from twoleg.sip.key_exchange import StreamKeys
from twoleg.sip.sdes import CryptoSuite
from twoleg.sip.sdp import Direction, MalformedDescription, Media, SessionDescription
from twoleg.sip.values import immutable
from twoleg.sip.webrtc import DISCARD_PORT, IceCredentials, WebRtc
from twoleg.sip.webrtc import PROTOCOLS as _WEBRTC

DEFAULT_PTIME = 20
"""Milliseconds of audio in a packet (RFC 3551 4.2)."""

# AVPF (RFC 4585) is AVP with leave, not duty, to send more RTCP; SAVPF (RFC 5124) likewise.
_PLAIN = ("RTP/AVP", "RTP/AVPF")
_ENCRYPTED = ("RTP/SAVP", "RTP/SAVPF")
_NOWHERE = "0.0.0.0"  # noqa: S104  # where nothing is sent, not bound to


@immutable()
class LocalAudio:
    """What we can do: where we receive, our formats in order of preference, our packet time.

    `address` is an IP literal, `ptime` is in milliseconds. With `suites`, in order of preference,
    the stream is SRTP (RFC 4568) or is not; its descriptions hold keys then, and may only go where
    nobody else can read them. With `fingerprint`, what a=fingerprint says of our certificate, it is
    a browser's: SRTP whose keys DTLS gives (RFC 5763). `keys`, one for each suite, and `ice` are
    there where not we have made them but who receives for us.
    """

    address: str
    port: int
    formats: tuple[AudioFormat, ...]
    ptime: int = DEFAULT_PTIME
    suites: tuple[CryptoSuite, ...] = ()
    fingerprint: str | None = None
    keys: tuple[tuple[CryptoSuite, bytes], ...] = field(default=(), repr=False)
    ice: IceCredentials | None = None

    @property
    def protocols(self) -> tuple[str, ...]:
        """What the stream's m= line may name, first what ours does."""
        if self.fingerprint is not None:
            return _WEBRTC
        return _ENCRYPTED if self.suites else _PLAIN

    @property
    def protocol_wanted(self) -> str:
        """What a stream of another protocol is not, in words."""
        if self.fingerprint is not None:
            return "WebRTC's (UDP/TLS/RTP/SAVPF)"
        return "encrypted" if self.suites else "plain RTP"


@immutable()
class AgreedAudio:
    """What offer and answer came to.

    We send `format` under `send_payload_type` to `address` and `port` in packets of `ptime`
    milliseconds, and may get what `receive_payload_types` lists. `direction` is ours: RECVONLY
    or INACTIVE where the far end holds the call. `rtcp` is None where the far end wants none
    (RFC 3556); with `rtcp_mux` it is the stream's own address. An address of zeros is given only
    if no other was ever known; nothing may be sent to it, and `direction` says so. With `webrtc` it
    says nothing: ICE finds the far end. Without that and `keys` it is plain RTP.
    """

    address: str
    port: int
    rtcp: tuple[str, int] | None
    format: AudioFormat
    send_payload_type: int
    receive_payload_types: Mapping[int, AudioFormat] = field(hash=False)
    dtmf_send_payload_type: int | None
    direction: Direction
    ptime: int
    rtcp_mux: bool
    keys: StreamKeys | None = None
    webrtc: WebRtc | None = None

    def at_port(self, port: int) -> AgreedAudio:
        """Give the same of plain RTP at another port, with RTCP above it as here."""
        return AgreedAudio(
            self.address, port, None if self.rtcp is None else (self.address, port + 1),
            self.format, self.send_payload_type, self.receive_payload_types,
            self.dtmf_send_payload_type, self.direction, self.ptime, self.rtcp_mux,
        )  # fmt: skip


def read_description(body: bytes | str) -> SessionDescription:
    """Read what the far end describes. Raises SessionRejected."""
    try:
        return SessionDescription.parse(body)
    except MalformedDescription as error:
        raise SessionRejected(f"the session description cannot be read: {error}") from error


def agree(
    description: SessionDescription,
    media: Media,
    match: Match,
    direction: Direction,
    ours: LocalAudio,
    before: AgreedAudio | None,
    *,
    mux: bool = False,
    keys: StreamKeys | None = None,
    webrtc: WebRtc | None = None,
) -> AgreedAudio:
    """Put together what a description of the far end's comes to, after what was agreed `before`.

    Raises SessionRejected if its audio cannot be reached.
    """
    if webrtc is None:
        address, port = _remote_address(description, media, ours, before), media.port
    else:
        address, port, mux = _NOWHERE, DISCARD_PORT, True
    return AgreedAudio(
        address=address,
        port=port,
        rtcp=(address, port) if mux else rtcp_of(media, address),
        format=match.codec,
        send_payload_type=match.send_payload_type,
        receive_payload_types=match.received,
        dtmf_send_payload_type=match.dtmf_send_payload_type,
        direction=direction,
        ptime=ptime_of(description, media, ours.ptime),
        rtcp_mux=mux,
        keys=keys,
        webrtc=webrtc,
    )


def _remote_address(
    description: SessionDescription, media: Media, ours: LocalAudio, before: AgreedAudio | None
) -> str:
    text = description.address_of(media)
    if text is None:
        raise SessionRejected("the audio stream has no address")
    reach = reach_of(text)
    if reach is None:
        raise SessionRejected("the address of the audio stream is no IP address")
    if reach is Reach.NOWHERE:
        # Held the old way (RFC 3264 8.4): where the far end is has not changed.
        return before.address if before else text
    if reach is Reach.MANY or (":" in text) != (":" in ours.address):
        raise SessionRejected("the address of the audio stream cannot be reached from ours")
    return text
