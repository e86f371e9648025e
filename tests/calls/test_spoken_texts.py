"""Phrases in a voice: spoken once, kept for every engine, and never waited for by a call."""

import pytest

from twoleg.calls.phrases import Phrase
from twoleg.calls.spoken_texts import SpokenPhrases, SpokenTexts
from twoleg.media import Codec, ToneBook
from twoleg.speech import Speaker, SpeechFailed


@pytest.fixture
async def texts(database):
    async with SpokenTexts.open(database) as texts:
        yield texts


def sound(audio):
    # mu-law has two zeros, which sound the same.
    return [bytes(frame).replace(b"\x7f", b"\xff") for frame in audio.frames(Codec.PCMU)]


async def test_a_phrase_is_a_tone_until_it_is_spoken_and_then_speech(texts):
    tones = ToneBook()
    phrases = SpokenPhrases(texts, tones)
    assert phrases.phrase(Phrase.PRESS_ONE, "de") is tones.attention()
    spoken = await texts.audio("Drücken Sie die 1, um den Anruf anzunehmen.", "de")
    assert phrases.phrase(Phrase.PRESS_ONE, "de") is spoken
    assert phrases.phrase(Phrase.PRESS_ONE, "de-AT") is spoken


async def test_another_engine_has_from_the_database_what_one_has_spoken(
    texts, database, monkeypatch
):
    spoken = await texts.audio("Good morning.", "en")

    async def no_voice(self, text, language):
        raise SpeechFailed("no voice here")

    monkeypatch.setattr(Speaker, "speak", no_voice)
    async with SpokenTexts.open(database) as other:
        assert sound(await other.audio("Good morning.", "en")) == sound(spoken)
        with pytest.raises(SpeechFailed):
            await other.audio("Good evening.", "en")


async def test_a_language_without_a_voice_is_said(texts):
    with pytest.raises(SpeechFailed, match="klingon"):
        await texts.audio("nuqneH", "klingon")
