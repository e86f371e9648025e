"""What we hear of a far end ourselves: the digits that it presses, and audio that is tapped."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from twoleg.media.codec import Codec
from twoleg.media.inband import InbandDigits
from twoleg.media.incoming import AudioSink, Incoming
from twoleg.media.key_presses import PressedDigits, Way
from twoleg.media.waits import Waits


class Hearing:
    """Hears one far end. Few calls need it: it is made when something is heard or listened for."""

    __slots__ = ("_inband", "_incoming", "_listeners", "_pressed", "_tap", "_waits")

    def __init__(self, incoming: Incoming, waits: Waits) -> None:
        self._incoming = incoming
        self._waits = waits
        self._pressed: PressedDigits | None = None
        """None: no digit has come yet."""

        self._listeners = 0
        self._inband: InbandDigits | None = None
        self._tap: AudioSink | None = None

    async def digit(self) -> str:
        """Wait for the next digit that the far end presses. Raises PortClosed."""
        while not self._pressed:
            await self._waits.change()
        return self._pressed.read()

    def press(self, digit: str, way: Way) -> bool:
        """Keep a digit for whoever reads it; False: that press was told of before."""
        if self._pressed is None:
            self._pressed = PressedDigits()
        if not self._pressed.press(digit, way, time.monotonic()):
            return False
        self._waits.wake()
        return True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Find digits in the audio too, where the far end sends no telephone-events."""
        self._listeners += 1
        self.listen()
        try:
            yield
        finally:
            self._listeners -= 1
            self.listen()

    def listen(self) -> None:
        """Begin or end to look for digits in the audio, as is wanted now."""
        remote = self._incoming.remote
        wanted = self._listeners > 0 and remote is not None and remote.dtmf_payload_type is None
        if wanted != (self._inband is not None):
            # The tones themselves go through a bridge as they are.
            self._inband = InbandDigits(self._receive_tones) if wanted else None
            self._set_sink()

    def tap(self, sink: AudioSink | None) -> None:
        """Give every received audio payload to `sink` too, in order of arrival; None ends it."""
        self._tap = sink
        self._set_sink()

    def _set_sink(self) -> None:
        tap, inband = self._tap, self._inband
        if inband is None or tap is None:
            self._incoming.sink = tap if inband is None else inband.take
            return

        def both(codec: Codec, payload: bytes) -> None:
            tap(codec, payload)
            inband.take(codec, payload)

        self._incoming.sink = both

    def _receive_tones(self, digit: str) -> None:
        self.press(digit, Way.TONES)
