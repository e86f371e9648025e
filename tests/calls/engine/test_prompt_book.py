"""Prompts as an engine has them: at hand, never older than what is stored, and never raising."""

import asyncio

import pytest

from twoleg.calls import prompt_book
from twoleg.calls.prompt_book import PromptBook
from twoleg.calls.spoken_texts import SpokenTexts
from twoleg.media import Codec
from twoleg.prompts import (
    PromptSound,
    PromptStudio,
    Recorded,
    change_prompt,
    create_prompt,
    delete_prompt,
    find_prompt,
)
from twoleg.speech import Speaker, SpeechFailed, Variable
from twoleg.store import Database


def sound(mark, frames=2):
    payload = bytes([mark]) * 160 * frames
    return PromptSound.of(dict.fromkeys(("PCMU", "PCMA", "G722"), payload))


class Shelf:
    """The account's prompts, changed as the API does it."""

    def __init__(self, database, office):
        self.database = database
        self.office = office
        self.account_id = office.account_id

    async def make(self, mark, frames=2):
        recorded = Recorded(sound(mark, frames), {"kind": "upload", "seconds": 1})
        return await self.put(f"Prompt {mark}", recorded)

    async def word(self, text, language="en"):
        async with PromptStudio.open() as studio:
            return await self.put(text, await studio.of_text(text, language))

    async def put(self, name, recorded):
        async with self.database.connection() as connection:
            return (await create_prompt(connection, self.account_id, name, recorded)).id

    async def change(self, prompt_id, mark):
        async with self.database.connection() as connection:
            before = await find_prompt(connection, self.account_id, prompt_id)
            recorded = Recorded(sound(mark), {})
            await change_prompt(connection, self.account_id, before, {}, recorded)

    async def delete(self, prompt_id):
        async with self.database.connection() as connection:
            await delete_prompt(connection, self.account_id, prompt_id)


@pytest.fixture
def shelf(database, office):
    return Shelf(database, office)


@pytest.fixture
async def texts(database):
    async with SpokenTexts.open(database) as texts:
        yield texts


@pytest.fixture
def book(database, texts):
    return PromptBook(database, texts)


@pytest.fixture
def loads(monkeypatch):
    """What was read from the database, by prompt."""
    read = []
    load_sound = prompt_book.load_sound

    async def counted(connection, account_id, prompt_id):
        read.append(prompt_id)
        return await load_sound(connection, account_id, prompt_id)

    monkeypatch.setattr(prompt_book, "load_sound", counted)
    return read


async def first_byte(book, account_id, prompt_id, codec=Codec.PCMU):
    found = await book.audio(account_id, prompt_id)
    return None if found is None else found.frames(codec)[0][0]


async def test_a_prompt_is_read_once_and_is_at_hand_from_then_on(shelf, book, loads):
    prompt_id = await shelf.make(7)
    for codec in Codec:
        assert await first_byte(book, shelf.account_id, prompt_id, codec) == 7
    assert loads == [prompt_id]


async def test_calls_that_want_one_at_once_read_it_once(shelf, book, loads):
    prompt_id = await shelf.make(7)
    found = await asyncio.gather(*(book.audio(shelf.account_id, prompt_id) for _ in range(20)))
    assert len({id(each) for each in found}) == 1
    assert loads == [prompt_id]


async def test_what_another_process_has_changed_is_not_played_any_more(shelf, book):
    prompt_id = await shelf.make(7)
    assert await first_byte(book, shelf.account_id, prompt_id) == 7
    await shelf.change(prompt_id, 8)
    assert await first_byte(book, shelf.account_id, prompt_id) == 8


async def test_what_was_deleted_is_not_played_and_not_kept(shelf, book):
    prompt_id = await shelf.make(7)
    assert await first_byte(book, shelf.account_id, prompt_id) == 7
    await shelf.delete(prompt_id)
    assert await book.audio(shelf.account_id, prompt_id) is None
    assert not book._kept
    assert book._bytes == 0


async def test_another_accounts_prompt_is_none(shelf, book):
    prompt_id = await shelf.make(7)
    assert await book.audio(shelf.account_id + 1, prompt_id) is None
    assert await first_byte(book, shelf.account_id, prompt_id) == 7
    assert await book.audio(shelf.account_id + 1, prompt_id) is None


