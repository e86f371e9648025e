"""What the simulator's numbers sound like: a voice that says nothing, tones, a beep."""

from __future__ import annotations

import math
from array import array
from typing import Final

from twoleg.media import Audio

RATE: Final = 8000
_PITCH: Final = 125
"""Hertz of the voice; divides the rate, so that one period is a whole number of samples."""

_SYLLABLE_SECONDS: Final = 0.22
_VOICE_LEVEL: Final = 9000
_TONE_LEVEL: Final = 8000
_HARMONICS: Final = 24
_FORMANTS: Final = (500.0, 1500.0, 2500.0)
"""Hertz: where the harmonics of an open vowel are strong."""

TONE_HERTZ: Final = 440
BEEP_HERTZ: Final = 1000


def silence(seconds: float) -> array[int]:
    return array("h", bytes(2 * round(RATE * seconds)))


def tone(hertz: float, seconds: float) -> array[int]:
    step = 2 * math.pi * hertz / RATE
    count = round(RATE * seconds)
    return array("h", [round(_TONE_LEVEL * math.sin(step * n)) for n in range(count)])


def voice(seconds: float) -> array[int]:
    """Speak syllables without words, as a telephone carries a voice."""
    period = _period()
    samples = array("h")
    for number in range(round(RATE * seconds)):
        loudness = math.sin(math.pi * (number / RATE / _SYLLABLE_SECONDS % 1)) ** 0.7
        samples.append(round(loudness * period[number % len(period)]))
    return samples


def audio(*parts: array[int]) -> Audio:
    """Give the parts one after the other."""
    whole = array("h")
    for part in parts:
        whole.extend(part)
    return Audio.from_pcm(whole, RATE)


def _period() -> list[float]:
    length = RATE // _PITCH
    weights = [_strength(_PITCH * harmonic) / harmonic for harmonic in range(1, _HARMONICS)]
    wave = [
        sum(
            weight * math.sin(2 * math.pi * harmonic * n / length)
            for harmonic, weight in enumerate(weights, 1)
        )
        for n in range(length)
    ]
    peak = max(map(abs, wave))
    return [_VOICE_LEVEL * sample / peak for sample in wave]


def _strength(hertz: float) -> float:
    return 0.15 + sum(math.exp(-(((hertz - formant) / 180) ** 2)) for formant in _FORMANTS)
