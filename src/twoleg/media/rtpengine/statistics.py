"""What rtpengine tells of a call's legs, from its reply to `query`. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from twoleg.media.codec import Codec
from twoleg.media.quality import MIN_PACKETS_FOR_MOS, Quality, mean_opinion_score
from twoleg.media.rtpengine.bencode import Decoded
from twoleg.media.rtpengine.descriptions import DISCARD_PORT


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What who receives a stream says of it in RTCP (RFC 3550 section 6.4)."""

    lost: int
    jitter_ms: float
    round_trip_ms: float | None


@dataclass(frozen=True, slots=True)
class LegStatistics:
    """What a node has seen of one leg's stream."""

    packets: int = 0
    report: StreamReport | None = None
    """None: nobody has reported on it yet."""


class Securing(NamedTuple):
    """How far a node has come with a browser."""

    is_found: bool
    """ICE has found it."""

    has_keys: bool
    """Its DTLS handshake is done, with whoever it is."""

    is_proved: bool
    """It has the certificate that its description speaks of."""


def leg_statistics(reply: dict[str, Decoded], tag: str) -> LegStatistics | None:
    """Find a leg in the reply; None: the call has none such."""
    leg = _at(reply, "tags", tag)
    if not isinstance(leg, dict):
        return None
    stream = _at(leg, "medias", 0, "streams", 0)
    packets = _number(_at(stream, "stats", "packets")) or 0
    # 12.4 to 13.3 list all that were heard, the last first.
    ssrc = _number(_at(stream, "SSRC")) or _number(_at(stream, "ingress SSRCs", 0, "SSRC"))
    heard = _at(reply, "SSRC", str(ssrc))
    lost = _number(_at(heard, "cumulative loss"))
    last = _at(heard, "MOS progression", "entries", -1)
    jitter, trip = _number(_at(last, "jitter")), _number(_at(last, "round-trip time"))
    if lost is None or jitter is None:
        return LegStatistics(packets)
    return LegStatistics(packets, StreamReport(lost, float(jitter), trip / 1000 if trip else None))


def local_place(reply: dict[str, Decoded], tag: str) -> tuple[str, int] | None:
    """Find where a participant receives, by the node's own address; None: nowhere.

    Far ends are told another address where the node stands behind a NAT.
    """
    stream = _at(reply, "tags", tag, "medias", 0, "streams", 0)
    host, port = _at(stream, "local address"), _number(_at(stream, "local port"))
    return (host.decode("ascii", "replace"), port) if isinstance(host, bytes) and port else None


def securing(reply: dict[str, Decoded], tag: str) -> Securing:
    """Tell how far a participant with ICE and DTLS has come."""
    stream = _at(reply, "tags", tag, "medias", 0, "streams", 0)
    flags, place = _at(stream, "flags"), _at(stream, "endpoint", "port")
    return Securing(
        is_found=place not in (None, DISCARD_PORT),
        has_keys=_at(stream, "crypto suite") is not None,
        is_proved=isinstance(flags, list) and b"DTLS fingerprint verified" in flags,
    )


def quality_of(codec: Codec | None, leg: LegStatistics, far: StreamReport | None) -> Quality:
    """Put together what is known of a leg; `far` is of the stream that it is sent.

    What was lost on the way to us, only who receives it beyond us tells.
    """
    report = leg.report
    mos = None
    if codec is not None and report is not None and leg.packets >= MIN_PACKETS_FOR_MOS:
        expected = leg.packets + max(0, report.lost)
        mos = mean_opinion_score(
            codec,
            loss=max(0, report.lost) / expected,
            jitter_ms=report.jitter_ms,
            round_trip_ms=report.round_trip_ms,
        )
    return Quality(
        packets_received=leg.packets,
        packets_lost=None if report is None else report.lost,
        jitter_ms=None if report is None else report.jitter_ms,
        round_trip_ms=None if report is None else report.round_trip_ms,
        mos=mos,
        packets_sent=None,
        packets_late=None,
        packets_duplicated=None,
        packets_rejected=None,
        far_packets_lost=None if far is None else far.lost,
        far_jitter_ms=None if far is None else far.jitter_ms,
    )


def _at(value: Decoded | None, *path: str | int) -> Decoded | None:
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and value:
            # The first or the last.
            value = value[step]
        else:
            return None
    return value


def _number(value: Decoded | None) -> int | None:
    return value if isinstance(value, int) else None
