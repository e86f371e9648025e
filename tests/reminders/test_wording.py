"""What a reminder call says of itself, in every language of the product."""

import re
from datetime import datetime

import pytest

from twoleg.calls.phrases import LANGUAGES
from twoleg.reminders.reminder import load_reminders
from twoleg.reminders.wording import Sentence, menu, said
from twoleg.speech import Speaker

KEYS = {
    Sentence.PRESS_1_CONFIRM: "1",
    Sentence.PRESS_2_RESCHEDULE: "2",
    Sentence.PRESS_2_CANCEL: "2",
    Sentence.PRESS_3_STAFF: "3",
    Sentence.PRESS_9_OPT_OUT: "9",
    Sentence.OPT_OUT_SURE: "9",
}


def keys(text):
    return re.findall(r"\d", text)


@pytest.mark.parametrize("language", LANGUAGES)
class TestEveryLanguage:
    def test_has_every_sentence_and_none_of_another(self, language):
        texts = [said(sentence, language) for sentence in Sentence]
        assert len(set(texts)) == len(Sentence)
        for other in set(LANGUAGES) - {language}:
            assert not set(texts) & {said(sentence, other) for sentence in Sentence}

    def test_names_the_key_that_does_it(self, language):
        for sentence in Sentence:
            named = [KEYS[sentence]] if sentence in KEYS else []
            assert keys(said(sentence, language)) == named, sentence

    @pytest.mark.parametrize(
        ("change_is_cancel", "has_staff", "named"),
        [(False, True, "1239"), (True, True, "1239"), (False, False, "129")],
    )
    def test_says_the_choices_that_there_are(self, language, change_is_cancel, has_staff, named):
        text = menu(language, change_is_cancel=change_is_cancel, has_staff=has_staff)
        assert keys(text) == list(named)
        assert (said(Sentence.PRESS_2_CANCEL, language) in text) is change_is_cancel
        assert (said(Sentence.PRESS_2_RESCHEDULE, language) in text) is not change_is_cancel
        assert text.endswith(said(Sentence.PRESS_STAR_REPEAT, language))

    async def test_can_be_spoken(self, language):
        text = menu(language, change_is_cancel=False, has_staff=True)
        async with Speaker.open() as speaker:
            assert 5 < (await speaker.speak(text, language)).seconds < 40


TEXT = "{name}, {date}, {time}, {place}, {staff}"


@pytest.fixture
def text_of(practice):
    async def load(visit):
        [(id_,)] = await practice.execute(
            "SELECT id FROM reminders WHERE appointment_id = %s", visit.id
        )
        async with practice.database.connection() as connection:
            [reminder] = await load_reminders(connection, [id_])
        return reminder

    return load


@pytest.mark.parametrize(
    ("plans", "contacts", "country", "language"),
    [
        ("fr", "de", "IT", "fr"),
        ("pt-BR", None, "US", "pt"),
        (None, "de-CH", "IT", "de"),
        (None, "pl", "IT", "it"),
        (None, None, "CH", "de"),
        (None, None, "US", "en"),
    ],
)
async def test_the_language_is_the_plans_or_the_contacts_or_that_of_the_lines_country(
    practice, text_of, plans, contacts, country, language
):
    await practice.plan(language=plans)
    visit = await practice.appointment()
    await practice.execute("UPDATE contacts SET language = %s", contacts)
    await practice.execute("UPDATE lines SET country = %s", country)
    reminder = await text_of(visit)
    assert reminder.language == language
    assert reminder.choices == menu(language, change_is_cancel=False, has_staff=False)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Eva, Wednesday, June 12th, 2 30 PM, 12 Main Street, Dr. Gray"),
        ("de", "Eva, Mittwoch, den zwölften Juni, 14 Uhr 30, 12 Main Street, Dr. Gray"),
        ("es", "Eva, miércoles, 12 de junio, 14 horas y 30, 12 Main Street, Dr. Gray"),
        ("fr", "Eva, mercredi 12 juin, 14 heures 30, 12 Main Street, Dr. Gray"),
        ("it", "Eva, mercoledì 12 giugno, ore 14 e 30, 12 Main Street, Dr. Gray"),
        ("nl", "Eva, woensdag 12 juni, 14 uur 30, 12 Main Street, Dr. Gray"),
        ("pt", "Eva, quarta-feira, 12 de junho, 14 horas e 30, 12 Main Street, Dr. Gray"),
    ],
)
async def test_variables_are_said_in_the_language_and_on_the_appointments_own_clock(
    practice, text_of, language, said
):
    message = {"voicemail": "message", "voicemail_text": TEXT}
    await practice.plan(text=TEXT, language=language, **message)
    visit = await practice.appointment(
        wall_starts_at=datetime(2030, 6, 12, 14, 30),
        time_zone="Asia/Tokyo",
        place="12 Main Street",
        staff="Dr. Gray",
    )
    await practice.execute("UPDATE contacts SET name = 'Eva', time_zone = 'America/New_York'")
    reminder = await text_of(visit)
    assert reminder.message == reminder.machine_message == said


async def test_what_is_not_known_is_left_out(practice, text_of):
    await practice.plan(text="Hello {name}. Come to {place} at {time}.", language="en")
    visit = await practice.appointment(wall_starts_at=datetime(2030, 6, 12, 14))
    assert (await text_of(visit)).message == "Hello . Come to at 2 PM."
