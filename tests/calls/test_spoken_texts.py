"""Phrases in a voice: spoken once, kept for every engine, and never waited for by a call."""

from pathlib import Path

import pytest

from twoleg.calls.phrases import Phrase
from twoleg.calls.spoken_texts import SpokenPhrases, SpokenTexts
from twoleg.media import Codec, ToneBook
from twoleg.speech import Speaker, SpeechFailed, Voices


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


async def test_where_piper_fails_espeak_speaks_until_it_is_mended(database, monkeypatch):
    texts_spoken, speak = [], Speaker.speak

    async def fails(self, text, language, *, plain=False):
        texts_spoken.append("plain" if plain else "piper")
        if not plain:
            raise SpeechFailed("the voice is damaged")
        return await speak(self, text, language, plain=True)

    monkeypatch.setattr(Speaker, "speak", fails)
    voices = Voices({"en": Path("amy.onnx")})
    for _ in range(2):
        async with SpokenTexts.open(database, voices) as texts:
            await texts.keep("Good morning.", "en")
            assert (await texts.audio("Good morning.", "en")).seconds > 0
    assert texts_spoken == ["piper", "plain"] * 4, "what another voice said is not kept"


async def test_another_voice_says_anew_what_was_spoken_before(texts, database, monkeypatch):
    await texts.audio("Good morning.", "en")
    spoken_by, speak = [], Speaker.speak

    async def notes(self, text, language, *, plain=False):
        spoken_by.append(self.voices.best(language).name)
        return await speak(self, text, language, plain=True)

    monkeypatch.setattr(Speaker, "speak", notes)
    for voices in (None, Voices({"en": Path("amy.onnx")}), Voices({"en": Path("amy.onnx")})):
        async with SpokenTexts.open(database, voices) as other:
            await other.audio("Good morning.", "en")
    assert spoken_by == ["piper/amy"]


async def test_a_language_without_a_voice_is_said(texts):
    with pytest.raises(SpeechFailed, match="klingon"):
        await texts.audio("nuqneH", "klingon")
