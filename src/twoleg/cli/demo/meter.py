"""Measures for how long, and how loud, a tone is in the audio that a phone receives."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from twoleg.cli.demo.script import HEARD_DBFS, MARGIN_DECIBELS
from twoleg.media import Codec, Decoder, tone_levels

WINDOW_SECONDS = 0.2


class ToneMeter:
    """Takes received payloads, as the sink of `MediaPort.tap`; measures window by window."""

    def __init__(self, wanted: int, unwanted: int, on_heard: Callable[[], None]) -> None:
        """Look for `wanted` Hz, well above `unwanted` Hz; call `on_heard` when it first comes."""
        self._wanted = wanted
        self._unwanted = unwanted
        self._on_heard = on_heard
        self._decoder: Decoder | None = None
        self._samples = array("h")
        self._levels: list[float] = []

    @property
    def seconds(self) -> float:
        """For how long it was heard in all."""
        return round(len(self._levels) * WINDOW_SECONDS, 1)

    @property
    def level(self) -> float | None:
        """The median of its level in dBFS while it was heard; None if it never was."""
        if not self._levels:
            return None
        return round(sorted(self._levels)[len(self._levels) // 2], 1)

    def receive(self, codec: Codec, payload: bytes) -> None:
        """Take one packet's payload."""
        if self._decoder is None or self._decoder.codec is not codec:
            self._decoder = Decoder(codec)
            self._samples = array("h")
        self._samples.extend(self._decoder.decode(payload))
        if len(self._samples) >= WINDOW_SECONDS * codec.sample_rate:
            self._measure(codec.sample_rate)
            self._samples = array("h")

    def _measure(self, rate: int) -> None:
        levels = tone_levels(self._samples, rate, (self._wanted, self._unwanted))
        level = levels[self._wanted]
        if level >= HEARD_DBFS and level - levels[self._unwanted] >= MARGIN_DECIBELS:
            self._levels.append(level)
            if len(self._levels) == 1:
                self._on_heard()
