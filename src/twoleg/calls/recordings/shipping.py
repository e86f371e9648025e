"""Raw recordings that are over, on their way from an engine's disk to the storage.

A raw file is locked as long as its engine writes it, so that those of engines that were killed are
found by whoever looks next: an engine or a worker that works with the same data directory.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from twoleg.calls.recordings.rows import LOST
from twoleg.media import RAW_SUFFIX
from twoleg.store import Database
from twoleg.store.objects import Objects, ObjectsUnavailable

SPOOL: Final = "recording-spool"
"""The directory below the data directory where engines write."""

# The row may be missing: it was to be written while the database was away.
_OVER: Final = """
INSERT INTO recordings AS r (account_id, call_id, state, raw_key)
SELECT account_id, id, 'finalising', %(raw_key)s FROM calls WHERE id = %(call_id)s
ON CONFLICT (call_id) DO UPDATE SET state = 'finalising', raw_key = %(raw_key)s,
  next_attempt_at = now()
WHERE r.state = 'recording' OR r.state = 'finalising' AND r.raw_key = %(raw_key)s
  OR r.state = 'failed' AND r.failure = %(lost)s
RETURNING r.state
"""

log = structlog.get_logger(__name__)


async def ship_ended(database: Database, objects: Objects, spool: Path) -> int:
    """Put the raw recordings that are over into the storage, to be finalised; says how many.

    Where the storage fails, the file stays for the next time. Raises psycopg.Error and
    DatabaseUnavailable.
    """
    shipped = 0
    for path in await asyncio.to_thread(_raw_files, spool):
        with _locked(path) as is_ours:
            if is_ours and await _ship(database, objects, path):
                shipped += 1
    return shipped


async def _ship(database: Database, objects: Objects, path: Path) -> bool:
    call_id, _, _ = path.stem.partition("-")
    raw_key = f"raw/{path.name}"
    wanted = False
    if call_id.isdecimal():
        async with database.connection() as connection:
            parameters = {"call_id": int(call_id), "raw_key": raw_key, "lost": LOST}
            cursor = await connection.execute(_OVER, parameters)
            wanted = await cursor.fetchone() is not None
    try:
        if wanted:
            await objects.adopt(path, raw_key)
        else:
            # It was deleted meanwhile, or the call is gone.
            await asyncio.to_thread(path.unlink, missing_ok=True)
    except (OSError, ObjectsUnavailable) as error:
        log.warning("a recording waits for the storage", call_id=call_id, error=str(error))
        return False
    return wanted


def _raw_files(spool: Path) -> list[Path]:
    return sorted(spool.glob(f"*{RAW_SUFFIX}"))


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Have a file for oneself; False: its engine writes it, or somebody else ships it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who had it before may have shipped it.
        yield os.fstat(descriptor).st_nlink > 0 and path.exists()
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)
