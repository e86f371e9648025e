"""Nobody is talked over: the first words of whoever answers are waited for."""

import asyncio

import pytest
from calls.virtual_time import run

from twoleg.media import Codec, steady
from twoleg.reminders.greeting import LONGEST_WAIT_SECONDS, PAUSE_SECONDS, Greeting

HELLO = bytes(steady((300, 500), 20).frames(Codec.PCMU)[0])
SILENCE = b"\xff" * 160


def waited(*stretches):
    """How long the greeting of these (payload, seconds) is waited for."""

    async def main(loop):
        greeting = Greeting()

        async def send():
            for payload, seconds in stretches:
                for _ in range(round(seconds / 0.02)):
                    if payload is not None:
                        greeting.take(Codec.PCMU, payload)
                    await asyncio.sleep(0.02)

        sending = asyncio.create_task(send())
        await greeting.over()
        at = loop.time()
        sending.cancel()
        return at

    return run(main)


@pytest.mark.parametrize("pause", [SILENCE, None], ids=["silence", "no packets"])
def test_it_is_over_a_moment_after_the_last_word(pause):
    at = waited((SILENCE, 0.4), (HELLO, 0.5), (pause, 3.0))
    assert at == pytest.approx(0.9 + PAUSE_SECONDS, abs=0.1)


def test_a_pause_between_words_is_not_the_end():
    at = waited((HELLO, 0.3), (SILENCE, 0.4), (HELLO, 0.3), (SILENCE, 3.0))
    assert at == pytest.approx(1.0 + PAUSE_SECONDS, abs=0.1)


@pytest.mark.parametrize(
    "stretches",
    [
        [(SILENCE, 5.0)],
        [(None, 5.0)],
        [(HELLO, 5.0)],
        [(HELLO, 0.02), (SILENCE, 5.0)],
    ],
    ids=["nobody speaks", "nothing comes", "somebody speaks on and on", "a click"],
)
def test_it_is_not_waited_for_for_long(stretches):
    assert waited(*stretches) == pytest.approx(LONGEST_WAIT_SECONDS, abs=0.1)


def test_other_codecs_are_heard_too():
    async def main(_loop):
        greeting = Greeting()
        for codec in (Codec.PCMA, Codec.G722):
            audio = steady((300, 500), 100)
            for frame in audio.frames(codec):
                greeting.take(codec, bytes(frame))
        return greeting._loud

    assert run(main) >= 8
