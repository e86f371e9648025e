"""Who answered: a person says little and waits, a machine talks on, and beeps."""

import pytest
from media.machines.sounds import carried, packets, silence, tone, voice

from twoleg.media.machine_detection import (
    BEEP_AFTER_SECONDS,
    INITIAL_SILENCE_SECONDS,
    LONG_GREETING_SECONDS,
    AnsweredBy,
    MachineDetector,
    Sign,
    pause_after,
)

BEEP = tone(0.3, 1000)


def listened(*parts, size=160, noise=-55.0, **how):
    """The detector once it has heard it all."""
    detector = MachineDetector()
    for packet in packets(carried(*parts, noise=noise, **how), size):
        detector.take(packet)
    return detector


@pytest.mark.parametrize("level", [-10.0, -25.0, -37.0])
@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_a_few_words_and_a_pause_are_a_person(level, seconds):
    detector = listened(silence(0.4), voice(seconds, level=level), silence(3.0), noise=level - 25)
    verdict = detector.verdict
    assert (verdict.answered_by, verdict.sign) == (AnsweredBy.HUMAN, Sign.SHORT_GREETING)
    assert verdict.seconds == pytest.approx(0.4 + seconds + pause_after(seconds), abs=0.25)


@pytest.mark.parametrize("level", [-10.0, -25.0, -37.0])
def test_who_talks_on_is_a_machine(level):
    talking = voice(8.0, level=level)
    verdict = listened(silence(0.6), talking, noise=level - 25).verdict
    assert (verdict.answered_by, verdict.sign) == (AnsweredBy.MACHINE, Sign.LONG_GREETING)
    assert verdict.seconds == pytest.approx(0.6 + LONG_GREETING_SECONDS, abs=0.25)


def test_a_machine_takes_breath():
    sentence = [voice(1.5), silence(0.6)]
    assert listened(*sentence * 4).verdict.answered_by is AnsweredBy.MACHINE


@pytest.mark.parametrize("noise", [None, -50.0, -35.0])
def test_who_says_nothing_is_not_known(noise):
    verdict = listened(silence(7.0), noise=noise).verdict
    assert (verdict.answered_by, verdict.sign) == (AnsweredBy.UNKNOWN, Sign.SILENCE)
    assert verdict.seconds == INITIAL_SILENCE_SECONDS


@pytest.mark.parametrize(
    "tones",
    [(440,), (425,), (440, 480), (2100,)],
    ids=["a tone", "a dialling tone", "ringing", "a fax"],
)
def test_tones_are_nobody(tones):
    verdict = listened(silence(0.3), tone(9.0, *tones)).verdict
    assert verdict.answered_by is AnsweredBy.UNKNOWN


class TestBeep:
    def test_a_beep_is_a_machine_at_whatever_time(self):
        verdict = listened(silence(0.5), BEEP, silence(0.3)).verdict
        assert (verdict.answered_by, verdict.sign) == (AnsweredBy.MACHINE, Sign.BEEP)
        verdict = listened(silence(0.5), voice(1.5), silence(0.4), BEEP, silence(0.3)).verdict
        assert (verdict.answered_by, verdict.sign) == (AnsweredBy.MACHINE, Sign.BEEP)

    def test_after_a_short_greeting_it_corrects_the_verdict(self):
        detector = listened(voice(1.0), silence(2.0), BEEP, silence(0.3))
        assert detector.verdict.answered_by is AnsweredBy.MACHINE
        assert detector.verdict.seconds == pytest.approx(3.4, abs=0.1)

    def test_after_another_word_it_corrects_nothing(self):
        detector = listened(voice(1.0), silence(2.0), voice(0.5), silence(0.3), BEEP, silence(0.3))
        assert detector.verdict.answered_by is AnsweredBy.HUMAN
        assert detector.beep is not None

    def test_after_too_long_it_corrects_nothing(self):
        detector = listened(voice(1.0), silence(1.5 + BEEP_AFTER_SECONDS), BEEP, silence(0.3))
        assert detector.verdict.answered_by is AnsweredBy.HUMAN

    def test_a_verdict_waits_for_a_tone_to_end(self):
        detector = listened(voice(1.0), silence(0.8), tone(1.0, 1000), silence(0.3))
        assert detector.verdict.sign is Sign.BEEP

    def test_the_beep_behind_a_long_greeting_is_heard_too(self):
        detector = listened(voice(30.0), silence(0.6), BEEP, silence(1.0))
        assert detector.verdict.sign is Sign.LONG_GREETING
        assert detector.beep.ended_at == pytest.approx(30.9, abs=0.05)
        assert detector.quiet_seconds == pytest.approx(1.9, abs=0.15)


@pytest.mark.parametrize("said", [-10.0, -20.0])
def test_a_person_is_heard_while_somebody_else_speaks(said):
    detector = MachineDetector()
    for packet in packets(carried(silence(0.4), voice(0.7, level=-14.0), silence(2.0), noise=-60)):
        detector.take(packet, said)
    assert detector.verdict.answered_by is AnsweredBy.HUMAN


def test_nobody_is_there_for_what_is_said_to_them():
    detector = MachineDetector()
    for packet in packets(carried(silence(0.4), voice(8.0, level=-30.0), noise=-60)):
        detector.take(packet, -12.0)
    assert detector.verdict.answered_by is AnsweredBy.UNKNOWN


class TestFinal:
    def test_a_machine_is_one_at_once(self):
        assert listened(voice(6.0)).is_final

    def test_a_person_is_one_once_no_beep_can_follow(self):
        assert not listened(voice(1.0), silence(2.0)).is_final
        assert listened(voice(1.0), silence(2.0 + BEEP_AFTER_SECONDS)).is_final
        assert listened(voice(1.0), silence(2.0), voice(0.5)).is_final


@pytest.mark.parametrize("size", [80, 160, 240, 333, 8000])
def test_packets_may_be_of_any_length(size):
    detector = listened(voice(0.8), silence(2.0), size=size)
    assert detector.verdict == listened(voice(0.8), silence(2.0)).verdict


def test_silence_that_is_not_sent_is_silence():
    detector = MachineDetector()
    detector.take(carried(silence(0.2), voice(0.8)))
    detector.pass_silence(1.5)
    assert detector.verdict.answered_by is AnsweredBy.HUMAN
    assert detector.seconds == pytest.approx(2.5)


def test_an_hour_of_it_keeps_no_more_than_some_seconds():
    detector = listened(voice(2.0), silence(1.0))
    for _ in range(60):
        detector.pass_silence(60.0)
    assert len(detector._sounds) < 2000
    assert detector.quiet_seconds > 3600
