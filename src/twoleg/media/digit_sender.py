"""Digits that we send ourselves, as telephone-events in place of audio (RFC 4733)."""

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from twoleg.media.codec import Codec
from twoleg.media.dtmf import event_payload
from twoleg.media.outgoing import FRAME_TICKS
from twoleg.media.rtp import MARKER

if TYPE_CHECKING:
    from twoleg.media.clock import FrameClock
    from twoleg.media.port import MediaPort

TONE_FRAMES: Final = 5
"""A digit lasts 100 ms."""

PAUSE_FRAMES: Final = 3
"""60 ms follow it."""

END_PACKETS: Final = 3
"""The last packet of a digit is sent so often (RFC 4733 section 2.5.1.4)."""

MAX_UNSENT: Final = 32
"""Digits that wait for their turn; further ones are dropped."""


class DigitSender:
    """Sends digits one after another to a port, and ends by itself after the last."""

    __slots__ = ("_began", "_digits", "_done", "_frame", "_port", "_subscription")

    def __init__(self, port: "MediaPort", clock: "FrameClock") -> None:
        self._port = port
        self._digits: deque[str] = deque()
        self._frame = 0
        self._began = 0
        self._done = False
        self._subscription = clock.subscribe(self._tick)

    def add(self, digit: str) -> None:
        """Send one more digit."""
        if len(self._digits) < MAX_UNSENT:
            self._digits.append(digit)

    def use(self, codec: Codec) -> None:
        """Go on after a change of codec, which digits are not concerned with."""

    def stop(self) -> None:
        """End it now. Idempotent."""
        if not self._done:
            self._done = True
            self._subscription.cancel()
            self._port.playback_ended(self)

    def _tick(self) -> None:
        remote = self._port.remote
        if not self._digits or remote is None or remote.dtmf_payload_type is None:
            self.stop()
            return
        if self._frame < TONE_FRAMES:
            self._send(remote.dtmf_payload_type)
        self._frame += 1
        if self._frame == TONE_FRAMES + PAUSE_FRAMES:
            self._frame = 0
            self._digits.popleft()

    def _send(self, payload_type: int) -> None:
        outgoing, now = self._port.outgoing, time.monotonic()
        frame = self._frame + 1
        begins, ends = frame == 1, frame == TONE_FRAMES
        if begins:
            sequence, self._began = outgoing.joint(now)
            payload_type |= MARKER
        else:
            sequence = (outgoing.sequence + 1) & 0xFFFF
        payload = event_payload(self._digits[0], FRAME_TICKS * frame, end=ends)
        for _ in range(END_PACKETS if ends else 1):
            # All packets of a digit have its beginning as their timestamp (section 2.2.1).
            outgoing.send_packet(payload_type, sequence, self._began, payload, now)
            sequence = (sequence + 1) & 0xFFFF
        # Whatever follows goes on from where the digit is by now.
        outgoing.timestamp = (self._began + FRAME_TICKS * (frame - 1)) & 0xFFFFFFFF
