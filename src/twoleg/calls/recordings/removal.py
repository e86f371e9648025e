"""Removing recordings: when their days are over, and their objects once nobody wants them."""

from __future__ import annotations

from typing import Final

import structlog

from twoleg.store import Database
from twoleg.store.batches import in_batches
from twoleg.store.objects import Objects, ObjectsUnavailable

ROWS_AT_ONCE: Final = 500

_EXPIRE: Final = """
UPDATE recordings SET state = 'deleted', deleted_at = now() WHERE id IN (
  SELECT id FROM recordings
  WHERE state = 'ready' AND ready_at < now() - make_interval(days => %(days)s)
  ORDER BY ready_at LIMIT %(rows)s
)
"""
_LEFTOVER: Final = """
SELECT id, raw_key, CASE WHEN state = 'deleted' THEN object_key END FROM recordings
WHERE (raw_key IS NOT NULL AND state IN ('ready', 'failed', 'deleted')
  OR object_key IS NOT NULL AND state = 'deleted') AND id > %s
ORDER BY id LIMIT %s
"""
_REMOVED: Final = """
UPDATE recordings SET raw_key = CASE WHEN raw_key = %(raw_key)s THEN NULL ELSE raw_key END,
  object_key = CASE WHEN object_key = %(object_key)s THEN NULL ELSE object_key END
WHERE id = %(id)s
"""

log = structlog.get_logger(__name__)


async def remove_old_recordings(database: Database, days: int) -> int:
    """Mark recordings deleted that were ready more than `days` ago."""
    return await in_batches(database, _EXPIRE, days=days, rows=ROWS_AT_ONCE)


async def remove_unwanted_objects(database: Database, objects: Objects) -> int:
    """Remove raw recordings that are finalised, and all that is left of deleted ones."""
    removed = after = 0
    while True:
        async with database.connection() as connection:
            cursor = await connection.execute(_LEFTOVER, (after, ROWS_AT_ONCE))
            rows = await cursor.fetchall()
        for recording_id, raw_key, object_key in rows:
            after = recording_id
            try:
                for key in filter(None, (raw_key, object_key)):
                    await objects.delete(key)
            except ObjectsUnavailable as error:
                log.warning("objects are removed later", recording_id=after, error=str(error))
                return removed
            keys = {"id": after, "raw_key": raw_key, "object_key": object_key}
            async with database.connection() as connection:
                await connection.execute(_REMOVED, keys)
            removed += 1
        if len(rows) < ROWS_AT_ONCE:
            return removed
