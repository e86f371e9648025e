"""The worker's part in reminders: plan what changed, call what is due, settle what ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from twoleg.calls.background import background
from twoleg.calls.spoken_texts import SpokenTexts
from twoleg.directory.importing.taking_in import take_in_next
from twoleg.events.addresses import AddressPolicy
from twoleg.reminders.feeds.polling import serve_feeds
from twoleg.reminders.importing.importers import IMPORTERS
from twoleg.reminders.placing import AT_ONCE, place_due
from twoleg.reminders.planning import BATCH, plan_waiting
from twoleg.reminders.settling import MINUTE, settle_ended
from twoleg.reminders.speaking import serve_speech
from twoleg.speech import Voices
from twoleg.store import Database
from twoleg.store.database import Connection
from twoleg.store.lasting import stay_connected

TICK_SECONDS: Final = 1.0

# Nearly always there is nothing, and one look tells.
_ANYTHING: Final = """
SELECT EXISTS (SELECT FROM appointments WHERE to_be_planned)
  OR EXISTS (SELECT FROM reminder_attempts t JOIN calls k ON k.id = t.call_id
    WHERE NOT t.settled AND k.ended_at IS NOT NULL)
  OR EXISTS (SELECT FROM lines l WHERE EXISTS (
    SELECT FROM reminders r
    WHERE r.line_id = l.id AND r.state = 'planned' AND r.due_at <= now()))
"""


async def serve_reminders(
    database: Database,
    policy: AddressPolicy,
    minute: timedelta = MINUTE,
    voices: Voices | None = None,
) -> None:
    """Look after every account's reminders. Never returns; any number of workers may do so.

    `policy` judges from where calendars may be fetched. A `minute` between tries is so long.
    `voices` speak; without them espeak-ng alone does.
    """
    async with (
        SpokenTexts.open(database, voices) as texts,
        background(
            stay_connected(
                database, partial(serve_speech, texts=texts), "speech waits for the database"
            ),
            stay_connected(database, _serve_imports, "imports wait for the database"),
            stay_connected(
                database,
                partial(serve_feeds, policy=policy),
                "calendar feeds wait for the database",
            ),
        ),
    ):
        await stay_connected(
            database, partial(_serve, minute=minute), "reminders wait for the database"
        )


async def _serve(connection: Connection, minute: timedelta) -> None:
    loop = asyncio.get_running_loop()
    while True:
        began_at = loop.time()
        cursor = await connection.execute(_ANYTHING, prepare=True)
        row = await cursor.fetchone()
        if row is not None and row[0]:
            await do_everything(connection, minute)
        await asyncio.sleep(max(0.0, began_at + TICK_SECONDS - loop.time()))


async def _serve_imports(connection: Connection) -> None:
    while True:
        if not await take_in_next(connection, IMPORTERS):
            await asyncio.sleep(TICK_SECONDS)


async def do_everything(connection: Connection, minute: timedelta = MINUTE) -> None:
    """Do all that there is to do now."""
    await _until_less_than(BATCH, connection, plan_waiting)
    await _until_less_than(1, connection, partial(settle_ended, minute=minute))
    # What was answered is planned anew before anything is called.
    await _until_less_than(BATCH, connection, plan_waiting)
    await _until_less_than(AT_ONCE, connection, place_due)


async def _until_less_than(
    few: int, connection: Connection, work: Callable[[Connection], Awaitable[int]]
) -> None:
    while True:
        async with connection.transaction():
            if await work(connection) < few:
                return
