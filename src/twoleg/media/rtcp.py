"""RTCP: sender and receiver reports, source description, goodbye (RFC 3550 section 6)."""

from struct import Struct
from typing import Final, NamedTuple

from twoleg.media.rtp import MalformedPacket

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
GOODBYE: Final = 203

MAX_RTCP_BYTES: Final = 1500
MAX_REPORTS: Final = 31
"""The count field has five bits."""

_CNAME = 1
_NTP_EPOCH = 2_208_988_800  # 1970 in seconds since 1900

_HEADER = Struct("!BBH")
_SSRC = Struct("!I")
_SENDER_INFO = Struct("!QIII")
_REPORT = Struct("!IIIIII")


class SenderInfo(NamedTuple):
    """The sender's part of a sender report."""

    ntp: int
    """64-bit NTP time: seconds since 1900 and, in the lower half, their fraction."""

    timestamp: int
    packets: int
    octets: int


class ReportBlock(NamedTuple):
    """What one receiver says about one source."""

    ssrc: int
    fraction_lost: int = 0
    """Since the report before, in 256ths."""

    lost: int = 0
    """In all; negative where duplicates came."""

    highest_sequence: int = 0
    jitter: int = 0
    """In RTP ticks."""

    last_report: int = 0
    """Middle 32 bits of the NTP time in the last sender report that came; 0: none came."""

    delay: int = 0
    """Since that report came, in 65536ths of a second."""


class Report(NamedTuple):
    """A sender report, or without `sender` a receiver report."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()


class Goodbye(NamedTuple):
    ssrcs: tuple[int, ...]


def ntp_time(seconds: float) -> int:
    """64-bit NTP time of seconds since 1970."""
    return int((seconds + _NTP_EPOCH) * 4_294_967_296) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """Return the 32 bits by which reports refer to an NTP time."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip_seconds(block: ReportBlock, arrived_ntp: int) -> float | None:
    """Return the round trip that a block about us tells (RFC 3550 section 6.4.1, figure 2).

    None where the far end has had no report of ours yet, or its figures make no sense.
    """
    if not block.last_report:
        return None
    ticks = (middle(arrived_ntp) - block.last_report - block.delay) & 0xFFFFFFFF
    # A clock that was set back, or a far end that counts its delay too long, wraps below zero.
    if ticks >= 0xFFFF0000:
        return 0.0
    return ticks / 65536 if ticks < 60 * 65536 else None


def build_compound(report: Report, cname: str, *, goodbye: bool = False) -> bytes:
    """Build a compound packet: the report, our CNAME, and BYE if this is the last one."""
    parts = [_build_report(report), _build_description(report.ssrc, cname)]
    if goodbye:
        parts.append(_HEADER.pack(0x81, GOODBYE, 1) + _SSRC.pack(report.ssrc))
    return b"".join(parts)


def parse_compound(data: bytes | bytearray | memoryview) -> list[Report | Goodbye]:
    """Read the reports and goodbyes of a datagram; other packets in it are read past.

    Tolerant of what follows a broken packet inside: what was read up to there counts. Raises
    MalformedPacket if the datagram does not begin as RTCP.
    """
    if not 8 <= len(data) <= MAX_RTCP_BYTES:
        raise MalformedPacket(f"{len(data)} bytes")
    data = bytes(data)
    found: list[Report | Goodbye] = []
    position = 0
    while position + _HEADER.size <= len(data):
        first, kind, words = _HEADER.unpack_from(data, position)
        end = position + 4 * (words + 1)
        if first >> 6 != 2 or not 192 <= kind <= 223 or end > len(data):
            if position == 0:
                raise MalformedPacket("not RTCP")
            break
        part = _parse_packet(first & 0x1F, kind, data[position + _HEADER.size : end])
        if part is not None:
            found.append(part)
        position = end
    return found


def _build_report(report: Report) -> bytes:
    blocks = report.blocks[:MAX_REPORTS]
    body = _SSRC.pack(report.ssrc)
    if report.sender is not None:
        info = report.sender
        body += _SENDER_INFO.pack(
            info.ntp, info.timestamp, info.packets & 0xFFFFFFFF, info.octets & 0xFFFFFFFF
        )
    for block in blocks:
        lost = max(-0x800000, min(0x7FFFFF, block.lost)) & 0xFFFFFF
        body += _REPORT.pack(
            block.ssrc,
            block.fraction_lost << 24 | lost,
            block.highest_sequence,
            block.jitter & 0xFFFFFFFF,
            block.last_report,
            block.delay & 0xFFFFFFFF,
        )
    kind = RECEIVER_REPORT if report.sender is None else SENDER_REPORT
    return _HEADER.pack(0x80 | len(blocks), kind, len(body) // 4) + body


def _build_description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    chunk = _SSRC.pack(ssrc) + bytes((_CNAME, len(name))) + name
    # At least one null ends the items, and the chunk ends on a word (RFC 3550 section 6.5).
    chunk += bytes(4 - len(chunk) % 4)
    return _HEADER.pack(0x81, SOURCE_DESCRIPTION, len(chunk) // 4) + chunk


def _parse_packet(count: int, kind: int, body: bytes) -> Report | Goodbye | None:
    if kind == GOODBYE:
        count = min(count, len(body) // 4)
        return Goodbye(ssrcs=tuple(_SSRC.unpack_from(body, 4 * i)[0] for i in range(count)))
    if kind not in (SENDER_REPORT, RECEIVER_REPORT) or len(body) < _SSRC.size:
        return None
    sender = None
    start = _SSRC.size
    if kind == SENDER_REPORT:
        if len(body) < start + _SENDER_INFO.size:
            return None
        ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body, start)
        sender = SenderInfo(ntp=ntp, timestamp=timestamp, packets=packets, octets=octets)
        start += _SENDER_INFO.size
    count = min(count, (len(body) - start) // _REPORT.size)
    blocks = tuple(_parse_block(body, start + i * _REPORT.size) for i in range(count))
    return Report(ssrc=_SSRC.unpack_from(body)[0], sender=sender, blocks=blocks)


def _parse_block(body: bytes, start: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last_report, delay = _REPORT.unpack_from(body, start)
    lost = loss & 0xFFFFFF
    return ReportBlock(
        ssrc=ssrc,
        fraction_lost=loss >> 24,
        lost=lost - 0x1000000 if lost & 0x800000 else lost,
        highest_sequence=highest,
        jitter=jitter,
        last_report=last_report,
        delay=delay,
    )
