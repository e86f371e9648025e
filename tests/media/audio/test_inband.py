"""Digits found in audio: at every level and place, and in nothing else (ITU-T Q.24)."""

import math
import random
from array import array

import pytest

from twoleg.media.codec import Codec
from twoleg.media.inband import InbandDigits
from twoleg.media.tones import DTMF_FREQUENCIES, dtmf, ringback

DIGITS = "".join(DTMF_FREQUENCIES)


def tone(digit, milliseconds, *, low=-10.0, high=-10.0, off=0.0, snr=None, seed=1):
    """A digit at the levels (dBm0) of its two frequencies, `off` by a share of them, in noise."""
    noise = random.Random(seed)
    waves = [
        (hertz * (1 + off), amplitude(level))
        for hertz, level in zip(DTMF_FREQUENCIES[digit], (low, high), strict=True)
    ]
    spread = 0.0 if snr is None else amplitude(max(low, high) - snr)
    return array(
        "h",
        (
            clipped(
                sum(peak * math.sin(2 * math.pi * hertz * n / 8000) for hertz, peak in waves)
                + (noise.gauss(0, spread) if spread else 0.0)
            )
            for n in range(milliseconds * 8)
        ),
    )


def amplitude(dbm0):
    return 32768 * 10 ** ((dbm0 - 3.14) / 20)


def clipped(value):
    return max(-32768, min(32767, round(value)))


def pause(milliseconds):
    return array("h", bytes(16 * milliseconds))


def found(*parts, shift=0):
    """What is found in parts that follow one another, given in packets of 20 ms."""
    digits = []
    finder = InbandDigits(digits.append)
    samples = array("h", bytes(2 * shift))
    for part in (*parts, pause(60)):
        samples.extend(part)
    for start in range(0, len(samples), 160):
        finder.feed(samples[start : start + 160])
    return "".join(digits)


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("level", [-3.0, -10.0, -20.0, -29.0])
def test_forty_milliseconds_are_enough_wherever_they_begin(digit, level):
    for shift in range(0, 51, 10):
        assert found(tone(digit, 40, low=level, high=level), shift=shift) == digit


@pytest.mark.parametrize("milliseconds", [5, 10, 15, 20, 23])
def test_what_is_shorter_than_23_milliseconds_is_no_digit(milliseconds):
    for shift in range(0, 51, 10):
        assert found(tone("5", milliseconds), shift=shift) == ""


def test_a_key_held_is_one_digit():
    assert found(tone("8", 2000)) == "8"


def test_the_same_key_twice_is_two_digits_and_a_short_dropout_is_none():
    assert found(tone("1", 60), pause(40), tone("1", 60)) == "11"
    assert found(tone("1", 60), pause(8), tone("1", 60)) == "1"


def test_digits_follow_one_another():
    assert found(*(part for digit in DIGITS for part in (tone(digit, 50), pause(50)))) == DIGITS


@pytest.mark.parametrize("off", [-0.015, 0.015])
@pytest.mark.parametrize("digit", DIGITS)
def test_frequencies_may_be_off_by_a_hundredth_and_a_half(digit, off):
    assert found(tone(digit, 50, off=off)) == digit


@pytest.mark.parametrize("digit", "1590")
def test_frequencies_that_are_off_by_more_are_no_digit(digit):
    assert found(tone(digit, 100, off=0.05)) == ""
    assert found(tone(digit, 100, off=-0.05)) == ""


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-14.0, -10.0, DIGITS),
        (-10.0, -18.0, DIGITS),
        (-20.0, -10.0, ""),
        (-10.0, -23.0, ""),
    ],
)
def test_twist_is_accepted_from_four_above_to_eight_below(low, high, expected):
    parts = [part for digit in DIGITS for part in (tone(digit, 60, low=low, high=high), pause(60))]
    assert found(*parts) == expected


@pytest.mark.parametrize("snr", [20.0, 15.0])
@pytest.mark.parametrize("seed", range(5))
def test_noise_hides_no_digit(snr, seed):
    parts = [tone(digit, 60, snr=snr, seed=seed) for digit in DIGITS]
    assert found(*(piece for part in parts for piece in (part, pause(60)))) == DIGITS


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_no_digit(seed):
    noise = random.Random(seed)
    assert found(array("h", (clipped(noise.gauss(0, 3000)) for _ in range(40_000)))) == ""


def voiced(pitch, formants, seconds, seed):
    """Harmonics of a wavering pitch, the low ones loud, and all near gliding formants: a vowel."""
    chance = random.Random(seed)
    samples = array("h")
    phase = 0.0
    for n in range(int(seconds * 8000)):
        at = n / 8000
        hertz = pitch * (1 + 0.05 * math.sin(2 * math.pi * 4.7 * at))
        phase += 2 * math.pi * hertz / 8000
        value = 0.0
        for harmonic in range(1, int(3400 / hertz)):
            nearness = sum(
                1 / (1 + ((harmonic * hertz - f * (1 + 0.2 * math.sin(3 * at))) / 80) ** 2)
                for f in formants
            )
            value += (0.5 / harmonic + nearness) * math.sin(harmonic * phase)
        samples.append(clipped(4000 * value + chance.gauss(0, 40)))
    return samples


@pytest.mark.parametrize("pitch", [90, 120, 174, 220, 235])
@pytest.mark.parametrize("formants", [(700, 1220), (860, 1480), (940, 1630), (770, 1340, 2500)])
def test_vowels_whose_formants_lie_at_the_tones_are_no_digits(pitch, formants):
    assert found(voiced(pitch, formants, 1.0, seed=pitch)) == ""


def test_one_tone_of_the_two_is_no_digit():
    assert found(tone("5", 200, high=-90.0)) == found(tone("5", 200, low=-90.0)) == ""


@pytest.mark.parametrize("country", ["US", "DE", "GB"])
def test_the_networks_tones_are_no_digits(country):
    digits = []
    finder = InbandDigits(digits.append)
    for frame in ringback(country).frames(Codec.PCMU)[:150]:
        finder.take(Codec.PCMU, frame)
    assert digits == []


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA, Codec.G722])
def test_digits_are_found_in_what_comes_in_every_codec(codec):
    digits = []
    finder = InbandDigits(digits.append)
    for frame in dtmf("159#").frames(codec):
        finder.take(codec, frame)
    assert digits == list("159#")
