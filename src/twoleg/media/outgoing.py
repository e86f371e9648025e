"""The stream that we send: one SSRC whose numbering never breaks, whatever its source."""

import os
from collections.abc import Callable
from typing import Any, Final

from twoleg.media.rtp import HEADER, PLAIN_FIRST_BYTE

CLOCK_RATE: Final = 8000
"""All codecs here count RTP time at 8000 Hz."""

FRAME_TICKS: Final = 160
"""20 ms."""


class Outgoing:
    """Numbers of one sent stream (RFC 3550 section 5.1), and its counts for sender reports.

    `sequence` and `timestamp` are those of the newest packet sent, at `sent_at`. `send` takes a
    datagram; None: there is nowhere to send yet. The relay writes to these fields itself.
    """

    __slots__ = (
        "octets",
        "packets",
        "send",
        "sent_at",
        "sequence",
        "ssrc",
        "timestamp",
    )

    def __init__(self) -> None:
        self.send: Callable[[Any], int] | None = None
        # One question to the kernel for all three (RFC 3550 5.1): they are not to be guessed.
        unforeseen = int.from_bytes(os.urandom(10))
        self.ssrc = unforeseen & 0xFFFFFFFF
        self.timestamp = unforeseen >> 32 & 0xFFFFFFFF
        self.sequence = unforeseen >> 64 & 0x7FFF
        self.sent_at: float | None = None
        self.packets = 0
        self.octets = 0

    def joint(self, now: float) -> tuple[int, int]:
        """Return the sequence number and timestamp with which another source goes on.

        The next number, and a timestamp later by the time that passed, so that the listener's
        jitter buffer neither drops the new source as old nor waits for what was never sent.
        """
        if self.sent_at is None:
            return self.sequence, self.timestamp
        ticks = max(FRAME_TICKS, round((now - self.sent_at) * CLOCK_RATE))
        return (self.sequence + 1) & 0xFFFF, (self.timestamp + ticks) & 0xFFFFFFFF

    def timestamp_at(self, now: float) -> int:
        """Return the RTP time that corresponds to `now`, for a sender report (RFC 3550 6.4.1)."""
        if self.sent_at is None:
            return self.timestamp
        ticks = round((now - self.sent_at) * CLOCK_RATE)
        return (self.timestamp + ticks) & 0xFFFFFFFF

    def send_packet(
        self,
        second: int,
        sequence: int,
        timestamp: int,
        payload: bytes | bytearray | memoryview,
        now: float,
    ) -> None:
        """Send a packet; `second` is the header's second byte, marker and payload type.

        A late packet leaves the newest numbers alone. What cannot be sent is lost, as on any wire.
        """
        send = self.send
        if send is None:
            return
        if self.sent_at is None or (sequence - self.sequence) & 0xFFFF < 0x8000:
            self.sequence = sequence
            self.timestamp = timestamp
            self.sent_at = now
        self.packets += 1
        self.octets += len(payload)
        header = HEADER.pack(PLAIN_FIRST_BYTE, second, sequence, timestamp, self.ssrc)
        try:
            send(header + payload)
        except OSError:
            return
