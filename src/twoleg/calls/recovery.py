"""Proving that we live, and closing what engines leave behind that do not.

A call that was claimed, and whose contact was never to be attempted, goes back to the queue. One
whose attempt was marked is never dialled again: it ends as `failed`, and the dialogs that it left
get BYE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import structlog

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.sip import Credentials, DialogIdentity, InvalidValue
from twoleg.store import Database

HEARTBEAT_SECONDS: Final = 2.0
DEAD_SECONDS: Final = 10.0
"""An engine that was not heard of for so long, by the database's clock, is dead."""

MAX_RECOVERED: Final = 200
"""Calls closed in one go."""

_JOIN: Final = """
INSERT INTO engines (name, sip_host, sip_port) VALUES (%s, %s, %s) RETURNING id
"""
_BEAT: Final = """
UPDATE engines SET heartbeat_at = clock_timestamp(), draining = %s WHERE id = %s
"""
_LEAVE: Final = """
UPDATE engines SET draining = true, heartbeat_at = 'epoch' WHERE id = %s
"""
_REQUEUE: Final = """
WITH orphaned AS MATERIALIZED (
  SELECT c.id FROM calls c JOIN engines e ON e.id = c.engine_id
  WHERE c.ended_at IS NULL AND c.contact_attempt_at IS NULL AND e.id <> %(self)s
    AND e.heartbeat_at < clock_timestamp() - make_interval(secs => %(dead)s)
  LIMIT %(most)s FOR NO KEY UPDATE OF c SKIP LOCKED
), freed AS (
  DELETE FROM reservations r USING orphaned o WHERE r.call_id = o.id
), unrung AS (
  DELETE FROM legs l USING orphaned o WHERE l.call_id = o.id
), queued AS (
  UPDATE calls c SET engine_id = NULL, claimed_at = NULL, status = 'queued',
    sequence = sequence + 1
  FROM orphaned o WHERE c.id = o.id RETURNING c.id, c.account_id, c.sequence
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, 'call.queued', clock_timestamp(), '{"recovered": true}'
  FROM queued
)
SELECT id, pg_notify(%(channel)s, '') FROM queued
"""
_FAIL: Final = """
WITH orphaned AS MATERIALIZED (
  SELECT c.id, e.heartbeat_at FROM calls c JOIN engines e ON e.id = c.engine_id
  WHERE c.ended_at IS NULL AND c.contact_attempt_at IS NOT NULL AND e.id <> %(self)s
    AND e.heartbeat_at < clock_timestamp() - make_interval(secs => %(dead)s)
  LIMIT %(most)s FOR NO KEY UPDATE OF c SKIP LOCKED
), freed AS (
  DELETE FROM reservations r USING orphaned o WHERE r.call_id = o.id
), bridged AS (
  SELECT v.call_id, min(v.at) AS at FROM call_events v JOIN orphaned o ON o.id = v.call_id
  WHERE v.type = 'call.bridged' GROUP BY v.call_id
), ended AS (
  UPDATE calls c SET status = 'ended', outcome = 'failed', ended_by = 'system',
    failure = 'the engine that had the call was lost', ended_at = clock_timestamp(),
    talk_seconds = greatest(0, coalesce(extract(epoch FROM o.heartbeat_at - b.at), 0)),
    total_seconds = extract(epoch FROM clock_timestamp() - c.created_at),
    sequence = sequence + 1
  FROM orphaned o LEFT JOIN bridged b ON b.call_id = o.id
  WHERE c.id = o.id RETURNING c.id, c.account_id, c.sequence, c.ended_at, c.failure
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, 'call.ended', ended_at,
    jsonb_build_object('outcome', 'failed', 'ended_by', 'system', 'failure', failure) FROM ended
), hung_up AS (
  UPDATE legs l SET ended_at = e.ended_at, dialog = NULL FROM ended e
  WHERE l.call_id = e.id AND l.ended_at IS NULL
)
SELECT e.id, l.dialog, t.username, t.password
FROM ended e LEFT JOIN legs l ON l.call_id = e.id AND l.ended_at IS NULL AND l.dialog IS NOT NULL
  LEFT JOIN trunks t ON t.id = l.trunk_id
"""

log = structlog.get_logger(__name__)

HangUp = Callable[[DialogIdentity, Credentials | None], Coroutine[Any, Any, None]]


async def join(database: Database, name: str, host: str, port: int) -> int:
    """Make an engine known; give its id. Raises DatabaseUnavailable."""
    async with database.connection() as connection:
        cursor = await connection.execute(_JOIN, (name, host, port))
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


@dataclass(slots=True, kw_only=True)
class Recovery:
    """The heartbeat of one engine, and its care for others' calls. `run` it for as long as ours.

    `hang_up` ends a dialog that a dead engine left.
    """

    database: Database
    engine_id: int
    hang_up: HangUp
    is_draining: Callable[[], bool]
    dead_seconds: float = DEAD_SECONDS
    heartbeat_seconds: float = HEARTBEAT_SECONDS

    async def run(self) -> None:
        """Beat and look, until cancelled; then say that we are gone."""
        loop = asyncio.get_running_loop()
        last_beat = loop.time()
        try:
            async with asyncio.TaskGroup() as hang_ups:
                while True:
                    try:
                        beat_at = loop.time()
                        await self._beat()
                        # Who was away itself must not judge those who could not be heard then.
                        if beat_at - last_beat < self.dead_seconds / 2:
                            await self._recover(hang_ups)
                        last_beat = beat_at
                    except (OSError, psycopg.OperationalError) as error:
                        log.warning("no heartbeat", error=type(error).__name__)
                    await asyncio.sleep(self.heartbeat_seconds)
        finally:
            await self._leave()

    async def _beat(self) -> None:
        async with self.database.connection() as connection:
            await connection.execute(_BEAT, (self.is_draining(), self.engine_id))

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(1), self.database.connection() as connection:
                await connection.execute(_LEAVE, (self.engine_id,))
        except (OSError, TimeoutError, psycopg.Error):
            log.warning("the end of the engine could not be told")

    async def _recover(self, hang_ups: asyncio.TaskGroup) -> None:
        parameters = {
            "self": self.engine_id,
            "dead": self.dead_seconds,
            "most": MAX_RECOVERED,
            "channel": CALLS_CHANNEL,
        }
        async with self.database.connection() as connection:
            cursor = await connection.execute(_REQUEUE, parameters)
            queued = await cursor.fetchall()
            cursor = await connection.execute(_FAIL, parameters)
            failed = await cursor.fetchall()
        for call_id, _ in queued:
            log.warning("a lost engine's call is placed again", call_id=call_id)
        for call_id, dialog, username, password in failed:
            log.warning("a lost engine's call has failed", call_id=call_id)
            if dialog is not None:
                credentials = Credentials(username, password) if username and password else None
                hang_ups.create_task(self._end(call_id, dialog, credentials))

    async def _end(
        self, call_id: int, dialog: dict[str, Any], credentials: Credentials | None
    ) -> None:
        try:
            await self.hang_up(DialogIdentity.from_json(dialog), credentials)
        except InvalidValue:
            log.warning("a lost engine's dialog cannot be read", call_id=call_id)
