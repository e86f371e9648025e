"""What a receiver of RTP knows of the stream: loss and jitter (RFC 3550 appendix A)."""

from collections import deque
from typing import Final

MAX_DROPOUT: Final = 3000
"""A jump ahead up to this many packets is loss; beyond it the sender may have restarted."""

MAX_MISORDER: Final = 100
"""A packet up to this many behind the newest is late; beyond it the sender may have restarted."""

RESTARTED: Final = 1 << 16
"""The step of a packet with which the stream's numbering, or its clock, began anew."""

MAX_TRANSIT_CHANGE_SECONDS: Final = 2.0
"""A larger change between two packets is a new clock at the sender, not delay."""


class Reception:
    """Counts the packets of one source, and measures their jitter.

    Sequence numbers are extended to integers without bound, so that a wrap needs no care: `newest`
    is the highest so far, -1 before the first packet.
    """

    __slots__ = (
        "_bad",
        "_base",
        "_clock_rate",
        "_first",
        "_lost_before",
        "_missing",
        "_reported_expected",
        "_reported_received",
        "_transit",
        "duplicates",
        "jitter",
        "late",
        "newest",
        "received",
    )

    def __init__(self, clock_rate: int = 8000) -> None:
        self._clock_rate = clock_rate
        self.newest = -1
        self._base = 0
        self._first = 0
        self._bad = -1
        self._missing: deque[int] | None = None
        self._transit: float | None = None
        self._lost_before = 0
        self._reported_expected = 0
        self._reported_received = 0
        self.received = 0
        self.late = 0
        self.duplicates = 0
        self.jitter = 0.0

    def arrived(self, sequence: int, timestamp: int, now: float) -> int:
        """Count a packet that came at `now` (seconds), and its part in the jitter.

        Returns how far it moved the stream on: 1 for the next one, more after a loss, less than 0
        for a late one, 0 for one to leave alone (a duplicate, or the first after a wild jump),
        RESTARTED where the stream began anew.
        """
        newest = self.newest
        if sequence == (newest + 1) & 0xFFFF and newest >= 0:
            self.newest = newest + 1
            self.received += 1
            step = 1
        else:
            step = self.count(sequence)
            if step <= 0:
                return step
        # RFC 3550 A.8 in floating point; the timestamp wraps every six days, and the wrap looks
        # like a new clock.
        transit = now * self._clock_rate - timestamp
        before = self._transit
        self._transit = transit
        if before is not None:
            change = abs(transit - before)
            if change > MAX_TRANSIT_CHANGE_SECONDS * self._clock_rate:
                return RESTARTED
            self.jitter += (change - self.jitter) / 16
        return step

    def count(self, sequence: int) -> int:
        """Count a packet whose timestamp says nothing of its delay (RFC 4733); as `arrived`."""
        if self.newest < 0:
            self._start(sequence)
            return RESTARTED
        step = (sequence - self.newest) & 0xFFFF
        if 0 < step < MAX_DROPOUT:
            self._note_missing(step)
            self.newest += step
            self.received += 1
            return step
        behind = 0x10000 - step if step else 0
        if behind <= MAX_MISORDER:
            return self._count_late(behind)
        # RFC 3550 A.1: only a second packet in order proves that a wild jump is a restart.
        if sequence != self._bad:
            self._bad = (sequence + 1) & 0xFFFF
            return 0
        self._lost_before = self.lost
        self._start(sequence)
        return RESTARTED

    def new_source(self) -> None:
        """Forget the numbers, since another source begins; totals stay."""
        self._lost_before = self.lost
        self.newest = -1
        self._base = -self.received
        self._transit = None

    @property
    def expected(self) -> int:
        return self.newest - self._base + 1

    @property
    def lost(self) -> int:
        """Packets that never came, as far as can be told; never below 0."""
        return max(0, self._lost_before + self.expected - self.received)

    @property
    def extended_highest(self) -> int:
        """The highest sequence number with its count of wraps, as RTCP reports it."""
        return max(self.newest, 0) & 0xFFFFFFFF

    def loss_since_last_report(self) -> int:
        """Return the fraction lost, in 256ths, since this was last asked (RFC 3550 A.3)."""
        expected = self.expected - self._reported_expected
        received = self.received - self._reported_received
        self._reported_expected += expected
        self._reported_received += received
        if expected <= 0 or received >= expected:
            return 0
        return min(255, (expected - received) * 256 // expected)

    def _start(self, sequence: int) -> None:
        # What was received before stays counted: the base goes back by it.
        self.newest = sequence
        self._first = sequence
        self._base = sequence - self.received
        self._bad = -1
        self._missing = None
        self._transit = None
        self.received += 1

    def _note_missing(self, step: int) -> None:
        if step > 1:
            if self._missing is None:
                self._missing = deque(maxlen=MAX_MISORDER)
            first = self.newest + max(1, step - MAX_MISORDER)
            self._missing.extend(range(first, self.newest + step))

    def _count_late(self, behind: int) -> int:
        number = self.newest - behind
        missing = self._missing
        if behind and (number < self._first or (missing is not None and number in missing)):
            if missing is not None and number in missing:
                missing.remove(number)
            self.received += 1
            self.late += 1
            return -behind
        self.duplicates += 1
        return 0
