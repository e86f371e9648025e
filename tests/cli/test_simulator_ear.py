"""What a simulated contact hears: how long it was spoken to, and that it is silent again."""

from __future__ import annotations

import asyncio

import pytest
from calls.virtual_time import run

from twoleg.cli.simulator.ear import Ear
from twoleg.media import Codec, steady

SPEECH = bytes(steady((300, 500), 20).frames(Codec.PCMU)[0])
SILENCE = b"\xff" * 160


def at(wait, *stretches):
    """When `wait(ear)` is over that is given these (payload, seconds)."""

    async def main(loop):
        ear = Ear()

        async def send():
            for payload, seconds in stretches:
                for _ in range(round(seconds / 0.02)):
                    ear.take(Codec.PCMU, payload)
                    await asyncio.sleep(0.02)

        sending = asyncio.create_task(send())
        await wait(ear)
        over_at = loop.time()
        sending.cancel()
        return over_at

    return run(main)


def test_only_speech_counts_and_pauses_do_not_undo_it() -> None:
    heard = at(lambda ear: ear.speech(1.0), (SILENCE, 2), (SPEECH, 0.6), (SILENCE, 1), (SPEECH, 2))
    assert heard == pytest.approx(2 + 0.6 + 1 + 0.4, abs=0.1)


def test_silence_is_counted_from_the_last_word() -> None:
    heard = at(
        lambda ear: ear.silence(0.8), (SPEECH, 0.5), (SILENCE, 0.5), (SPEECH, 1), (SILENCE, 3)
    )
    assert heard == pytest.approx(2.0 + 0.8, abs=0.1)
