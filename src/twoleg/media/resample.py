"""Changing a recording's sample rate, with the low-pass filter that this needs."""

import math
from array import array
from collections.abc import Sequence
from operator import mul
from typing import Final

_LOBES: Final = 24
"""Zero crossings of the filter on each side, at the lower of the two rates."""

_KAISER_BETA: Final = 5.65
"""60 dB down in the stop band: fainter than the steps of the telephone's own codecs."""

_TRANSITION: Final = 0.075
"""Width of the filter's slope, as a part of the lower rate, that so many lobes give."""

_BLOCK_SAMPLES: Final = 1 << 14
"""Output samples made at a time, so that memory does not grow with the recording."""


class Resampler:
    """Gives 16-bit mono samples of one rate at another, cut off below half of the lower rate.

    It takes about 0.1 s of CPU for a second of audio.
    """

    __slots__ = ("_down", "_phases", "_taps", "_up")

    def __init__(self, rate: int, to_rate: int) -> None:
        common = math.gcd(rate, to_rate)
        self._up = to_rate // common
        self._down = rate // common
        self._phases = _phases(rate, to_rate, self._up)
        self._taps = len(self._phases[0])

    def length(self, count: int) -> int:
        """How many samples `count` of them become."""
        return -(-count * self._up // self._down)

    def part(self, samples: "array[int]", start: int, end: int) -> "array[int]":
        """Make samples `start` to `end` of the result; silence surrounds the recording."""
        up, down, taps, phases = self._up, self._down, self._taps, self._phases
        if start >= end:
            return array("h")
        before = taps // 2 - 1
        first = start * down // up - before
        last = (end - 1) * down // up - before + taps
        source = _padded(samples, first, last)
        resampled = array("h", bytes(2 * (end - start)))
        for index in range(start, end):
            position, phase = divmod(index * down, up)
            at = position - before - first
            value = round(sum(map(mul, phases[phase], source[at : at + taps])))
            resampled[index - start] = 32767 if value > 32767 else max(value, -32768)
        return resampled


def resample(samples: "array[int]", rate: int, to_rate: int) -> "array[int]":
    """Return the whole of a recording at another rate, as Resampler has it."""
    resampler = Resampler(rate, to_rate)
    length = resampler.length(len(samples))
    resampled = array("h")
    for start in range(0, length, _BLOCK_SAMPLES):
        resampled.extend(resampler.part(samples, start, min(start + _BLOCK_SAMPLES, length)))
    return resampled


def _padded(samples: "array[int]", first: int, last: int) -> list[float]:
    """Take samples `first` to `last`, with silence before and after the recording."""
    inside = samples[max(first, 0) : max(last, 0)]
    silence_before = max(-first, 0)
    return [
        *(0.0 for _ in range(silence_before)),
        *map(float, inside),
        *(0.0 for _ in range(last - first - silence_before - len(inside))),
    ]


def _phases(rate: int, to_rate: int, up: int) -> Sequence[tuple[float, ...]]:
    """List a filter for each position of an output sample between two input samples.

    Each lets a constant pass as it is.
    """
    lower = min(rate, to_rate)
    cutoff = lower * (1 - _TRANSITION) / rate  # in half cycles of the input's rate
    half_width = math.ceil(_LOBES * rate / lower)
    window_scale = _bessel_i0(_KAISER_BETA)
    phases = []
    for phase in range(up):
        taps = []
        for offset in range(1 - half_width, half_width + 1):
            distance = offset - phase / up
            edge = max(0.0, 1 - (distance / half_width) ** 2)
            window = _bessel_i0(_KAISER_BETA * math.sqrt(edge)) / window_scale
            taps.append(_sinc(cutoff * distance) * window)
        gain = sum(taps)
        phases.append(tuple(tap / gain for tap in taps))
    return phases


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _bessel_i0(x: float) -> float:
    """Sum the series of the modified Bessel function of the first kind, of order zero."""
    term = total = 1.0
    k = 0
    while term > total * 1e-12:
        k += 1
        term *= (x / (2 * k)) ** 2
        total += term
    return total
