"""Digits as tones in the audio (ITU-T Q.23, Q.24), for far ends without telephone-event."""

import math
from array import array
from collections.abc import Callable, Sequence
from typing import Final

from twoleg.media.codec import Codec
from twoleg.media.decoding import Decoder
from twoleg.media.tones import DTMF_FREQUENCIES

RATE: Final = 8000

_BLOCK: Final = 102
"""Samples that are measured at a time: 12.75 ms keep the frequencies of a group apart."""

_HOP: Final = 51
"""Blocks overlap by half."""

_HITS: Final = 4
"""Blocks in a row that make a digit: 32 ms of tone, which 40 ms have wherever they begin."""

_MISSES: Final = 4
"""Blocks in a row that end one: a dropout of 10 ms makes no second digit of it."""

_LEAST_DBFS: Final = -36.0
"""Level of the weaker tone; networks deliver digits above -29 dBm0, which is 4 dB louder."""

_SHARE: Final = 0.75
"""Of a block's energy, how much the two tones have at least: speech has more beside them."""

_CLEARER: Final = 6.3
"""How many times the power of the others of its group a tone has: 8 dB."""

_MOST_TWIST: Final = 10 ** (6.0 / 10)
_LEAST_TWIST: Final = 10 ** (-10.0 / 10)
"""Power of the higher tone by that of the lower one: +4 to -8 dB (Q.24), and 2 dB of grace."""

_LEAST_ENERGY: Final = _BLOCK * (32768 * 10 ** (_LEAST_DBFS / 20)) ** 2

_LOW: Final = tuple(sorted({low for low, _ in DTMF_FREQUENCIES.values()}))
_HIGH: Final = tuple(sorted({high for _, high in DTMF_FREQUENCIES.values()}))
_DIGITS: Final = {pair: digit for digit, pair in DTMF_FREQUENCIES.items()}
_COEFFICIENTS: Final = {
    hertz: 2 * math.cos(2 * math.pi * hertz / RATE) for hertz in (*_LOW, *_HIGH)
}


class InbandDigits:
    """Finds the digits in one stream. Costs about 1 % of a core while it is fed."""

    __slots__ = ("_decoder", "_digit", "_hits", "_misses", "_on_digit", "_samples", "_seen")

    def __init__(self, on_digit: Callable[[str], None]) -> None:
        self._on_digit = on_digit
        self._decoder: Decoder | None = None
        self._samples = array("h")
        self._seen: str | None = None
        self._hits = 0
        self._misses = 0
        self._digit: str | None = None

    def take(self, codec: Codec, payload: bytes) -> None:
        """Take a packet's payload; tells of a digit once it is sure of it. Never raises."""
        decoder = self._decoder
        if decoder is None or decoder.codec is not codec:
            decoder = self._decoder = Decoder(codec)
        samples = decoder.decode(payload)
        # Digits lie in the lower band of G.722, whose upper one adds little to every other sample.
        self.feed(samples[::2] if codec is Codec.G722 else samples)

    def feed(self, samples: "array[int]") -> None:
        """Take samples of 16 bits at `RATE`."""
        kept = self._samples
        kept.extend(samples)
        start = 0
        while len(kept) - start >= _BLOCK:
            self._judge(digit_in(kept[start : start + _BLOCK]))
            start += _HOP
        del kept[:start]

    def _judge(self, seen: str | None) -> None:
        if self._digit is not None:
            # It goes on, or has ended; another one may follow it without a pause.
            self._misses = 0 if seen == self._digit else self._misses + 1
            if self._misses >= _MISSES:
                self._digit = None
        self._hits = self._hits + 1 if seen is not None and seen == self._seen else int(bool(seen))
        self._seen = seen
        if seen is not None and self._hits == _HITS and seen != self._digit:
            self._digit, self._misses = seen, 0
            self._on_digit(seen)


def digit_in(block: Sequence[int]) -> str | None:
    """Tell which digit's two tones are in a block, and nothing else of note."""
    energy = 0
    for sample in block:
        energy += sample * sample
    if energy < _LEAST_ENERGY:
        return None
    least = energy * len(block) / 2
    low, low_power = _clearest(block, _LOW)
    if low is None or low_power < least * _SHARE * _LEAST_TWIST / 10:
        return None
    high, high_power = _clearest(block, _HIGH)
    if high is None or not _LEAST_TWIST * low_power <= high_power <= _MOST_TWIST * low_power:
        return None
    if low_power + high_power < least * _SHARE:
        return None
    return _DIGITS[low, high]


def _clearest(block: Sequence[int], group: tuple[int, ...]) -> tuple[int | None, float]:
    """Find the one of a group that is clearly louder than the others, and its power."""
    powers = [_power(block, _COEFFICIENTS[hertz]) for hertz in group]
    loudest = max(powers)
    others = sorted(powers)[-2]
    return (group[powers.index(loudest)] if loudest > others * _CLEARER else None), loudest


def _power(block: Sequence[int], coefficient: float) -> float:
    """Goertzel's algorithm: the squared magnitude of one frequency."""
    last = before = 0.0
    for sample in block:
        last, before = sample + coefficient * last - before, last
    return last * last + before * before - coefficient * last * before