async def test_what_was_not_played_for_longest_is_forgotten_first(shelf, database, texts, loads):
    size = sound(1).size
    book = PromptBook(database, texts, max_bytes=2 * size)
    first, second, third = [await shelf.make(mark) for mark in (1, 2, 3)]
    for prompt_id in (first, second, first, third, first, second):
        assert await book.audio(shelf.account_id, prompt_id) is not None
        assert book._bytes <= 2 * size
    assert loads == [first, second, third, second]


async def test_one_that_is_larger_than_the_whole_memory_is_played_all_the_same(
    shelf, database, texts
):
    book = PromptBook(database, texts, max_bytes=10)
    prompt_id = await shelf.make(7)
    assert await first_byte(book, shelf.account_id, prompt_id) == 7
    assert book._bytes == 0


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM prompt_audio WHERE codec = 'PCMA'",
        "DELETE FROM prompt_audio",
        "UPDATE prompt_audio SET bytes = ''",
        "UPDATE prompt_audio SET bytes = substr(bytes, 2) WHERE codec = 'G722'",
    ],
)
async def test_a_row_that_is_damaged_is_not_played(shelf, book, damage):
    prompt_id = await shelf.make(7)
    await shelf.office.rows(damage)
    assert await book.audio(shelf.account_id, prompt_id) is None


async def test_a_database_that_is_away_gives_none_until_it_is_back(
    shelf, texts, database_url, outage
):
    prompt_id = await shelf.make(7)
    async with Database.open(database_url, wait=0.3) as database:
        book = PromptBook(database, texts)
        assert await first_byte(book, shelf.account_id, prompt_id) == 7
        await outage.begin()
        assert await book.audio(shelf.account_id, prompt_id) is None
        await outage.end()
        async with asyncio.timeout(60):
            while await book.audio(shelf.account_id, prompt_id) is None:
                pass
        assert await first_byte(book, shelf.account_id, prompt_id) == 7


class TestVariables:
    """A text that says something else in each call."""

    @pytest.fixture
    def said(self, monkeypatch):
        """What was spoken, in which language."""
        texts = []
        speak = Speaker.speak

        async def noted(self, text, language):
            texts.append((text, language))
            return await speak(self, text, language)

        monkeypatch.setattr(Speaker, "speak", noted)
        return texts

    async def test_each_call_hears_its_own_and_the_same_one_is_spoken_once(self, shelf, book, said):
        prompt_id = await shelf.word("Anruf von {name}.", "de")

        def about(name):
            return lambda language: {Variable.NAME: f"{name} {language}"}

        for name in ("Eva", "Max", "Eva"):
            found = await book.audio(shelf.account_id, prompt_id, about(name))
            assert len(found.frames(Codec.PCMU)) > 20
        assert said == [("Anruf von Eva de.", "de"), ("Anruf von Max de.", "de")]

    async def test_what_nobody_knows_is_left_out(self, shelf, book, said):
        prompt_id = await shelf.word("A call from {name} now.")
        assert await book.audio(shelf.account_id, prompt_id) is not None
        assert said == [("A call from now.", "en")]

    async def test_one_that_comes_to_nothing_or_cannot_be_spoken_is_none(
        self, shelf, book, monkeypatch
    ):
        prompt_id = await shelf.word("{name}")
        assert await book.audio(shelf.account_id, prompt_id) is None

        async def broken(self, text, language):
            raise SpeechFailed("no voice here")

        monkeypatch.setattr(Speaker, "speak", broken)
        eva = await book.audio(shelf.account_id, prompt_id, lambda _: {Variable.NAME: "Eva"})
        assert eva is None

    async def test_one_that_became_a_recording_is_that_recording(self, shelf, book):
        prompt_id = await shelf.word("Hello {name}.")
        assert await book.audio(shelf.account_id, prompt_id) is not None
        async with shelf.database.connection() as connection:
            before = await find_prompt(connection, shelf.account_id, prompt_id)
            fields = {"kind": "upload", "text": None, "language": None, "seconds": 1}
            recorded = Recorded(sound(9), fields)
            await change_prompt(connection, shelf.account_id, before, {}, recorded)
        assert await first_byte(book, shelf.account_id, prompt_id) == 9
