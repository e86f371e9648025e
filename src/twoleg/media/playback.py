"""Audio played to a port, frame by frame."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from twoleg.media.codec import Codec
from twoleg.media.outgoing import FRAME_TICKS
from twoleg.media.rtp import MARKER

if TYPE_CHECKING:
    from twoleg.media.clock import FrameClock
    from twoleg.media.port import MediaPort


class NotConnected(Exception):
    """The port has not been told of its far end yet."""


class FrameSource(Protocol):
    """What can be played; `Audio` is one."""

    def frames(self, codec: Codec) -> Sequence[bytes]:
        """Return its frames of 20 ms in a codec."""
        ...


class Playback:
    """One audio on its way to a port. Ends by itself, by `stop`, or when something replaces it."""

    __slots__ = (
        "_audio",
        "_done",
        "_frames",
        "_loop",
        "_next",
        "_port",
        "_running",
        "_subscription",
        "_waiting",
        "_whole",
    )

    def __init__(
        self, port: "MediaPort", audio: FrameSource, clock: "FrameClock", *, loop: bool
    ) -> None:
        assert port.remote is not None
        self._port = port
        self._audio = audio
        self._loop = loop
        self._frames = audio.frames(port.remote.codec)
        self._next = 0
        self._running = False
        self._done = False
        self._whole = False
        self._waiting: list[asyncio.Future[None]] = []
        self._subscription = clock.subscribe(self._tick)

    async def finished(self) -> bool:
        """Wait until the last frame was sent; False: the playback was stopped or replaced."""
        while not self._done:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                await future
            finally:
                self._waiting.remove(future)
        return self._whole

    def stop(self) -> None:
        """End it now. Idempotent."""
        if self._done:
            return
        self._done = True
        self._subscription.cancel()
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._port.playback_ended(self)

    def use(self, codec: Codec) -> None:
        """Go on in another codec, at the same place."""
        self._frames = self._audio.frames(codec)

    def _tick(self) -> None:
        if not self._running and self._port.is_securing:
            return  # nothing of it is to be missed because a browser has no keys yet
        frames = self._frames
        if self._next >= len(frames):
            if not self._loop or not frames:
                self._whole = True
                self.stop()
                return
            self._next = 0
        frame = frames[self._next]
        self._next += 1
        remote = self._port.remote
        if remote is None or not remote.sending:
            # On hold: time goes on, and is made up for at the joint.
            self._running = False
            return
        self._send(frame, remote.payload_type)

    def _send(self, frame: bytes, payload_type: int) -> None:
        outgoing = self._port.outgoing
        now = time.monotonic()
        if self._running:
            sequence = (outgoing.sequence + 1) & 0xFFFF
            timestamp = (outgoing.timestamp + FRAME_TICKS) & 0xFFFFFFFF
            outgoing.send_packet(payload_type, sequence, timestamp, frame, now)
            return
        # Only a packet that really left begins the run: there may be no address yet.
        self._running = outgoing.send is not None
        sequence, timestamp = outgoing.joint(now)
        outgoing.send_packet(MARKER | payload_type, sequence, timestamp, frame, now)
