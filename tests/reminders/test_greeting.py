"""Nobody is talked over: the first words of whoever answers are waited for."""

import asyncio

import pytest
from calls.virtual_time import run
from media.machines.sounds import silence, tone, voice

from twoleg.calls.listening import Listener
from twoleg.media import AnsweredBy, Audio, Codec
from twoleg.media.g711 import encode_ulaw
from twoleg.media.machine_detection import pause_after
from twoleg.reminders.greeting import (
    AFTER_BEEP_SECONDS,
    LONG_PAUSE_SECONDS,
    LONGEST_GREETING_SECONDS,
    LONGEST_SILENCE_SECONDS,
    Greeting,
    MachineAnswered,
)

BEEP = tone(0.4, 1000)


def waited(*sounds, until="over"):
    """How long the greeting is waited for, what came of it, and what was told; None: no packets."""

    async def main(loop):
        listener, told = Listener(), []
        greeting = Greeting(listener, told.append)

        async def send():
            for sound in sounds:
                if isinstance(sound, float):
                    await asyncio.sleep(sound)
                    continue
                encoded = encode_ulaw(sound)
                for start in range(0, len(encoded), 160):
                    await asyncio.sleep(0.02)
                    listener.take(Codec.PCMU, encoded[start : start + 160])

        sending = asyncio.create_task(send())
        came = None
        try:
            came = await getattr(greeting, until)()
        except MachineAnswered:
            came = MachineAnswered
        at = loop.time()
        sending.cancel()
        return at, came, [verdict.answered_by for verdict in told]

    return run(main)


@pytest.mark.parametrize("pause", [silence(3.0), 3.0], ids=["silence", "no packets"])
def test_it_is_over_a_moment_after_the_last_word(pause):
    at, came, told = waited(silence(0.4), voice(0.5), pause)
    assert at == pytest.approx(0.9 + pause_after(0.5), abs=0.25)
    assert (came, told) == (None, [AnsweredBy.HUMAN])


def test_a_pause_between_words_is_not_the_end():
    at, _, _ = waited(voice(0.4), silence(0.4), voice(0.4), silence(3.0))
    assert at == pytest.approx(1.2 + pause_after(1.2), abs=0.25)


@pytest.mark.parametrize(
    "sounds",
    [(silence(5.0),), (5.0,), (tone(5.0, 440, 480),), (voice(0.04), silence(5.0))],
    ids=["nobody speaks", "nothing comes", "it rings on", "a click"],
)
def test_who_says_nothing_is_not_waited_for_for_long(sounds):
    at, came, told = waited(*sounds)
    assert at == pytest.approx(LONGEST_SILENCE_SECONDS, abs=0.3)
    assert (came, told) == (None, [AnsweredBy.UNKNOWN])


def test_what_talks_on_is_a_machine():
    at, came, told = waited(voice(8.0))
    assert (came, told) == (MachineAnswered, [AnsweredBy.MACHINE])
    assert at < 5.0


class TestRecords:
    def test_after_the_beep(self):
        at, records, _ = waited(voice(6.0), silence(0.5), BEEP, silence(3.0), until="records")
        assert records
        assert at == pytest.approx(6.9 + AFTER_BEEP_SECONDS, abs=0.15)

    @pytest.mark.parametrize("pause", [silence(5.0), 5.0], ids=["silence", "no packets"])
    def test_after_a_long_silence(self, pause):
        at, records, _ = waited(voice(6.0), pause, until="records")
        assert records
        assert at == pytest.approx(6.0 + LONG_PAUSE_SECONDS, abs=0.25)

    def test_not_after_a_tone_with_words_behind_it(self):
        at, records, _ = waited(
            silence(0.3), BEEP, silence(0.3), voice(6.0), silence(0.7), BEEP, 3.0, until="records"
        )
        assert records
        assert at == pytest.approx(8.1 + AFTER_BEEP_SECONDS, abs=0.15)

    def test_never_what_talks_on_and_on(self):
        at, records, _ = waited(voice(LONGEST_GREETING_SECONDS + 5), until="records")
        assert not records
        assert at == pytest.approx(LONGEST_GREETING_SECONDS, abs=0.1)


@pytest.mark.parametrize("codec", list(Codec))
def test_every_codec_is_heard(codec):
    async def main(_loop):
        listener = Listener()
        for frame in Audio.from_pcm(silence(0.2) + voice(1.0), 8000).frames(codec):
            listener.take(codec, bytes(frame))
        return listener.detector

    detector = run(main)
    assert detector.seconds == pytest.approx(1.2)
    assert detector.has_spoken
