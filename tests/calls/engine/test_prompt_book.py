"""Prompts as an engine has them: at hand, never older than what is stored, and never raising."""

import asyncio

import pytest

from twoleg.calls import prompt_book
from twoleg.calls.prompt_book import PromptBook
from twoleg.media import Codec
from twoleg.prompts import PromptSound, change_prompt, create_prompt, delete_prompt, find_prompt
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
        fields = {"name": f"Prompt {mark}", "kind": "upload", "seconds": 1}
        async with self.database.connection() as connection:
            made = await create_prompt(connection, self.account_id, fields, sound(mark, frames))
        return made.id

    async def change(self, prompt_id, mark):
        async with self.database.connection() as connection:
            before = await find_prompt(connection, self.account_id, prompt_id)
            await change_prompt(connection, self.account_id, before, {}, sound(mark))

    async def delete(self, prompt_id):
        async with self.database.connection() as connection:
            await delete_prompt(connection, self.account_id, prompt_id)


@pytest.fixture
def shelf(database, office):
    return Shelf(database, office)


@pytest.fixture
def book(database):
    return PromptBook(database)


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


async def test_what_was_not_played_for_longest_is_forgotten_first(shelf, database, loads):
    size = sound(1).size
    book = PromptBook(database, max_bytes=2 * size)
    first, second, third = [await shelf.make(mark) for mark in (1, 2, 3)]
    for prompt_id in (first, second, first, third, first, second):
        assert await book.audio(shelf.account_id, prompt_id) is not None
        assert book._bytes <= 2 * size
    assert loads == [first, second, third, second]


async def test_one_that_is_larger_than_the_whole_memory_is_played_all_the_same(shelf, database):
    book = PromptBook(database, max_bytes=10)
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


async def test_a_database_that_is_away_gives_none_until_it_is_back(shelf, database_url, outage):
    prompt_id = await shelf.make(7)
    async with Database.open(database_url, wait=0.3) as database:
        book = PromptBook(database)
        assert await first_byte(book, shelf.account_id, prompt_id) == 7
        await outage.begin()
        assert await book.audio(shelf.account_id, prompt_id) is None
        await outage.end()
        async with asyncio.timeout(60):
            while await book.audio(shelf.account_id, prompt_id) is None:
                pass
        assert await first_byte(book, shelf.account_id, prompt_id) == 7
