"""Whoever listens hears every word, until the connection is lost."""

import asyncio

import psycopg
import pytest

from twoleg.store.listening import hear


class Ear:
    def __init__(self):
        self.heard = []
        self.has = asyncio.Event()

    def __call__(self, channel, said):
        self.heard.append((channel, said))
        if said == "fail":
            raise ValueError(said)
        if said == "last":
            self.has.set()


@pytest.fixture
async def listening(database):
    async with await database.connect() as connection:
        await connection.execute("LISTEN one")
        await connection.execute("LISTEN other")
        ear = Ear()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(hear(connection, ear))
            yield connection, ear, task
            task.cancel()


async def say(database, *words):
    async with database.connection() as connection:
        for channel, word in words:
            await connection.execute("SELECT pg_notify(%s, %s)", (channel, word))


async def test_every_word_is_heard_in_its_order(database, listening):
    _, ear, _ = listening
    words = [("one", f"{number} ü") for number in range(500)]
    await say(database, *words)
    await say(database, ("nobody's", "a word"), ("other", ""), ("one", "last"))
    await ear.has.wait()
    assert ear.heard == [*words, ("other", ""), ("one", "last")]


async def test_a_connection_that_is_lost_is_told(database):
    async with await database.connect() as connection:
        await connection.execute("LISTEN one")
        ear = Ear()
        task = asyncio.create_task(hear(connection, ear))
        async with database.connection() as other:
            await other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            await task


async def test_what_is_wrong_with_a_word_ends_the_listening(database):
    async with await database.connect() as connection:
        await connection.execute("LISTEN one")
        task = asyncio.create_task(hear(connection, Ear()))
        await asyncio.sleep(0)
        await say(database, ("one", "fail"), ("one", "last"))
        with pytest.raises(ValueError, match="fail"):
            await task


async def test_the_connection_may_be_used_again_once_nobody_listens(database, listening):
    connection, ear, task = listening
    await say(database, ("one", "last"))
    await ear.has.wait()
    task.cancel()
    await asyncio.wait([task])
    cursor = await connection.execute("SELECT 1")
    assert await cursor.fetchone() == (1,)
