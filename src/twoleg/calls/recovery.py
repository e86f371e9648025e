"""Proving that we live, and closing what lost engines leave behind.

A call without the mark that lets its contact be attempted goes back to the queue. One with it is
never dialled again: it ends as `failed`, and the dialogs that it left get BYE.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import psycopg
import structlog

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.calls.background import background
from twoleg.events import EVENTS_CHANNEL
from twoleg.sip import Credentials, DialogIdentity
from twoleg.store import Database

HEARTBEAT_SECONDS: Final = 2.0
DEAD_SECONDS: Final = 10.0
"""An engine that was not heard of for so long, by the database's clock, is dead."""

LEAVE_SECONDS: Final = 2.0
"""How long an engine that ends waits for the database to take note of it."""

MAX_RECOVERED: Final = 200
"""Calls closed in one go."""

_JOIN: Final = """
INSERT INTO engines (name, sip_host, sip_port) VALUES (%s, %s, %s) RETURNING id
"""
_BEAT: Final = """
UPDATE engines SET heartbeat_at = clock_timestamp(), draining = %s WHERE id = %s
"""
# An engine that ended in order has nothing to be waited for.
_LEAVE: Final = """
UPDATE engines SET draining = true, heartbeat_at = 'epoch' WHERE id = %s
"""
_LOST_CALL: Final = """
  c.ended_at IS NULL AND e.id <> %(self)s
  AND (e.heartbeat_at = 'epoch' OR %(judging)s
    AND e.heartbeat_at < clock_timestamp() - make_interval(secs => %(dead)s))
"""
_OUR_CALL: Final = "c.ended_at IS NULL AND e.id = %(self)s"


def _requeue(whose: str) -> str:
    return f"""
WITH orphaned AS MATERIALIZED (
  SELECT c.id FROM calls c JOIN engines e ON e.id = c.engine_id
  WHERE {whose} AND c.contact_attempt_at IS NULL
  ORDER BY c.id LIMIT %(most)s FOR NO KEY UPDATE OF c SKIP LOCKED
), freed AS (
  DELETE FROM reservations r USING orphaned o WHERE r.call_id = o.id
), waited AS (
  DELETE FROM waiting_calls w USING orphaned o WHERE w.call_id = o.id
), unrung AS (
  DELETE FROM legs l USING orphaned o WHERE l.call_id = o.id
), queued AS (
  UPDATE calls c SET engine_id = NULL, claimed_at = NULL, status = 'queued',
    sequence = sequence + 1
  FROM orphaned o WHERE c.id = o.id RETURNING c.id, c.account_id, c.sequence
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, 'call.queued', clock_timestamp(), '{{"recovered": true}}'
  FROM queued
)
SELECT id, pg_notify(%(channel)s, ''), pg_notify(%(events)s, '') FROM queued
"""  # noqa: S608


_REQUEUE_LOST: Final = _requeue(_LOST_CALL)
_REQUEUE_OURS: Final = _requeue(_OUR_CALL)

# Talk time is known up to the engine's last heartbeat.
_FAIL: Final = f"""
WITH orphaned AS MATERIALIZED (
  SELECT c.id, e.heartbeat_at FROM calls c JOIN engines e ON e.id = c.engine_id
  WHERE {_LOST_CALL} AND c.contact_attempt_at IS NOT NULL
  ORDER BY c.id LIMIT %(most)s FOR NO KEY UPDATE OF c SKIP LOCKED
), freed AS (
  DELETE FROM reservations r USING orphaned o WHERE r.call_id = o.id
  RETURNING r.call_id, r.user_id, r.wrap_up_seconds
), waited AS (
  DELETE FROM waiting_calls w USING orphaned o WHERE w.call_id = o.id
), idle AS (
  UPDATE users SET last_call_ended_at = clock_timestamp(),
    wrap_up_until = clock_timestamp() + make_interval(secs => f.wrap_up_seconds)
  FROM freed f WHERE users.id = f.user_id AND EXISTS (
    SELECT FROM legs l
    WHERE l.call_id = f.call_id AND l.user_id = f.user_id AND l.answered_at IS NOT NULL)
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
  WHERE c.id = o.id
  RETURNING c.id, c.account_id, c.sequence, c.ended_at, c.failure, c.talk_seconds, c.total_seconds
), told AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, 'call.ended', ended_at, jsonb_build_object(
    'outcome', 'failed', 'ended_by', 'system', 'failure', failure,
    'talk_seconds', talk_seconds, 'total_seconds', total_seconds) FROM ended
), hung_up AS (
  UPDATE legs l SET ended_at = e.ended_at, dialog = NULL FROM ended e
  WHERE l.call_id = e.id AND l.ended_at IS NULL
)
SELECT e.id, l.dialog, t.username, t.password, pg_notify(%(events)s, '')
FROM ended e LEFT JOIN legs l ON l.call_id = e.id AND l.ended_at IS NULL AND l.dialog IS NOT NULL
  LEFT JOIN trunks t ON t.id = l.trunk_id
"""  # noqa: S608

