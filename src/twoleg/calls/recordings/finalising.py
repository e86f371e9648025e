"""From raw recordings to what can be heard: the worker's part.

Each step can be done again: a worker that is killed leaves a recording to be finalised, and the
next one begins anew. Several workers share them by a lock that the database lets go with the
connection.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from psycopg.types.json import Jsonb

from twoleg.calls.connected import Connection
from twoleg.calls.recordings.rows import LOST
from twoleg.events import EVENTS_CHANNEL
from twoleg.media import RenderedRecording, UnreadableRecording, render_recording
from twoleg.store.objects import ObjectMissing, Objects, ObjectsUnavailable

FIRST_PAUSE_SECONDS: Final = 5
LONGEST_PAUSE_SECONDS: Final = 3600
LOST_SECONDS: Final = 86_400
"""A recording of which nothing was found for so long is not coming any more."""

WORK_PREFIX: Final = "finalising-"
STALE_SECONDS: Final = 86_400

_LOCKS: Final = 0x7C0DE
"""Tells our advisory locks from others'."""

_DUE: Final = """
SELECT r.id, r.call_id, r.account_id, r.raw_key, r.failure
FROM recordings r JOIN calls c ON c.id = r.call_id
WHERE r.state = 'finalising' AND r.next_attempt_at <= now() AND c.ended_at IS NOT NULL
ORDER BY r.next_attempt_at LIMIT %s
"""
_LOCK: Final = "SELECT pg_try_advisory_lock(%s, %s)"
_UNLOCK: Final = "SELECT pg_advisory_unlock(%s, %s)"
_STILL_DUE: Final = """
SELECT FROM recordings WHERE id = %s AND state = 'finalising' AND next_attempt_at <= now()
"""
# Only a call that has ended: its engine counts the events of one that runs.
_READY: Final = """
WITH ready AS (
  UPDATE recordings SET state = 'ready', seconds = %(seconds)s, bytes = %(bytes)s,
    object_key = %(object_key)s, ready_at = now()
  WHERE id = %(id)s AND state = 'finalising' RETURNING call_id
), counted AS (
  UPDATE calls c SET sequence = c.sequence + 1 FROM ready r WHERE c.id = r.call_id
  RETURNING c.id, c.account_id, c.sequence
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, data)
  SELECT account_id, id, sequence, 'call.recording_ready', %(data)s FROM counted
)
SELECT pg_notify(%(channel)s, '') FROM counted
"""
# One that was deleted while it was finalised has an object that nobody wants.
_TOO_LATE: Final = """
UPDATE recordings SET object_key = %(object_key)s WHERE id = %(id)s AND state = 'deleted'
"""
_FAILED: Final = """
UPDATE recordings SET state = 'failed', failure = %s WHERE id = %s AND state = 'finalising'
"""
_LATER: Final = """
UPDATE recordings SET attempts = attempts + 1, next_attempt_at = now()
  + make_interval(secs => least(%(longest)s, %(first)s * 2 ^ least(attempts, 20)))
WHERE id = %(id)s AND state = 'finalising'
"""
_NEVER_CAME: Final = """
UPDATE recordings r SET state = 'failed', failure = %(lost)s
FROM calls c WHERE c.id = r.call_id AND r.state = 'recording'
  AND c.ended_at < now() - make_interval(secs => %(after)s)
"""
_NOT_THERE: Final = """
UPDATE recordings r SET state = 'failed', failure = %(lost)s
FROM calls c WHERE r.id = %(id)s AND c.id = r.call_id AND r.state = 'finalising'
  AND c.ended_at < now() - make_interval(secs => %(after)s)
"""

_AT_ONCE: Final = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Due:
    id: int
    call_id: int
    account_id: int
    raw_key: str
    failure: str | None

    @property
    def object_key(self) -> str:
        return f"{self.account_id}/{self.call_id}.wav"


async def finalise_recordings(connection: Connection, objects: Objects, work: Path) -> int:
    """Finalise what is due, and say how many became ready; `connection` is in autocommit.

    `work` is a directory for files that are being made. Raises psycopg.Error.
    """
    await connection.execute(_NEVER_CAME, {"lost": LOST, "after": LOST_SECONDS})
    cursor = await connection.execute(_DUE, (_AT_ONCE,))
    ready = 0
    for row in await cursor.fetchall():
        due = _Due(*row)
        key = (_LOCKS, due.id & 0x7FFF_FFFF)
        if not await _is_true(connection, _LOCK, key):
            continue
        try:
            cursor = await connection.execute(_STILL_DUE, (due.id,))
            if await cursor.fetchone() is not None:
                ready += await _finalise(connection, objects, due, work)
        finally:
            await connection.execute(_UNLOCK, key)
    return ready


def clear_work(work: Path) -> None:
    """Remove what workers that were killed have left long ago."""
    for directory in work.glob(f"{WORK_PREFIX}*"):
        with suppress(OSError):
            if directory.stat().st_mtime < time.time() - STALE_SECONDS:
                shutil.rmtree(directory)


async def _finalise(connection: Connection, objects: Objects, due: _Due, work: Path) -> bool:
    try:
        with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=work) as directory:
            raw, wav = Path(directory, "raw"), Path(directory, "wav")
            await objects.fetch(due.raw_key, raw)
            rendered, size = await asyncio.to_thread(_render, raw, wav)
            await objects.adopt(wav, due.object_key)
    except UnreadableRecording as error:
        await connection.execute(_FAILED, (due.failure or str(error), due.id))
        return False
    except (OSError, ObjectMissing, ObjectsUnavailable) as error:
        log.warning("a recording is finalised later", call_id=due.call_id, error=str(error))
        if isinstance(error, ObjectMissing):
            lost = {"id": due.id, "lost": LOST, "after": LOST_SECONDS}
            await connection.execute(_NOT_THERE, lost)
        pauses = {"first": FIRST_PAUSE_SECONDS, "longest": LONGEST_PAUSE_SECONDS}
        await connection.execute(_LATER, pauses | {"id": due.id})
        return False
    return await _tell(connection, due, rendered, size)


async def _tell(connection: Connection, due: _Due, rendered: RenderedRecording, size: int) -> bool:
    seconds = round(rendered.seconds, 3)
    parameters = {
        "id": due.id,
        "seconds": seconds,
        "bytes": size,
        "object_key": due.object_key,
        "data": Jsonb({"seconds": seconds, "bytes": size}),
        "channel": EVENTS_CHANNEL,
    }
    if (await connection.execute(_READY, parameters)).rowcount > 0:
        return True
    await connection.execute(_TOO_LATE, {"id": due.id, "object_key": due.object_key})
    return False


def _render(raw: Path, wav: Path) -> tuple[RenderedRecording, int]:
    with raw.open("rb") as file:
        rendered = render_recording(file, wav)
    return rendered, wav.stat().st_size


async def _is_true(connection: Connection, statement: str, parameters: tuple[int, int]) -> bool:
    row = await (await connection.execute(statement, parameters)).fetchone()
    return bool(row and row[0])
