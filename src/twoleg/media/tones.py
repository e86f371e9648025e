"""Tones made of sines: what a caller hears while a call is set up, and DTMF."""

import math
from array import array
from collections.abc import Sequence
from typing import Final

from twoleg.media.audio import NARROW_BAND, WIDE_BAND, Audio
from twoleg.media.cadences import (
    ATTENTION,
    HOLD,
    SPECIAL_INFORMATION,
    Burst,
    Cadence,
    call_progress,
)

TONE_DBM0: Final = -19.0
"""Level of each frequency of a call-progress tone: two of them together are -16 dBm0.

Networks send between -10 and -25; the middle is neither startling nor missed on a mobile phone.
"""

DTMF_DBM0: Final = -10.0
"""Level of each of a digit's two frequencies, well within what ITU-T Q.24 has receivers accept."""

_FULL_SCALE_DBM0: Final = 3.14
"""Level of the loudest sine that G.711 can carry (A-law; mu-law reaches 3.17)."""

_FULL_SCALE: Final = 32768

_LOW_GROUP: Final = (697, 770, 852, 941)
_HIGH_GROUP: Final = (1209, 1336, 1477, 1633)
DTMF_FREQUENCIES: Final = {
    digit: (low, high)
    for low, row in zip(_LOW_GROUP, ("123A", "456B", "789C", "*0#D"), strict=True)
    for high, digit in zip(_HIGH_GROUP, row, strict=True)
}
"""The two frequencies of each digit (ITU-T Q.23)."""

_FRAME_MILLISECONDS: Final = 20


def ringback(country: str | None) -> Audio:
    """Make one cadence, which loops without a seam; the country is an ISO 3166 code."""
    return cadence_audio(call_progress(country).ringback)


def busy(country: str | None) -> Audio:
    """Make what tells that the far end is busy, as `ringback`."""
    return cadence_audio(call_progress(country).busy)


def congestion(country: str | None) -> Audio:
    """Make what tells that the network has no way to the far end, as `ringback`."""
    return cadence_audio(call_progress(country).congestion)


def special_information() -> Audio:
    """Make the three rising tones before "the number you have dialled", as `ringback`."""
    return cadence_audio(SPECIAL_INFORMATION)


def dtmf(digits: str, *, tone_milliseconds: int = 100, pause_milliseconds: int = 100) -> Audio:
    """Make digits as in-band tones. Raises KeyError for what is not one of 0-9, A-D, * and #."""
    louder = DTMF_DBM0 - TONE_DBM0
    bursts: list[Burst] = []
    for digit in digits:
        frequencies = DTMF_FREQUENCIES[digit.upper()]
        bursts.append(Burst(tone_milliseconds, frequencies, decibels=louder))
        bursts.append(Burst(pause_milliseconds))
    return cadence_audio(tuple(bursts))


def steady(frequencies: Sequence[float], milliseconds: int) -> Audio:
    """Make frequencies that sound together without a pause, at `TONE_DBM0` each."""
    return cadence_audio((Burst(milliseconds, tuple(frequencies)),))


def cadence_audio(cadence: Cadence) -> Audio:
    """Make a cadence, as often as it takes to fill whole frames, so that it loops without a seam.

    Each burst begins at a zero of its waves, so that it begins without a click.
    """
    milliseconds = sum(burst.milliseconds for burst in cadence)
    times = _FRAME_MILLISECONDS // math.gcd(milliseconds, _FRAME_MILLISECONDS)
    pcm = {}
    for rate in (NARROW_BAND, WIDE_BAND):
        once = array("h")
        for burst in cadence:
            once.extend(_samples(burst, rate))
        pcm[rate] = once * times
    return Audio(pcm)


def _samples(burst: Burst, rate: int) -> "array[int]":
    count = burst.milliseconds * rate // 1000
    samples = array("h", bytes(2 * count))
    waves = _waves(burst)
    # Whole numbers of hertz come back to where they began after a second, mostly sooner.
    common = math.gcd(*(int(hertz) for hertz, _ in waves)) if waves else 0
    exact = all(hertz == int(hertz) for hertz, _ in waves)
    period = min(count, rate // common) if exact and common and rate % common == 0 else count
    for hertz, amplitude in waves:
        step = 2 * math.pi * hertz / rate
        for index in range(period):
            samples[index] += round(amplitude * math.sin(step * index))
    for start in range(period, count, period):
        samples[start : start + period] = samples[: min(period, count - start)]
    return samples


def _waves(burst: Burst) -> list[tuple[float, float]]:
    """List the frequencies, and their amplitudes; a modulated one has a side band on each side."""
    level = TONE_DBM0 + burst.decibels - _FULL_SCALE_DBM0
    amplitude = _FULL_SCALE * 10 ** (level / 20)
    waves = [(hertz, amplitude) for hertz in burst.frequencies]
    if burst.modulation is not None:
        for hertz in burst.frequencies:
            waves.append((hertz - burst.modulation, amplitude / 2))
            waves.append((hertz + burst.modulation, amplitude / 2))
    return waves


class ToneBook:
    """Keeps each tone once it was made, so that all calls play the same frames."""

    def __init__(self) -> None:
        self._kept: dict[Cadence, Audio] = {}

    def ringback(self, country: str | None) -> Audio:
        return self._keep(call_progress(country).ringback)

    def busy(self, country: str | None) -> Audio:
        return self._keep(call_progress(country).busy)

    def congestion(self, country: str | None) -> Audio:
        return self._keep(call_progress(country).congestion)

    def special_information(self) -> Audio:
        return self._keep(SPECIAL_INFORMATION)

    def attention(self) -> Audio:
        return self._keep(ATTENTION)

    def hold(self) -> Audio:
        return self._keep(HOLD)

    def _keep(self, cadence: Cadence) -> Audio:
        # Bounded by the cadences of the countries that are listed.
        audio = self._kept.get(cadence)
        if audio is None:
            audio = self._kept[cadence] = cadence_audio(cadence)
        return audio
