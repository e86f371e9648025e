"""Waiting until whoever answered has said hello: nobody talks over them."""

from __future__ import annotations

import asyncio
from array import array
from typing import Final

from twoleg.media import Codec, Decoder

LONGEST_WAIT_SECONDS: Final = 3.0
"""Who says nothing is spoken to."""

PAUSE_SECONDS: Final = 0.6
"""So much silence after the first word, and it is our turn."""

_LOUD: Final = 500
"""Mean of the samples' sizes, of 32768: louder than a quiet room, quieter than a quiet voice."""

_LOOK_SECONDS: Final = 0.05

CLICK_PACKETS: Final = 3
"""What is shorter is no word."""


class Greeting:
    """Is given what the far end sends, and knows when its first words are over."""

    def __init__(self) -> None:
        self._decoders: dict[Codec, Decoder] = {}
        self._loop = asyncio.get_running_loop()
        self._loud = 0
        self._loud_at = 0.0
        self._begun = asyncio.Event()

    def take(self, codec: Codec, payload: bytes) -> None:
        """Take the audio of one packet; for `MediaPort.tap`."""
        decoder = self._decoders.get(codec)
        if decoder is None:
            decoder = self._decoders[codec] = Decoder(codec)
        if _size(decoder.decode(payload)) > _LOUD:
            self._loud += 1
            self._loud_at = self._loop.time()
            if self._loud >= CLICK_PACKETS:
                self._begun.set()

    async def over(self) -> None:
        """Wait until the first words are over, or none come."""
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await self._begun.wait()
                # Silence makes no event, and sound would make too many.
                while not self._is_quiet():  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            pass

    def _is_quiet(self) -> bool:
        return self._loop.time() - self._loud_at >= PAUSE_SECONDS


def _size(samples: array[int]) -> float:
    return sum(map(abs, samples)) / (len(samples) or 1)
