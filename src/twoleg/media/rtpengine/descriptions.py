"""The little SDP that rtpengine is told and tells: one audio stream. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from twoleg.media.codec import Codec
from twoleg.media.remote import RemoteStream

PLAIN: Final = "RTP/AVP"

DISCARD_PORT: Final = 9
"""Whoever is not known yet, or is nobody, is described with it (RFC 863)."""

COMFORT_NOISE: Final = 13

ALL_FORMATS: Final = (
    *((codec.payload_type, f"{codec.encoding}/{codec.clock_rate}") for codec in Codec),
    (101, "telephone-event/8000"),
)
"""What both sides speak between which nothing is to be transcoded."""

NOWHERE: Final = {"IP4": "0.0.0.0", "IP6": "::"}  # noqa: S104  # an address to send nothing to
_ADDRESS: Final = re.compile(rb"^c=IN IP[46] ([0-9A-Fa-f:.]{1,64})\r?$", re.MULTILINE)
_AUDIO: Final = re.compile(rb"^m=audio ([0-9]{1,5}) ", re.MULTILINE)


class UnusableDescription(ConnectionError):
    """A node's description does not say what we have to know."""


def family_of(host: str) -> str:
    """Name the address family of an IP literal as SDP does (RFC 8866 section 5.7)."""
    return "IP6" if ":" in host else "IP4"


def nobody(family: str, *, is_expected: bool) -> str:
    """Describe a far end that speaks all that we do, and to which nothing is sent.

    Of one that is expected nothing is missed: a node forgets a call without RTP after a minute, and
    phones may ring for longer.
    """
    formats = [(codec.payload_type, f"{codec.encoding}/{codec.clock_rate}") for codec in Codec]
    direction = "inactive" if is_expected else "sendrecv"
    return described(NOWHERE[family], DISCARD_PORT, formats, direction=direction)


def far_end(remote: RemoteStream) -> str:
    """Describe a far end in the one codec that it has agreed on.

    Always as one that speaks and hears: whether anything flows is decided apart from that.
    """
    codec = remote.codec
    formats = [(remote.payload_type, f"{codec.encoding}/{codec.clock_rate}")]
    if remote.comfort_noise:
        formats.append((COMFORT_NOISE, "CN/8000"))
    if remote.dtmf_payload_type is not None:
        formats.append((remote.dtmf_payload_type, "telephone-event/8000"))
    extra = [f"a=ptime:{remote.ptime}"]
    if remote.rtcp_mux:
        extra.append("a=rtcp-mux")
    elif remote.rtcp is not None:
        host, port = remote.rtcp
        extra.append(f"a=rtcp:{port} IN {family_of(host)} {host}")
    return described(remote.host, remote.port, formats, extra)


def listener(host: str, port: int, remote: RemoteStream) -> str:
    """Describe ourselves as one that hears what `remote` says, and says nothing."""
    codec = remote.codec
    formats = [(remote.payload_type, f"{codec.encoding}/{codec.clock_rate}")]
    if remote.dtmf_payload_type is not None:
        formats.append((remote.dtmf_payload_type, "telephone-event/8000"))
    return described(host, port, formats, direction="recvonly")


def place_of(description: object) -> tuple[str, int]:
    """Read where a node receives, or sends from. Raises UnusableDescription."""
    if isinstance(description, bytes):
        address, audio = _ADDRESS.search(description), _AUDIO.search(description)
        if address is not None and audio is not None and int(audio[1]):
            return address[1].decode(), int(audio[1])
    raise UnusableDescription("an rtpengine node does not say where it receives")


def described(
    host: str,
    port: int,
    formats: Sequence[tuple[int, str]],
    extra: Sequence[str] = (),
    direction: str = "sendrecv",
    protocol: str = PLAIN,
) -> str:
    """Write a description: payload types with their names, and attributes as whole lines."""
    where = f"IN {family_of(host)} {host}"
    lines = [
        "v=0",
        f"o=- 1 1 {where}",
        "s=-",
        f"c={where}",
        "t=0 0",
        f"m=audio {port} {protocol} {' '.join(str(number) for number, _ in formats)}",
        *(f"a=rtpmap:{number} {name}" for number, name in formats),
        f"a={direction}",
        *extra,
    ]
    return "\r\n".join(lines) + "\r\n"
