"""Telling a pure tone from everything else, in 20 ms of audio and at whatever frequency."""

import math
from array import array
from operator import mul
from typing import Final, NamedTuple

RATE: Final = 8000
FRAME_SAMPLES: Final = 160

SILENCE_DBFS: Final = -90.0
"""Lower levels are told as this one; G.711 has none between it and no sound at all."""

_HALF: Final = FRAME_SAMPLES // 2
_FULL_SCALE_POWER: Final = 32768.0**2 / 2

_LEAST_DBFS: Final = -48.0
"""Fainter tones are not looked for."""

_SHARE: Final = 0.7
"""Of the energy, how much the tone has at least: a vowel has more beside its loudest harmonic."""

_MOST_UNLIKE: Final = 10**0.3
"""Between the powers of the two halves: 3 dB. Two tones beat, as ringback does; speech swells."""


class FrameSound(NamedTuple):
    """What is heard in one frame: its level in dBFS, and its frequency if it is one pure tone."""

    level: float
    hertz: float | None
    is_echo: bool = False
    """It may be what was said to the far end."""


def sound_of(frame: "array[int]") -> FrameSound:
    """Measure `FRAME_SAMPLES` samples of 16 bits at `RATE`. Takes about 0.05 ms."""
    level = level_of(frame)
    return FrameSound(level, _hertz(frame) if level >= _LEAST_DBFS else None)


def level_of(samples: "array[int]") -> float:
    """Measure samples of 16 bits: their level in dBFS, where a full-scale sine has 0."""
    if not samples:
        return SILENCE_DBFS
    mean = sum(samples) / len(samples)
    power = sum(map(mul, samples, samples)) / len(samples) - mean * mean
    if power <= 0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 10 * math.log10(power / _FULL_SCALE_POWER))


def _hertz(frame: "array[int]") -> float | None:
    # Pisarenko's estimate for one sinusoid, from the correlation at one and two samples' distance:
    # white noise beside the tone adds to neither.
    near = sum(map(mul, frame, frame[1:]))
    far = sum(map(mul, frame, frame[2:]))
    root = math.sqrt(far * far + 8.0 * near * near)
    # The same twice, each where it is not the difference of two numbers that are nearly equal.
    above, below = (2.0 * near, root - far) if far < 0 else (far + root, 4.0 * near)
    if abs(above) >= abs(below):
        return None
    cosine = above / below
    angle = math.acos(cosine)
    first, second = frame[:_HALF], frame[_HALF:]
    one, other = _component(first, angle), _component(second, angle)
    powers = abs(one) ** 2, abs(other) ** 2
    if max(powers) > min(powers) * _MOST_UNLIKE:
        return None
    energies = sum(map(mul, first, first)) + sum(map(mul, second, second))
    # A sine of amplitude A has the energy A * A * n / 2 in n samples, and the component A * n / 2.
    if 2 * sum(powers) / _HALF < _SHARE * energies:
        return None
    # How far the phase has moved from one half to the next tells the frequency exactly.
    drift = math.remainder(_phase(other) - _phase(one) - angle * _HALF, 2 * math.pi)
    return (angle + drift / _HALF) * RATE / (2 * math.pi)


def _component(samples: "array[int]", angle: float) -> complex:
    """Goertzel's algorithm, with the phase: as of the first sample."""
    coefficient = 2 * math.cos(angle)
    last = before = 0.0
    for sample in samples:
        last, before = sample + coefficient * last - before, last
    turned = complex(last - before * math.cos(angle), before * math.sin(angle))
    back = -angle * (len(samples) - 1)
    return turned * complex(math.cos(back), math.sin(back))


def _phase(component: complex) -> float:
    return math.atan2(component.imag, component.real)
