"""The log of what becomes of calls and appointments, read so that nothing late is passed over.

Ids are given before their transactions commit, so that a reader may see 12 before 11 is there.
A missing id is waited for as long as a transaction runs that may yet bring it: one that holds
the lock that every writer of the table takes. What is missing afterwards was rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from psycopg.rows import class_row

from twoleg.store.database import Connection

EVENTS_CHANNEL: Final = "twoleg_events"
"""Told, without a payload, after events were committed."""

FIRST_PAUSE_SECONDS: Final = 0.002
LONGEST_PAUSE_SECONDS: Final = 0.05
WARN_SECONDS: Final = 5.0
"""A transaction that holds events up for so long is worth a line in the log."""

# `place` counts up without holes: as long as the ids do so too, nothing is missing.
FRONT: Final = """
SELECT max(id) FILTER (WHERE id = %(after)s + place) AS dense, max(id) AS last
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place
      FROM (SELECT id FROM call_events WHERE id > %(after)s ORDER BY id LIMIT %(most)s) AS next
     ) AS numbered
"""
_LAST: Final = "SELECT coalesce(max(id), 0) FROM call_events"
_WRITERS: Final = """
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'call_events'::regclass
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND mode = 'RowExclusiveLock' AND granted
"""
_COLUMNS: Final = "id, account_id, call_id, appointment_id, sequence, type, at, data"
_BETWEEN: Final = f"""
SELECT {_COLUMNS} FROM call_events WHERE id > %s AND id <= %s ORDER BY id
"""  # noqa: S608
_OF_ACCOUNT: Final = f"""
SELECT {_COLUMNS} FROM call_events
WHERE account_id = %(account_id)s AND id > %(after)s AND id <= %(until)s
ORDER BY id LIMIT %(most)s
"""  # noqa: S608
_OF_CALL: Final = _OF_ACCOUNT.replace("WHERE", "WHERE call_id = %(call_id)s AND")
_OF_APPOINTMENT: Final = _OF_ACCOUNT.replace(
    "WHERE", "WHERE appointment_id = %(appointment_id)s AND"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of `call_events`: a call's, or an appointment's."""

    id: int
    account_id: int
    call_id: int | None
    appointment_id: int | None
    sequence: int
    type: str
    at: datetime
    data: Mapping[str, Any]


async def settled_until(connection: Connection, after: int, most: int) -> int:
    """Return the id up to which the log will change no more, `after` where nothing is new.

    Looks at the next `most` events. `connection` must be in autocommit. What stands before a
    missing id is let go first; the missing one itself is waited for.
    """
    cursor = await connection.execute(FRONT, {"after": after, "most": most}, prepare=True)
    row = await cursor.fetchone()
    assert row is not None
    dense, last = row
    if last is None:
        return after
    if dense is not None:
        return int(dense)
    await writers_are_done(connection)
    return int(last)


async def settled_end(connection: Connection) -> int:
    """Return the last id of the log as it is now, once nothing before it can come any more."""
    cursor = await connection.execute(_LAST)
    row = await cursor.fetchone()
    assert row is not None
    await writers_are_done(connection)
    return int(row[0])


async def events_between(connection: Connection, after: int, until: int) -> list[Event]:
    """Return the events of every account behind `after`, up to and with `until`, by rising id."""
    async with connection.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(_BETWEEN, (after, until), prepare=True)
        return await cursor.fetchall()


async def events_of_account(
    connection: Connection,
    account_id: int,
    after: int,
    until: int,
    *,
    call_id: int | None,
    appointment_id: int | None,
    most: int,
) -> list[Event]:
    """Return up to `most` events of an account behind `after`, up to and with `until`, by id.

    Those of one call only, where `call_id` names it, or else of one appointment.
    """
    parameters = {
        "account_id": account_id,
        "call_id": call_id,
        "appointment_id": appointment_id,
        "after": after,
        "until": until,
        "most": most,
    }
    statement = _OF_ACCOUNT
    if call_id is not None:
        statement = _OF_CALL
    elif appointment_id is not None:
        statement = _OF_APPOINTMENT
    async with connection.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


async def writers_are_done(connection: Connection) -> None:
    """Wait until every transaction has ended that by now may have an id and not committed."""
    loop = asyncio.get_running_loop()
    warn_at = loop.time() + WARN_SECONDS
    pause = FIRST_PAUSE_SECONDS
    writers = await _writers(connection)
    while writers:
        if loop.time() > warn_at:
            log.warning("events wait for a transaction", transactions=sorted(writers))
            warn_at = loop.time() + WARN_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        writers &= await _writers(connection)


async def _writers(connection: Connection) -> set[str]:
    cursor = await connection.execute(_WRITERS)
    return {transaction for (transaction,) in await cursor.fetchall()}
