"""Measuring tones: how loud given frequencies are in recorded samples (Goertzel's algorithm)."""

import math
from collections.abc import Sequence
from typing import Final

SILENCE_DBFS: Final = -120.0
"""What is told of a frequency that is not there at all."""

_FULL_SCALE: Final = 32768.0


def tone_levels(
    samples: Sequence[int], rate: int, frequencies: Sequence[float]
) -> dict[float, float]:
    """Measure the level of each frequency in dBFS, where a full-scale sine has 0.

    A Hann window keeps frequencies apart that differ by more than 2 / seconds of the samples: 20 Hz
    in 100 ms.
    """
    count = len(samples)
    if count == 0:
        return dict.fromkeys(frequencies, SILENCE_DBFS)
    step = 2 * math.pi / count
    windowed = [
        sample * (0.5 - 0.5 * math.cos(step * index)) for index, sample in enumerate(samples)
    ]
    # The window's mean is one half, and a sine of amplitude A sums up to A * count / 2.
    scale = 4.0 / (count * _FULL_SCALE)
    return {hertz: _decibels(_magnitude(windowed, rate, hertz) * scale) for hertz in frequencies}


def dominant_tone(
    samples: Sequence[int],
    rate: int,
    frequencies: Sequence[float],
    *,
    least_dbfs: float = -45.0,
    margin_decibels: float = 10.0,
) -> float | None:
    """Tell which of the frequencies is heard: loud enough, and louder than the others."""
    levels = tone_levels(samples, rate, frequencies)
    ranked = sorted(frequencies, key=levels.__getitem__, reverse=True)
    if not ranked or levels[ranked[0]] < least_dbfs:
        return None
    if len(ranked) > 1 and levels[ranked[0]] - levels[ranked[1]] < margin_decibels:
        return None
    return ranked[0]


def _magnitude(samples: Sequence[float], rate: int, hertz: float) -> float:
    angle = 2 * math.pi * hertz / rate
    coefficient = 2 * math.cos(angle)
    last = before = 0.0
    for sample in samples:
        last, before = sample + coefficient * last - before, last
    power = last * last + before * before - coefficient * last * before
    return math.sqrt(max(power, 0.0))


def _decibels(amplitude: float) -> float:
    return max(SILENCE_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else SILENCE_DBFS
