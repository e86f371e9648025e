"""Listening to a far end for who answered: a media port's audio as a machine detector takes it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from twoleg.calls.ports import MediaPort
from twoleg.media import SILENCE_DBFS, Codec, Decoder, MachineDetector, level_of

LOOK_SECONDS: Final = 0.1
"""How often is looked at what was heard: silence makes no event, and sound would make too many."""

_LATE_SECONDS: Final = 0.2
"""Packets that are missing for longer than that were never sent: it is silent there."""

_IDLE_LOOKS: Final = 2

_ECHO_SECONDS: Final = 0.5
"""How long after a word its echo may come, over packet networks on both ways."""

_RATE: Final = 8000


class Voice:
    """How loud somebody speaks: whose echo others may send back."""

    __slots__ = ("_at", "_decoders", "_level", "_loop")

    def __init__(self) -> None:
        self._decoders: dict[Codec, Decoder] = {}
        self._loop = asyncio.get_running_loop()
        self._level = SILENCE_DBFS
        self._at = 0.0

    def take(self, codec: Codec, payload: bytes) -> None:
        """Take the audio of one packet; for `MediaPort.tap`. Never raises."""
        if codec is Codec.G722:
            # It takes longer to decode than all the rest of listening.
            return
        decoder = self._decoders.get(codec)
        if decoder is None:
            decoder = self._decoders[codec] = Decoder(codec)
        level = level_of(decoder.decode(payload))
        if level >= self.level:
            self._level, self._at = level, self._loop.time()

    @property
    def level(self) -> float:
        """The loudest moment, in dBFS, of those of which an echo may still come."""
        return self._level if self._loop.time() - self._at < _ECHO_SECONDS else SILENCE_DBFS


class Listener:
    """Hears one port from its beginning on; what does not come is silence.

    What has come and is still to be read, since the event loop was held up, is none: that nothing
    came is believed once two looks in turn have found so. Made by `listening_to`.
    """

    __slots__ = ("_began_at", "_decoders", "_idle_looks", "_loop", "_other", "detector")

    def __init__(self, other: Voice | None = None) -> None:
        self._other = other
        self.detector = MachineDetector()
        self._decoders: dict[Codec, Decoder] = {}
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._idle_looks = 0

    def take(self, codec: Codec, payload: bytes) -> None:
        """Take the audio of one packet; for `MediaPort.tap`. Never raises."""
        decoder = self._decoders.get(codec)
        if decoder is None:
            decoder = self._decoders[codec] = Decoder(codec)
        samples = decoder.decode(payload)
        if codec is Codec.G722:
            # Voices and beeps lie in the lower band, as digits do.
            samples = samples[::2]
        self._let_pass(len(samples) / _RATE)
        self._idle_looks = 0
        self.detector.take(samples, SILENCE_DBFS if self._other is None else self._other.level)

    def catch_up(self) -> MachineDetector:
        """Let the time pass in which nothing came; give what is known by now."""
        self._idle_looks += 1
        self._let_pass(0.0)
        return self.detector

    def _let_pass(self, seconds: float) -> None:
        if self._idle_looks < _IDLE_LOOKS:
            return
        missing = self._loop.time() - self._began_at - self.detector.seconds - seconds
        if missing > _LATE_SECONDS:
            self.detector.pass_silence(missing)


@contextmanager
def listening_to(port: MediaPort, other: MediaPort | None = None) -> Iterator[Listener]:
    """Hear all that a port receives while the block lasts; nobody else can tap it meanwhile.

    Who speaks to it is at `other`, and is not to be heard back from it.
    """
    voice = None
    if other is not None:
        voice = Voice()
        other.tap(voice.take)
    listener = Listener(voice)
    port.tap(listener.take)
    try:
        yield listener
    finally:
        port.tap(None)
        if other is not None:
            other.tap(None)
