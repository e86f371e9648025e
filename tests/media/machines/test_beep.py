"""One tone by itself is a beep; ringing, digits, fax, tunes and voices are none."""

import pytest
from media.machines.sounds import carried, packets, silence, tone, voice

from twoleg.media.beep import BeepDetector
from twoleg.media.pure_tone import SILENCE_DBFS, FrameSound, sound_of


def beeps(*parts, after_voice=True, **how):
    detector = BeepDetector()
    found = []
    for frame in packets(carried(*parts, silence(0.3), **how)):
        if len(frame) == 160:
            beep = detector.take(sound_of(frame), after_voice=after_voice)
            found += [] if beep is None else [beep]
    return found


class TestPureTone:
    @pytest.mark.parametrize("hertz", [400, 425, 613.7, 1000, 1400, 2500])
    @pytest.mark.parametrize("level", [-10.0, -25.0, -40.0])
    def test_a_tone_is_known_with_its_frequency_and_level(self, hertz, level):
        sound = sound_of(carried(tone(0.02, hertz, level=level), shift=0))
        assert sound.hertz == pytest.approx(hertz, rel=0.005)
        assert sound.level == pytest.approx(level, abs=0.5)

    def test_two_tones_and_noise_are_none(self):
        assert sound_of(carried(tone(0.02, 770, 1336))).hertz is None
        assert sound_of(carried(silence(0.02), noise=-20.0)).hertz is None

    def test_nothing_at_all_is_silence(self):
        assert sound_of(silence(0.02)) == FrameSound(SILENCE_DBFS, None)


@pytest.mark.parametrize("hertz", [400, 440, 800, 1000, 1100, 1400, 2000, 2500])
@pytest.mark.parametrize("seconds", [0.13, 0.4, 0.8])
@pytest.mark.parametrize("noise", [None, -31.0])
def test_a_beep_is_heard_a_moment_after_its_end(hertz, seconds, noise):
    [beep] = beeps(silence(0.5), tone(seconds, hertz), noise=noise, shift=37)
    assert beep.hertz == pytest.approx(hertz, rel=0.01)
    assert beep.seconds == pytest.approx(seconds, abs=0.045)
    assert beep.ended_at == pytest.approx(0.5 + seconds, abs=0.045)


def test_a_beep_with_a_lost_packet_in_it_is_one():
    samples = carried(silence(0.2), tone(0.4, 1000), silence(0.3))
    del samples[20 * 160 : 20 * 160 + 100]
    detector = BeepDetector()
    found = [
        detector.take(sound_of(frame), after_voice=True)
        for frame in packets(samples)
        if len(frame) == 160
    ]
    assert len([beep for beep in found if beep]) == 1


@pytest.mark.parametrize(
    "parts",
    [
        [tone(0.08, 1000)],
        [tone(2.4, 1000)],
        [tone(3.3, 2100)],
        [tone(0.5, 300)],
        [tone(0.5, 3000)],
        [tone(2.0, 440, 480)],
        [tone(0.4, 400, 450), silence(0.2), tone(0.4, 400, 450)],
        [tone(0.1, 697, 1209), silence(0.1), tone(0.5, 941, 1336)],
        [tone(1.0, 425), silence(4.0), tone(1.0, 425)],
        [tone(0.33, 950), tone(0.33, 1400), tone(0.33, 1800)],
        [tone(0.33, 950), silence(0.03), tone(0.33, 1400), silence(0.03), tone(0.33, 1800)],
        [voice(5.0)],
    ],
    ids=[
        "a click",
        "too long",
        "fax answering",
        "too low",
        "too high",
        "ringing in America",
        "ringing in Britain",
        "digits",
        "ringing in Europe",
        "special information tones",
        "special information tones with gaps",
        "a voice",
    ],
)
def test_what_is_no_beep(parts):
    assert beeps(silence(0.3), *parts) == []


def test_a_fax_that_calls_and_a_short_low_tone_are_beeps_after_a_voice_only():
    for sound in (tone(0.5, 1100), tone(0.4, 425)):
        assert beeps(silence(0.3), sound, silence(3.0), after_voice=False) == []
        assert len(beeps(silence(0.3), sound, silence(3.0), after_voice=True)) == 1
