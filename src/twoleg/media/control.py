"""The RTCP of one port: what we report, and what the far end reports of us."""

import random
import secrets
from typing import Final

from twoleg.media.codec import Codec
from twoleg.media.due_times import NEVER
from twoleg.media.incoming import Incoming
from twoleg.media.latch import SocketAddress, socket_address
from twoleg.media.outgoing import CLOCK_RATE, Outgoing
from twoleg.media.quality import MIN_PACKETS_FOR_MOS, Quality, mean_opinion_score
from twoleg.media.rtcp import (
    Report,
    ReportBlock,
    SenderInfo,
    build_compound,
    middle,
    ntp_time,
    parse_compound,
    round_trip_seconds,
)
from twoleg.media.rtp import MalformedPacket

REPORT_SECONDS: Final = 5.0
"""Mean time between reports; each is drawn between half and one and a half of it (RFC 3550 6.2)."""


class Control:
    """Builds and reads the reports of one leg. Pure: `wall` is the time since 1970.

    The next report is `due` once the far end is known; `plan` says when the one after it is.
    """

    __slots__ = (
        "_arrived_ntp",
        "_cname",
        "_heard_report",
        "_incoming",
        "_learned",
        "_outgoing",
        "due",
        "far_jitter",
        "far_lost",
        "reports_sent",
        "round_trip",
    )

    def __init__(self, incoming: Incoming, outgoing: Outgoing) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._cname: str | None = None
        self._learned: SocketAddress | None = None
        """Where reports come from that do not share the stream's port."""

        self._heard_report = 0
        self._arrived_ntp = 0
        self.due = NEVER
        self.reports_sent = 0
        self.round_trip: float | None = None
        self.far_lost: int | None = None
        self.far_jitter: int | None = None

    def expect(self, now: float) -> None:
        """Begin, or go on, with a far end as it was agreed on by now."""
        self._learned = None
        if self.due == NEVER:
            self.plan(now)

    def plan(self, now: float) -> None:
        """Have the next report fall due some time after now."""
        self.due = now + REPORT_SECONDS * (0.5 + random.random())

    @property
    def is_muxed(self) -> bool:
        """Whether reports share the port of the stream (RFC 5761)."""
        remote = self._incoming.remote
        return remote is not None and remote.rtcp_mux

    @property
    def destination(self) -> SocketAddress | None:
        """Where reports go; None: nobody knows yet."""
        return self._incoming.destination if self.is_muxed else self._own_destination

    def report(self, now: float, wall: float, *, goodbye: bool = False) -> bytes:
        """Return the compound packet that is due: a sender report if we have sent anything."""
        self.reports_sent += 1
        outgoing = self._outgoing
        sender = None
        if outgoing.packets:
            sender = SenderInfo(
                ntp=ntp_time(wall),
                timestamp=outgoing.timestamp_at(now),
                packets=outgoing.packets,
                octets=outgoing.octets,
            )
        if self._cname is None:
            self._cname = secrets.token_urlsafe(12)  # RFC 7022: says nothing of who we are
        report = Report(ssrc=outgoing.ssrc, sender=sender, blocks=self._blocks(wall))
        return build_compound(report, self._cname, goodbye=goodbye)

    def receive(self, data: memoryview, source: SocketAddress, wall: float) -> None:
        """Take a packet, if it comes from where the stream does. Never raises."""
        incoming = self._incoming
        known = (incoming.destination, self._own_destination)
        if not any(place is not None and place[0] == source[0] for place in known):
            incoming.rejected += 1
            return
        try:
            self._read(data, wall)
        except MalformedPacket:
            incoming.rejected += 1
            return
        # Behind a NAT the RTCP port that was signalled is as wrong as the RTP port.
        if not self.is_muxed:
            self._learned = source

    def quality(self, codec: Codec | None, rejected: int) -> Quality:
        """Return the figures so far: ours, and what the far end has reported.

        `codec` None: nothing was agreed on yet. `rejected` is how many packets were nobody's.
        """
        reception, outgoing = self._incoming.reception, self._outgoing
        trip = self.round_trip
        round_trip_ms = None if trip is None else trip * 1000
        lost, jitter = reception.lost, jitter_ms(reception.jitter)
        mos = None
        if codec is not None and reception.received >= MIN_PACKETS_FOR_MOS:
            mos = mean_opinion_score(
                codec,
                loss=lost / (reception.received + lost),
                jitter_ms=jitter,
                round_trip_ms=round_trip_ms,
            )
        far_jitter = self.far_jitter
        return Quality(
            packets_received=reception.received,
            packets_lost=lost,
            jitter_ms=jitter,
            round_trip_ms=round_trip_ms,
            mos=mos,
            packets_sent=outgoing.packets,
            packets_late=reception.late,
            packets_duplicated=reception.duplicates,
            packets_rejected=rejected,
            far_packets_lost=self.far_lost,
            far_jitter_ms=None if far_jitter is None else jitter_ms(far_jitter),
        )

    @property
    def _own_destination(self) -> SocketAddress | None:
        """Where reports go that do not share the stream's port: as learned, else as signalled."""
        remote = self._incoming.remote
        if self._learned is not None or remote is None:
            return self._learned
        return socket_address(*(remote.rtcp or (remote.host, remote.port + 1)))

    def _read(self, data: memoryview, wall: float) -> None:
        ntp = ntp_time(wall)
        for part in parse_compound(data):
            if not isinstance(part, Report):
                continue
            if part.sender is not None and part.ssrc == self._incoming.media_source:
                self._heard_report = middle(part.sender.ntp)
                self._arrived_ntp = ntp
            for block in part.blocks:
                if block.ssrc == self._outgoing.ssrc:
                    self._take(block, ntp)

    def _take(self, block: ReportBlock, ntp: int) -> None:
        self.far_lost = max(0, block.lost)
        self.far_jitter = block.jitter
        round_trip = round_trip_seconds(block, ntp)
        if round_trip is not None:
            self.round_trip = round_trip

    def _blocks(self, wall: float) -> tuple[ReportBlock, ...]:
        source = self._incoming.media_source
        reception = self._incoming.reception
        if source is None or not reception.received:
            return ()
        delay = 0
        if self._heard_report:
            delay = (ntp_time(wall) - self._arrived_ntp) >> 16 & 0xFFFFFFFF
        block = ReportBlock(
            ssrc=source,
            fraction_lost=reception.loss_since_last_report(),
            lost=reception.lost,
            highest_sequence=reception.extended_highest,
            jitter=int(reception.jitter),
            last_report=self._heard_report,
            delay=delay,
        )
        return (block,)


def jitter_ms(ticks: float) -> float:
    return ticks * 1000 / CLOCK_RATE
