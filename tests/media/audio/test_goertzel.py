"""Measuring tones."""

import math
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.goertzel import SILENCE_DBFS, dominant_tone, tone_levels


def tone(frequency, amplitude, rate=8000, seconds=0.2):
    step = 2 * math.pi * frequency / rate
    return array("h", [round(amplitude * math.sin(step * n)) for n in range(round(rate * seconds))])


def together(*tones):
    return array("h", [sum(samples) for samples in zip(*tones, strict=True)])


@given(
    frequency=st.floats(100, 3900),
    decibels=st.floats(-50, -1),
    rate=st.sampled_from([8000, 16000]),
)
def test_a_sine_s_level_is_measured(frequency, decibels, rate):
    samples = tone(frequency, 32768 * 10 ** (decibels / 20), rate)
    assert tone_levels(samples, rate, [frequency])[frequency] == pytest.approx(decibels, abs=0.3)


def test_tones_that_sound_together_are_told_apart():
    levels = tone_levels(together(tone(440, 8000), tone(480, 800)), 8000, (440, 480, 520, 1000))
    assert levels[440] - levels[480] == pytest.approx(20, abs=0.5)
    assert max(levels[520], levels[1000]) < -60


def test_silence_and_nothing_have_no_tones():
    assert tone_levels(array("h", bytes(320)), 8000, [440]) == {440: SILENCE_DBFS}
    assert tone_levels([], 8000, [440]) == {440: SILENCE_DBFS}
    assert dominant_tone(array("h", bytes(320)), 8000, [440]) is None
    assert dominant_tone(tone(440, 8000), 8000, []) is None


def test_the_dominant_tone_is_loud_enough_and_louder_than_the_others():
    candidates = [440, 700, 1000]
    assert dominant_tone(tone(700, 8000), 8000, candidates) == 700
    assert dominant_tone(tone(700, 100), 8000, candidates) is None
    assert dominant_tone(together(tone(700, 8000), tone(440, 5000)), 8000, candidates) is None
    assert dominant_tone(together(tone(700, 8000), tone(440, 800)), 8000, candidates) == 700


def test_noise_is_no_tone():
    noise = random.Random(5)
    samples = array("h", [noise.randint(-3000, 3000) for _ in range(1600)])
    assert dominant_tone(samples, 8000, [440, 700, 1000], least_dbfs=-30) is None
