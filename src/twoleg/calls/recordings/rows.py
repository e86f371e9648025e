"""The rows of recordings, as the engines write and the api reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from psycopg.rows import class_row

from twoleg.store.database import Connection

RECORDING_CHANNEL: Final = "twoleg_recording"
"""Told the number of a call whose recording is to pause, or to go on."""

LOST: Final = "what the engine wrote was not found"

_BEGIN: Final = """
INSERT INTO recordings (account_id, call_id)
SELECT account_id, id FROM calls WHERE id = ANY(%s) ON CONFLICT (call_id) DO NOTHING
"""
_WISHES: Final = """
SELECT call_id, pause_wanted FROM recordings WHERE call_id = ANY(%s) AND state = 'recording'
"""
_STOP: Final = """
UPDATE recordings SET failure = %s WHERE call_id = %s AND state IN ('recording', 'finalising')
"""
_COLUMNS: Final = "id, account_id, call_id, state, failure, seconds, bytes, object_key, ready_at"
_FIND: Final = f"SELECT {_COLUMNS} FROM recordings WHERE account_id = %s AND call_id = %s"  # noqa: S608
_FIND_OF_CALL: Final = f"SELECT {_COLUMNS} FROM recordings WHERE call_id = %s"  # noqa: S608
_OF_CALLS: Final = f"SELECT {_COLUMNS} FROM recordings WHERE call_id = ANY(%s)"  # noqa: S608
_PAUSE: Final = """
WITH asked AS (
  UPDATE recordings r SET pause_wanted = %(pause)s FROM calls c
  WHERE r.account_id = %(account_id)s AND r.call_id = %(call_id)s AND r.state = 'recording'
    AND c.id = r.call_id AND c.ended_at IS NULL
  RETURNING r.call_id
)
SELECT pg_notify(%(channel)s, call_id::text) FROM asked
"""
_DELETE: Final = """
UPDATE recordings SET state = 'deleted', deleted_at = now()
WHERE account_id = %s AND call_id = %s AND state <> 'deleted' RETURNING id
"""


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A call's recording as it stands; `seconds` and `bytes` once it is ready."""

    id: int
    account_id: int
    call_id: int
    state: str
    failure: str | None
    seconds: Decimal | None
    bytes: int | None
    object_key: str | None
    ready_at: datetime | None

    @property
    def is_ready(self) -> bool:
        return self.state == "ready" and self.object_key is not None


async def begin_recordings(connection: Connection, call_ids: list[int]) -> None:
    """Note that calls are being recorded; those that are known stay as they are."""
    await connection.execute(_BEGIN, (call_ids,))


async def pauses_wanted(connection: Connection, call_ids: list[int]) -> dict[int, bool]:
    """Tell, of calls that are being recorded, whether a pause is wanted."""
    cursor = await connection.execute(_WISHES, (call_ids,))
    return dict(await cursor.fetchall())


async def note_failure(connection: Connection, call_id: int, failure: str) -> None:
    """Note why a recording ended before its call."""
    await connection.execute(_STOP, (failure, call_id))


async def find_recording(
    connection: Connection, account_id: int, call_id: int
) -> RecordingRow | None:
    """Return the recording of the account's call; None: there is none."""
    async with connection.cursor(row_factory=class_row(RecordingRow)) as cursor:
        await cursor.execute(_FIND, (account_id, call_id))
        return await cursor.fetchone()


async def find_recording_of_call(connection: Connection, call_id: int) -> RecordingRow | None:
    """Return the recording of a call of whatever account; None: there is none."""
    async with connection.cursor(row_factory=class_row(RecordingRow)) as cursor:
        await cursor.execute(_FIND_OF_CALL, (call_id,))
        return await cursor.fetchone()


async def recordings_of(connection: Connection, call_ids: list[int]) -> dict[int, RecordingRow]:
    """Return the recordings that there are of some calls, by call."""
    async with connection.cursor(row_factory=class_row(RecordingRow)) as cursor:
        await cursor.execute(_OF_CALLS, (call_ids,))
        return {row.call_id: row for row in await cursor.fetchall()}


async def request_pause(
    connection: Connection, account_id: int, call_id: int, *, pause: bool
) -> bool:
    """Have a recording paused, or go on; False: the call is not being recorded now."""
    parameters = {
        "pause": pause,
        "account_id": account_id,
        "call_id": call_id,
        "channel": RECORDING_CHANNEL,
    }
    return (await connection.execute(_PAUSE, parameters)).rowcount > 0


async def delete_recording(connection: Connection, account_id: int, call_id: int) -> bool:
    """Let nobody hear a recording from now on; its objects go soon. False: there is none.

    One that still goes on is dropped when its call ends.
    """
    return (await connection.execute(_DELETE, (account_id, call_id))).rowcount > 0
