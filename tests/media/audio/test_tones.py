"""Call-progress tones, measured as a caller would hear them."""

import math
from itertools import pairwise

import pytest

from twoleg.media.cadences import (
    ATTENTION,
    BY_COUNTRY,
    DEFAULT,
    HOLD,
    SPECIAL_INFORMATION,
    Burst,
    call_progress,
)
from twoleg.media.codec import Codec
from twoleg.media.g711 import decode_alaw, decode_ulaw
from twoleg.media.goertzel import dominant_tone, tone_levels
from twoleg.media.tones import (
    DTMF_FREQUENCIES,
    TONE_DBM0,
    ToneBook,
    busy,
    cadence_audio,
    congestion,
    dtmf,
    ringback,
    special_information,
    steady,
)

EVERY_CADENCE = {
    (country, name): getattr(tones, name)
    for country, tones in {**BY_COUNTRY, "default": DEFAULT}.items()
    for name in ("ringback", "busy", "congestion")
} | {
    ("any", "special information"): SPECIAL_INFORMATION,
    ("any", "attention"): ATTENTION,
    ("any", "hold"): HOLD,
}

TONE_DBFS = TONE_DBM0 - 3.14


def heard(audio, seconds=None):
    samples = decode_ulaw(b"".join(audio.frames(Codec.PCMU)))
    if seconds is None:
        return samples
    return samples[round(seconds[0] * 8000) : round(seconds[1] * 8000)]


def loudness(samples):
    """In dBFS of a sine with the same power."""
    power = sum(sample * sample for sample in samples) / len(samples)
    return 10 * math.log10(2 * power / 32768**2) if power else -120.0


@pytest.mark.parametrize("name", EVERY_CADENCE, ids="-".join)
def test_every_cadence_fills_whole_frames_and_sounds_as_listed(name):
    cadence = EVERY_CADENCE[name]
    audio = cadence_audio(cadence)
    milliseconds = sum(burst.milliseconds for burst in cadence)
    assert round(audio.seconds * 1000) % 20 == 0
    assert round(audio.seconds * 1000) % milliseconds == 0
    samples = heard(audio)
    begin = 0.0
    for burst in cadence * (round(audio.seconds * 1000) // milliseconds):
        end = begin + burst.milliseconds / 1000
        part = samples[round(begin * 8000) + 8 : round(end * 8000) - 8]
        if not burst.frequencies:
            assert not any(part)
        else:
            levels = tone_levels(part, 8000, burst.frequencies)
            for level in levels.values():
                assert level == pytest.approx(TONE_DBFS + burst.decibels, abs=1.0)
        begin = end
    assert begin == pytest.approx(audio.seconds)


def test_american_ringback_is_two_seconds_of_440_and_480_hertz():
    audio = ringback("US")
    assert audio.seconds == 6.0
    levels = tone_levels(heard(audio, (0.5, 1.5)), 8000, (440, 480, 350, 620))
    assert levels[440] == pytest.approx(TONE_DBFS, abs=0.3)
    assert levels[480] == pytest.approx(TONE_DBFS, abs=0.3)
    assert max(levels[350], levels[620]) < -60
    assert loudness(heard(audio, (2.0, 6.0))) < -100


def test_british_ringback_rings_twice():
    audio = ringback("gb")
    rings = [loudness(heard(audio, (at, at + 0.1))) > -40 for at in (0.1, 0.45, 0.75, 1.1, 2.8)]
    assert rings == [True, False, True, False, False]


def test_indian_ringback_swells_twenty_five_times_a_second():
    levels = tone_levels(heard(ringback("IN"), (0.0, 0.4)), 8000, (400, 375, 425, 350))
    assert levels[400] == pytest.approx(TONE_DBFS, abs=0.5)
    assert levels[375] == pytest.approx(TONE_DBFS - 6, abs=0.5)
    assert levels[425] == pytest.approx(TONE_DBFS - 6, abs=0.5)
    assert levels[350] < -55


def test_the_special_information_tone_rises_three_times():
    audio = special_information()
    tones = [950, 1400, 1800]
    at = (0.05, 0.38, 0.71)
    assert [dominant_tone(heard(audio, (t, t + 0.25)), 8000, tones) for t in at] == tones


def test_a_country_that_is_not_listed_hears_what_e_180_recommends():
    assert call_progress("ZZ") is DEFAULT
    assert call_progress(None) is DEFAULT
    assert call_progress("us") is call_progress("CA")
    assert ringback("ZZ").seconds == 5.0
    assert dominant_tone(heard(busy(None), (0.0, 0.5)), 8000, [400, 425, 440, 480]) == 425
    assert congestion("").seconds == 0.5


@pytest.mark.parametrize("frequencies", [(440, 480), (400,), (350.5,)])
def test_a_steady_tone_loops_without_a_seam(frequencies):
    audio = steady(frequencies, 2000)
    twice = heard(audio) * 2
    inside = max(abs(b - a) for a, b in pairwise(twice[:8000]))
    seam = abs(twice[16000] - twice[15999])
    assert seam <= inside


def test_bursts_begin_without_a_click():
    samples = decode_alaw(b"".join(busy("US").frames(Codec.PCMA)))
    assert abs(samples[0]) <= 8


@pytest.mark.parametrize("digit", DTMF_FREQUENCIES)
def test_each_digit_has_its_two_frequencies(digit):
    samples = heard(dtmf(digit), (0.0, 0.1))
    every = sorted({hertz for pair in DTMF_FREQUENCIES.values() for hertz in pair})
    levels = tone_levels(samples, 8000, every)
    loudest = sorted(every, key=levels.__getitem__)[-2:]
    assert sorted(loudest) == sorted(DTMF_FREQUENCIES[digit])
    assert min(levels[hertz] for hertz in loudest) > -15
    assert max(levels[hertz] for hertz in every if hertz not in loudest) < -40


def test_digits_follow_one_another_with_pauses():
    audio = dtmf("1#", tone_milliseconds=80, pause_milliseconds=60)
    assert audio.seconds == pytest.approx(0.28)
    assert loudness(heard(audio, (0.09, 0.13))) < -100
    assert dominant_tone(heard(audio, (0.14, 0.22)), 8000, [697, 941]) == 941
    with pytest.raises(KeyError):
        dtmf("E")


def test_a_tone_book_makes_each_tone_once():
    book = ToneBook()
    assert book.ringback("US") is book.ringback("ca")
    assert book.busy("GB") is book.busy("GB")
    assert book.busy("GB") is not book.busy("DE")
    assert book.congestion("ZZ") is book.congestion(None)
    assert book.special_information() is book.special_information()
    assert ToneBook().ringback("US") is not book.ringback("US")


def test_a_burst_of_half_hertz_is_made_as_asked():
    samples = heard(cadence_audio((Burst(1000, (425.5,)),)))
    levels = tone_levels(samples, 8000, (425.5, 423, 428))
    assert levels[425.5] == pytest.approx(TONE_DBFS, abs=0.3)
    assert max(levels[423], levels[428]) < levels[425.5] - 25
