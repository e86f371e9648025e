"""Texts that become audio, and dates and times that become words."""

import os
import signal
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media import Codec
from twoleg.speech import (
    MAX_TEXT,
    Speaker,
    SpeechFailed,
    Template,
    TemplateError,
    UnknownLanguage,
    Variable,
    spoken_date,
    spoken_time,
    voice_for,
)

MORNING = datetime(2026, 1, 6, 9, 30)
AFTERNOON = datetime(2026, 1, 6, 14, 0)


@pytest.mark.parametrize(
    ("language", "date", "half_past_nine", "two"),
    [
        ("en", "Tuesday, January 6th", "9 30 AM", "2 PM"),
        ("en-GB", "Tuesday, 6th January", "9 30 AM", "2 PM"),
        ("de", "Dienstag, den sechsten Januar", "9 Uhr 30", "14 Uhr"),
        ("de-CH", "Dienstag, den sechsten Januar", "9 Uhr 30", "14 Uhr"),
        ("fr", "mardi 6 janvier", "9 heures 30", "14 heures"),
        ("es", "martes, 6 de enero", "9 horas y 30", "14 horas"),
        ("it", "martedì 6 gennaio", "ore 9 e 30", "ore 14"),
        ("nl", "dinsdag 6 januari", "9 uur 30", "14 uur"),
        ("pt", "terça-feira, 6 de janeiro", "9 horas e 30", "14 horas"),
        ("pl", "wtorek, 6 stycznia", "09:30", "14:00"),
        ("da", "tirsdag den 6 januar", "09.30", "14.00"),
        ("ja", "1月6日火曜日", "9:30", "14:00"),
        ("xx", "Tuesday, January 6th", "9 30 AM", "2 PM"),
    ],
)
def test_dates_and_times_are_said_as_the_language_says_them(language, date, half_past_nine, two):
    assert spoken_date(MORNING, language) == date
    assert spoken_time(MORNING, language) == half_past_nine
    assert spoken_time(AFTERNOON, language) == two


@pytest.mark.parametrize(
    ("language", "day", "said"),
    [
        ("en", 1, "Thursday, January 1st"),
        ("en", 2, "Friday, January 2nd"),
        ("en", 11, "Sunday, January 11th"),
        ("en", 23, "Friday, January 23rd"),
        ("de", 31, "Samstag, den einunddreißigsten Januar"),
        ("fr", 1, "jeudi 1er janvier"),
        ("it", 1, "giovedì primo gennaio"),
    ],
)
def test_days_of_the_month_are_counted_as_people_do(language, day, said):
    assert spoken_date(MORNING.replace(day=day), language) == said


@pytest.mark.parametrize(
    ("language", "five_past_nine"),
    [("en", "9 oh 5 AM"), ("de", "9 Uhr 5"), ("fr", "9 heures 5"), ("es", "9 horas y 5")],
)
def test_minutes_below_ten_have_no_nought(language, five_past_nine):
    assert spoken_time(MORNING.replace(minute=5), language) == five_past_nine


@given(wall=st.datetimes(), language=st.sampled_from(["en", "de", "ar", "zh", "hu", "ko", "fa"]))
def test_every_date_has_no_year_and_its_weekday(wall, language):
    said = spoken_date(wall.replace(year=2026, day=min(wall.day, 28)), language)
    assert said
    assert "2026" not in said


class TestTemplates:
    def test_variables_are_filled_in_and_what_is_not_known_is_left_out(self):
        template = Template.parse("Hello {name}, come {date} at {time} to {place}.")
        said = template.filled(
            {Variable.NAME: "Eva", Variable.DATE: "Tuesday", Variable.TIME: "10 AM"}
        )
        assert said == "Hello Eva, come Tuesday at 10 AM to ."

    @pytest.mark.parametrize("text", ["{nome}", "{}", "{name", "name}", "{{name}}", "{na{me}"])
    def test_what_cannot_be_filled_in_is_said(self, text):
        with pytest.raises(TemplateError) as caught:
            Template.parse(text)
        assert "{date}" in caught.value.message

    @given(name=st.text(max_size=20))
    def test_a_value_is_text_and_no_template(self, name):
        said = Template.parse("a {name} b").filled({Variable.NAME: name})
        assert said == " ".join(f"a {name} b".split())


class TestVoices:
    @pytest.mark.parametrize(
        ("tag", "voice"), [("en", "en"), ("de-CH", "de"), ("en-us", "en-US"), ("pt_BR", "pt-BR")]
    )
    def test_the_nearest_voice_is_taken(self, tag, voice):
        assert voice_for(tag) == voice

    @pytest.mark.parametrize("tag", ["xx", "", "x-klingon", "../../etc"])
    def test_a_language_without_a_voice_is_said(self, tag):
        with pytest.raises(UnknownLanguage):
            voice_for(tag)


class TestSpeaker:
    @pytest.fixture
    async def speaker(self):
        async with Speaker.open() as speaker:
            yield speaker

    async def test_longer_texts_are_longer_speech(self, speaker):
        short = await speaker.speak("Press 1.", "en")
        long = await speaker.speak("Press 1 to confirm your appointment on Tuesday.", "en")
        assert 0.3 < short.seconds < long.seconds < 10
        frames = short.frames(Codec.PCMU)
        assert len({bytes(frame) for frame in frames}) > len(frames) / 2

    async def test_languages_sound_different(self, speaker):
        spoken = [await speaker.speak("Montag 10", tag) for tag in ("de", "fr")]
        assert list(spoken[0].frames(Codec.PCMU)) != list(spoken[1].frames(Codec.PCMU))

    @pytest.mark.parametrize("text", ["", "   ", "x" * (MAX_TEXT + 1)])
    async def test_what_cannot_be_said_is_an_error(self, speaker, text):
        with pytest.raises(SpeechFailed):
            await speaker.speak(text, "en")

    async def test_signs_that_mean_something_to_programs_are_only_text(self, speaker):
        for text in ("a\0b", '"}\n{"text": 1}', "<voice name='x'>hi</voice>", "[[x]] \\x00 é ü"):
            assert (await speaker.speak(text, "en")).seconds > 0

    async def test_it_speaks_on_after_its_program_was_killed(self, speaker):
        await speaker.speak("one", "en")
        process = speaker._process
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert (await speaker.speak("two", "en")).seconds > 0

    async def test_nothing_is_left_behind(self):
        async with Speaker.open() as speaker:
            await speaker.speak("one", "en")
            process = speaker._process
        assert process.returncode is not None