log = structlog.get_logger(__name__)

HangUp = Callable[[DialogIdentity, Credentials | None], Coroutine[Any, Any, None]]


async def join(database: Database, name: str, host: str, port: int) -> int:
    """Make an engine known; give its id. Raises DatabaseUnavailable."""
    async with database.connection() as connection:
        cursor = await connection.execute(_JOIN, (name, host, port))
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


class Recovery:
    """The heartbeat of one engine, and its care for lost engines' calls. Made by `Recovery.open`.

    `hang_up` ends a dialog that a lost engine left. `draining` is told with the next heartbeat.
    """

    def __init__(
        self,
        database: Database,
        engine_id: int,
        hang_up: HangUp,
        *,
        dead_seconds: float = DEAD_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._hang_up = hang_up
        self._dead_seconds = dead_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self.engine_id = engine_id
        self.draining = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        engine_id: int,
        hang_up: HangUp,
        *,
        dead_seconds: float = DEAD_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> AsyncIterator[Self]:
        """Beat and look until the block is left; then give back what is ours, and say good-bye."""
        recovery = cls(
            database,
            engine_id,
            hang_up,
            dead_seconds=dead_seconds,
            heartbeat_seconds=heartbeat_seconds,
            clock=clock,
        )
        try:
            async with background(recovery._run()):
                yield recovery
        finally:
            await recovery._leave()

    async def _run(self) -> None:
        last_beat = self._clock()
        # Where we, or the database, were away, the others must first have the time to be heard.
        judging_from = last_beat + self._dead_seconds
        async with asyncio.TaskGroup() as hang_ups:
            while True:
                try:
                    await self._beat()
                    now = self._clock()
                    if now - last_beat > self._dead_seconds / 2:
                        judging_from = now + self._dead_seconds
                    last_beat = now
                    await self._recover(hang_ups, judging=now >= judging_from)
                except (OSError, psycopg.Error) as error:
                    log.warning("no heartbeat", error=type(error).__name__)
                await asyncio.sleep(self._heartbeat_seconds)

    async def _beat(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_BEAT, (self.draining, self.engine_id))

    async def _leave(self) -> None:
        """Have others place at once what was never rung, and take note that we are gone."""
        parameters = self._parameters(judging=False)
        try:
            async with (
                asyncio.timeout(LEAVE_SECONDS),
                self._database.connection() as connection,
            ):
                await connection.execute(_REQUEUE_OURS, parameters)
                await connection.execute(_LEAVE, (self.engine_id,))
        except (OSError, TimeoutError, psycopg.Error):
            log.warning("the end of the engine could not be told")

    async def _recover(self, hang_ups: asyncio.TaskGroup, *, judging: bool) -> None:
        parameters = self._parameters(judging=judging)
        async with self._database.connection() as connection:
            cursor = await connection.execute(_REQUEUE_LOST, parameters)
            queued = await cursor.fetchall()
            cursor = await connection.execute(_FAIL, parameters)
            failed = await cursor.fetchall()
        for call_id, _, _ in queued:
            log.warning("a lost engine's call is placed again", call_id=call_id)
        for call_id, dialog, username, password, _ in failed:
            log.warning("a lost engine's call has failed", call_id=call_id)
            if dialog is not None:
                credentials = Credentials(username, password) if username and password else None
                hang_ups.create_task(self._end(call_id, dialog, credentials))

    def _parameters(self, *, judging: bool) -> dict[str, Any]:
        return {
            "self": self.engine_id,
            "judging": judging,
            "dead": self._dead_seconds,
            "most": MAX_RECOVERED,
            "channel": CALLS_CHANNEL,
            "events": EVENTS_CHANNEL,
        }

    async def _end(
        self, call_id: int, dialog: dict[str, Any], credentials: Credentials | None
    ) -> None:
        try:
            await self._hang_up(DialogIdentity.from_json(dialog), credentials)
        except Exception:
            # Whatever is wrong with one dialog, the heart must go on beating.
            log.exception("a lost engine's dialog could not be ended", call_id=call_id)
