"""Reminders are spoken before they are due, so that no call waits for its speech."""

from __future__ import annotations

import pytest

from twoleg.calls.spoken_texts import SpokenTexts
from twoleg.prompts import PromptStudio, create_prompt
from twoleg.reminders.reminder import load_reminders
from twoleg.reminders.speaking import AT_ONCE, speak_ahead
from twoleg.speech import Speaker, SpeechFailed
from twoleg.worker import forget_spoken_texts


@pytest.fixture
async def texts(database):
    async with SpokenTexts.open(database) as texts:
        yield texts


@pytest.fixture
def speak(practice, texts):
    """Do what a worker does in one go."""

    async def run():
        async with await practice.database.connect() as connection:
            return await speak_ahead(connection, texts)

    return run


async def kept(practice):
    [(count,)] = await practice.execute("SELECT count(*) FROM spoken_texts")
    return count


async def test_what_is_due_soon_is_spoken_once_and_the_choices_only_once_for_all(practice, speak):
    await practice.plan(text="Hello {name}, your appointment is {date} at {time}.")
    for hours in (3, 4, 100):
        await practice.appointment(hours=hours)
    await practice.tick()
    assert await speak() == 2
    # Two messages, and the choices that both have.
    assert await kept(practice) == 3
    assert await speak() == 0


async def test_an_engine_without_a_voice_finds_the_speech_ready(
    practice, speak, database, monkeypatch
):
    await practice.plan(text="Hello, your appointment is {date}.")
    await practice.appointment()
    await practice.tick()
    await speak()

    async def no_voice(self, text, language):
        raise SpeechFailed("no voice here")

    monkeypatch.setattr(Speaker, "speak", no_voice)
    ids = [id_ for (id_,) in await practice.execute("SELECT id FROM reminders")]
    async with database.connection() as connection:
        [reminder] = await load_reminders(connection, ids)
    async with SpokenTexts.open(database) as elsewhere:
        for text in reminder.texts:
            await elsewhere.audio(text, reminder.language)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reminder_plans SET text = 'Good day {name}.'",
        "UPDATE contacts SET name = 'Eva'",
        "UPDATE contacts SET language = 'de'",
    ],
)
async def test_what_is_said_anew_is_spoken_anew(practice, speak, change):
    await practice.plan(text="Hello {name}.")
    await practice.appointment()
    await practice.tick()
    await speak()
    before = await kept(practice)
    await practice.execute(change)
    await practice.tick()
    assert await speak() == 1
    assert await kept(practice) > before


async def test_a_text_that_cannot_be_spoken_keeps_no_other_waiting(practice, speak):
    await practice.plan(text="...", name="Nothing to say", is_default=False)
    [(mute,)] = await practice.execute("SELECT id FROM reminder_plans WHERE text = '...'")
    await practice.plan(text="Hello.")
    await practice.appointment(reminder_plan_id=mute)
    await practice.appointment(hours=4)
    await practice.tick()
    assert await speak() == 2
    assert await kept(practice) >= 2
    assert await speak() == 0


async def test_many_are_spoken_in_parts_so_that_workers_share_them(practice, speak):
    await practice.plan(text="Hello.")
    for _ in range(AT_ONCE + 1):
        await practice.appointment()
    await practice.tick()
    assert [await speak() for _ in range(3)] == [AT_ONCE, 1, 0]


async def test_speech_that_nobody_played_for_days_is_forgotten(practice, texts, database):
    await texts.keep("An old text.", "en")
    await practice.execute("UPDATE spoken_texts SET used_at = now() - interval '3 days'")
    await texts.keep("A new text.", "en")
    assert await forget_spoken_texts(database) == 1
    assert await kept(practice) == 1


async def test_a_prompt_with_variables_is_spoken_ahead_in_its_own_language(
    practice, speak, database, texts, monkeypatch
):
    async with PromptStudio.open() as studio, database.connection() as connection:
        made = [await studio.of_text(each, "de") for each in ("Hallo {name}.", "Am {date}.")]
        account_id = practice.account_id
        prompt, left = [
            await create_prompt(connection, account_id, each.fields["text"], each) for each in made
        ]
    message = {"voicemail": "message", "voicemail_prompt_id": left.id}
    await practice.plan(text=None, prompt_id=prompt.id, **message)
    await practice.appointment()
    await practice.execute("UPDATE contacts SET name = 'Eva'")
    await practice.tick()
    spoken = []
    keep = texts.keep

    async def noted(text, language):
        spoken.append((text, language))
        await keep(text, language)

    monkeypatch.setattr(texts, "keep", noted)
    await speak()
    [(_, choices), hello, day] = spoken
    assert choices == "en"
    assert hello == ("Hallo Eva.", "de")
    assert day[0].startswith("Am ")
    assert day[1] == "de"
    assert await kept(practice) == 3
