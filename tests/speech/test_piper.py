"""Texts spoken by Piper, for the languages that have a voice file configured."""

from pathlib import Path

import pytest

from twoleg.media import Codec, Decoder, dominant_tone
from twoleg.speech import Speaker, SpeechFailed, UnusableVoice, Voices

STAND_IN = Path(__file__).with_name("stand_in")
TONES = (350, 440, 700, 1400)


@pytest.fixture
def piper(monkeypatch):
    """Have the stand-in installed, for us and for the program that speaks."""
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))


@pytest.fixture
def voice(tmp_path):
    """Make a voice file; gives the file."""

    def make(name="en_US-amy-medium", holds='{"voice": "whole"}'):
        file = tmp_path / f"{name}.onnx"
        file.write_bytes(b"")
        file.with_name(f"{file.name}.json").write_text(holds)
        return file

    return make


async def test_its_languages_are_spoken_by_it_and_others_by_espeak(piper, voice):
    voices = Voices.checked({"en": voice()})
    assert voices.best("en-US").name == "piper/en_US-amy-medium"
    assert voices.best("de").name == "de"
    async with Speaker.open(voices) as speaker:
        spoken = await speaker.speak("One sentence. And another.", "en-US")
        plain = await speaker.speak("One sentence. And another.", "en-US", plain=True)
        german = await speaker.speak("Ein Satz.", "de")
    decoder = Decoder(Codec.PCMU)
    heard = [decoder.decode(bytes(frame)) for frame in spoken.frames(Codec.PCMU)]
    samples = [sample for each in heard[10:20] for sample in each]
    assert dominant_tone(samples, 8000, TONES) == 700
    # Both sentences: a twentieth of a second for each sign, at the telephone's own rate.
    assert spoken.seconds == pytest.approx(24 / 20, abs=0.05)
    assert plain.seconds != spoken.seconds
    assert german.seconds > 0


async def test_a_voice_for_a_dialect_is_that_dialects_alone(piper, voice):
    voices = Voices.checked({"en-gb": voice("en_GB-alan-low"), "en": voice()})
    assert [voices.best(tag).name for tag in ("en-GB", "en_gb", "en-AU")] == [
        "piper/en_GB-alan-low",
        "piper/en_GB-alan-low",
        "piper/en_US-amy-medium",
    ]


def test_without_piper_a_configured_voice_is_refused_with_what_to_do(voice, monkeypatch):
    monkeypatch.setattr("twoleg.speech.voices.find_spec", lambda name: None)
    with pytest.raises(UnusableVoice) as caught:
        Voices.checked({"en": voice()})
    assert "twoleg[piper]" in caught.value.message


@pytest.mark.parametrize("missing", ["en_US-amy-medium.onnx", "en_US-amy-medium.onnx.json"])
def test_a_file_that_is_not_there_is_named(piper, voice, missing):
    file = voice()
    file.with_name(missing).unlink()
    with pytest.raises(UnusableVoice) as caught:
        Voices.checked({"en": file})
    assert missing in caught.value.message
    assert ".onnx.json" in caught.value.message


async def test_a_voice_that_is_damaged_fails_alone_and_says_which(piper, voice):
    voices = Voices.checked({"en": voice(holds="{}"), "fr": voice("fr_FR-siwis-low")})
    async with Speaker.open(voices) as speaker:
        with pytest.raises(SpeechFailed) as caught:
            await speaker.speak("Hello.", "en")
        assert "en_US-amy-medium.onnx: the voice is damaged" in caught.value.reason
        assert (await speaker.speak("Bonjour.", "fr")).seconds > 0
