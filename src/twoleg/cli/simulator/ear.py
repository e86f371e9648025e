"""What a number hears of the caller: whether it speaks, and for how long it has been silent."""

from __future__ import annotations

import asyncio
from array import array
from typing import Final

from twoleg.media import Codec, Decoder

_LOUD: Final = 300
"""Mean of the samples' sizes, of 32768: quieter is no speech."""

_LOOK_SECONDS: Final = 0.05


class Ear:
    """Is given what the caller sends, as the sink of `MediaPort.tap`."""

    def __init__(self) -> None:
        self._decoders: dict[Codec, Decoder] = {}
        self._loop = asyncio.get_running_loop()
        self._spoken_seconds = 0.0
        self._heard_at = self._loop.time()

    def take(self, codec: Codec, payload: bytes) -> None:
        """Take the audio of one packet."""
        decoder = self._decoders.setdefault(codec, Decoder(codec))
        samples = decoder.decode(payload)
        if _size(samples) > _LOUD:
            self._spoken_seconds += len(samples) / codec.sample_rate
            self._heard_at = self._loop.time()

    async def speech(self, seconds: float) -> None:
        """Wait until the caller has spoken for so long, pauses between words left out."""
        # Each packet as an event would be many more than these looks.
        while self._spoken_seconds < seconds:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    async def silence(self, seconds: float) -> None:
        """Wait until the caller has been silent for so long."""
        while self._loop.time() - self._heard_at < seconds:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)


def _size(samples: array[int]) -> float:
    return sum(map(abs, samples)) / (len(samples) or 1)
