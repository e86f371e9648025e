"""RTP packets (RFC 3550 section 5.1)."""

from dataclasses import dataclass
from struct import Struct
from typing import Final

HEADER: Final = Struct("!BBHII")
"""First byte, marker and payload type, sequence number, timestamp, SSRC."""

HEADER_BYTES: Final = 12
PLAIN_FIRST_BYTE: Final = 0x80
"""Version 2 without padding, extension and contributing sources: nearly every packet."""

MAX_PACKET_BYTES: Final = 1500
"""No audio packet is larger; what is, is not ours to carry."""

MARKER: Final = 0x80

_PADDING = 0x20
_EXTENSION = 0x10
_EXTENSION_HEADER = Struct("!HH")


class MalformedPacket(ValueError):
    """The bytes are not an RTP (or RTCP) packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpPacket:
    """One RTP packet; contributing sources and the header extension are read past."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> "RtpPacket":
        """Read a datagram. Raises MalformedPacket."""
        if not HEADER_BYTES <= len(data) <= MAX_PACKET_BYTES:
            raise MalformedPacket(f"{len(data)} bytes")
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise MalformedPacket(f"version {first >> 6}")
        start, end = _payload_bounds(data, first)
        return cls(
            payload_type=second & 0x7F,
            marker=bool(second & MARKER),
            sequence=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=bytes(data[start:end]),
        )

    def to_bytes(self) -> bytes:
        second = self.payload_type | (MARKER if self.marker else 0)
        header = HEADER.pack(PLAIN_FIRST_BYTE, second, self.sequence, self.timestamp, self.ssrc)
        return header + self.payload


def _payload_bounds(data: bytes | bytearray | memoryview, first: int) -> tuple[int, int]:
    start = HEADER_BYTES + 4 * (first & 0x0F)
    end = len(data)
    if first & _EXTENSION:
        if start + _EXTENSION_HEADER.size > end:
            raise MalformedPacket("truncated header extension")
        _, words = _EXTENSION_HEADER.unpack_from(data, start)
        start += _EXTENSION_HEADER.size + 4 * words
    if first & _PADDING and start < end:
        padding = data[end - 1]
        if padding == 0:
            raise MalformedPacket("padding of no length")
        end -= padding
    if start > end:
        raise MalformedPacket("header longer than the packet")
    return start, end


def is_rtcp(data: bytes | bytearray | memoryview) -> bool:
    """Whether a datagram on a port shared by RTP and RTCP is RTCP (RFC 5761 section 4)."""
    return len(data) > 1 and 192 <= data[1] <= 223
