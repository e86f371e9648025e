"""What happens to calls, written soon and in order, many calls in one statement.

Nobody's signalling waits here. While the database is away changes are kept, and written
afterwards; a change of a call that another engine has by then is dropped.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self

import psycopg
import structlog

from twoleg.calls.background import background
from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.journal import CallChange, ClaimLost, LegRecord
from twoleg.store import Database

MAX_BATCH: Final = 256
"""Changes in one transaction."""

MAX_PENDING: Final = 100_000
"""Changes that are kept while the database is away, beside the ends of calls.

No call is claimed meanwhile: the calls that run make some five changes each.
"""

CLOSE_SECONDS: Final = 3.0
"""How long the end waits for the database to take what is left."""

MAX_CAUSE: Final = 127
"""Q.850 gives a cause seven bits; a far end may send whatever it likes."""

REFUSALS: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    TypeError,
    ValueError,
)
"""What a change is refused with that no waiting will have taken."""

# One round: one change of each call. The guard is the engine: a call that another engine took
# over, or that was ended, is left alone. The sequence makes a second writing of the same change,
# after a connection was lost at the commit, change nothing.
_WRITE: Final = """
WITH change AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(changes)s::jsonb) AS x(
    call_id bigint, account_id bigint, status text, sequence integer, type text, at timestamptz,
    data jsonb, contact_attempt_at timestamptz, winner bigint, outcome text, ended_by text,
    failure text, ended_at timestamptz, agent_ring_seconds numeric, contact_ring_seconds numeric,
    talk_seconds numeric, total_seconds numeric, legs jsonb)
), updated AS (
  UPDATE calls c SET status = x.status, sequence = x.sequence,
    contact_attempt_at = coalesce(c.contact_attempt_at, x.contact_attempt_at),
    outcome = x.outcome, ended_by = x.ended_by, failure = x.failure, ended_at = x.ended_at,
    agent_ring_seconds = x.agent_ring_seconds, contact_ring_seconds = x.contact_ring_seconds,
    talk_seconds = x.talk_seconds, total_seconds = x.total_seconds
  FROM change x
  WHERE c.id = x.call_id AND c.engine_id = %(engine)s AND c.ended_at IS NULL
    AND c.sequence < x.sequence
    AND (x.contact_attempt_at IS NULL OR c.contact_attempt_at IS NULL)
  RETURNING c.id
), events AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT x.account_id, x.call_id, x.sequence, x.type, x.at, x.data
  FROM change x JOIN updated u ON u.id = x.call_id
), legs AS (
  INSERT INTO legs (call_id, position, role, user_id, to_uri, trunk_id, started_at, answered_at,
    ended_at, sip_status, q850_cause, reason, codec, quality, dialog)
  SELECT x.call_id, l.* FROM change x JOIN updated u ON u.id = x.call_id,
    jsonb_to_recordset(x.legs) AS l(position smallint, role text, user_id bigint, to_uri text,
      trunk_id bigint, started_at timestamptz, answered_at timestamptz, ended_at timestamptz,
      sip_status smallint, q850_cause smallint, reason text, codec text, quality jsonb,
      dialog jsonb)
  ON CONFLICT (call_id, position) DO UPDATE SET answered_at = excluded.answered_at,
    ended_at = excluded.ended_at, sip_status = excluded.sip_status,
    q850_cause = excluded.q850_cause, reason = excluded.reason, codec = excluded.codec,
    quality = excluded.quality, dialog = excluded.dialog
), freed AS (
  DELETE FROM reservations r USING change x, updated u
  WHERE u.id = x.call_id AND r.call_id = x.call_id
    AND (x.ended_at IS NOT NULL OR r.user_id <> x.winner)
  RETURNING r.user_id, x.ended_at
), idle AS (
  UPDATE users SET last_call_ended_at = f.ended_at
  FROM freed f WHERE users.id = f.user_id AND f.ended_at IS NOT NULL
)
SELECT x.call_id, u.id IS NOT NULL OR EXISTS (
  SELECT FROM calls c JOIN call_events v ON v.call_id = c.id AND v.sequence = x.sequence
  WHERE c.id = x.call_id AND c.engine_id = %(engine)s AND v.type = x.type AND v.at = x.at)
FROM change x LEFT JOIN updated u ON u.id = x.call_id
"""

log = structlog.get_logger(__name__)


def _row(change: CallChange) -> dict[str, Any]:
    event, ending = change.event, change.ending
    if event is None:
        raise ValueError("a change without an event has no sequence to be guarded by")
    row: dict[str, Any] = {
        "call_id": change.call_id,
        "account_id": change.account_id,
        "status": change.status,
        "sequence": event.sequence,
        "type": event.type,
        "at": event.at.isoformat(),
        "data": event.data,
        "legs": [_leg(leg) for leg in change.legs],
        "winner": event.data.get("user_id"),
    }
    if change.contact_attempt_at is not None:
        row["contact_attempt_at"] = change.contact_attempt_at.isoformat()
    if ending is not None:
        row |= {
            "outcome": ending.outcome,
            "ended_by": ending.ended_by,
            "failure": ending.failure,
            "ended_at": ending.ended_at.isoformat(),
            "agent_ring_seconds": ending.agent_ring_seconds,
            "contact_ring_seconds": ending.contact_ring_seconds,
            "talk_seconds": ending.talk_seconds,
            "total_seconds": ending.total_seconds,
        }
    return row


def _leg(leg: LegRecord) -> dict[str, Any]:
    return {
        "position": leg.position,
        "role": leg.role,
        "user_id": leg.user_id,
        "to_uri": leg.to_uri,
        "trunk_id": leg.trunk_id,
        "started_at": leg.started_at.isoformat(),
        "answered_at": leg.answered_at and leg.answered_at.isoformat(),
        "ended_at": leg.ended_at and leg.ended_at.isoformat(),
        "sip_status": leg.sip_status,
        "q850_cause": leg.q850_cause if (leg.q850_cause or 0) <= MAX_CAUSE else None,
        "reason": leg.reason,
        "codec": leg.codec,
        "quality": leg.quality,
        "dialog": leg.dialog,
    }


def _json(rows: list[dict[str, Any]]) -> str:
    """Write rows as JSON that PostgreSQL takes, whatever bytes a far end sent us as text."""
    text = json.dumps(rows, ensure_ascii=False)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace(r"\u0000", r"\ufffd")


def _bare_row(change: CallChange) -> dict[str, Any]:
    """Give what is needed for the call's state to go on, without what may have been refused."""
    return _row(change) | {"legs": [], "data": {}, "failure": None}


@dataclass(slots=True, eq=False)
class _Pending:
    change: CallChange
    stored: asyncio.Future[None] | None


class Writer:
    """The `RecordWriter` of one engine. Made by `Writer.open`."""

    def __init__(self, database: Database, engine_id: int) -> None:
        self._database = database
        self._engine_id = engine_id
        self._pending: deque[_Pending] = deque()
        self._cut_short: set[int] = set()
        self._arrived = asyncio.Event()
        self._written = asyncio.Event()
        self.lost = 0
        """Changes that were dropped: there were too many, or the database would never take them."""

        self.batches = 0
        self.changes = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, engine_id: int) -> AsyncIterator[Self]:
        """Write until the block is left; what is pending then gets a few seconds more."""
        writer = cls(database, engine_id)
        async with background(
            stay_connected(database, writer._serve, "records wait for the database")
        ):
            try:
                yield writer
            finally:
                await writer._finish()

    @property
    def pending(self) -> int:
        """How many changes wait for the database."""
        return len(self._pending)

    async def flushed(self) -> None:
        """Wait until nothing is pending."""
        while self._pending:
            self._written.clear()
            await self._written.wait()

    def write(self, change: CallChange) -> None:
        self._put(_Pending(change, None))

    def store(self, change: CallChange) -> asyncio.Future[None]:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(_Pending(change, stored))
        return stored

    def _put(self, pending: _Pending) -> None:
        """Keep a change; with too many, a call's go from some point on, all but its end.

        Each status but the end is allowed only after the one before it.
        """
        call_id, ends = pending.change.call_id, pending.change.ending is not None
        if ends:
            self._cut_short.discard(call_id)
        elif len(self._pending) >= MAX_PENDING or call_id in self._cut_short:
            self._cut_short.add(call_id)
            self.lost += 1
            return
        self._pending.append(pending)
        self._arrived.set()

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.flushed()
        except TimeoutError:
            log.error("changes of calls were not written", pending=len(self._pending))

    async def _serve(self, connection: Connection) -> None:
        """Write batch after batch; ends by an exception once the connection is of no use."""
        while True:
            await self._arrived.wait()
            while self._pending:
                batch = list(islice(self._pending, MAX_BATCH))
                await self._write(connection, batch)
                for _ in batch:
                    self._pending.popleft()
                self.batches += 1
                self.changes += len(batch)
            self._arrived.clear()
            self._written.set()

    async def _write(self, connection: Connection, batch: Sequence[_Pending]) -> None:
        rounds = _rounds(batch)
        try:
            if len(rounds) == 1:
                done = await self._write_round(connection, rounds[0])
            else:
                async with connection.transaction():
                    done = []
                    for one_round in rounds:
                        done += await self._write_round(connection, one_round)
        except REFUSALS as error:
            log.warning("a batch was refused", error=type(error).__name__)
            for pending in batch:
                await self._write_alone(connection, pending)
            return
        for pending, written in done:
            _tell(pending, written=written)

    async def _write_alone(self, connection: Connection, pending: _Pending) -> None:
        """Write what the database takes of a change: all of it, or what the call's state needs."""
        for write in (_row, _bare_row):
            try:
                [(_, written)] = await self._write_round(connection, [pending], write)
            except REFUSALS:
                log.exception("a change was refused", call_id=pending.change.call_id)
            else:
                _tell(pending, written=written)
                return
        self.lost += 1
        _tell(pending, written=False)

    async def _write_round(
        self,
        connection: Connection,
        one_round: Sequence[_Pending],
        row: Callable[[CallChange], dict[str, Any]] = _row,
    ) -> list[tuple[_Pending, bool]]:
        changes = _json([row(pending.change) for pending in one_round])
        async with connection.cursor() as cursor:
            await cursor.execute(
                _WRITE, {"changes": changes, "engine": self._engine_id}, prepare=True
            )
            written = dict(await cursor.fetchall())
        return [(pending, bool(written[pending.change.call_id])) for pending in one_round]


def _rounds(batch: Sequence[_Pending]) -> list[list[_Pending]]:
    """Put the first change of each call in the first round, the second in the second..."""
    turns: dict[int, int] = {}
    rounds: list[list[_Pending]] = []
    for pending in batch:
        call_id = pending.change.call_id
        turn = turns.get(call_id, 0)
        turns[call_id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(pending)
    return rounds


def _tell(pending: _Pending, *, written: bool) -> None:
    stored = pending.stored
    if stored is None or stored.done():
        return
    if written:
        stored.set_result(None)
    else:
        stored.set_exception(ClaimLost(pending.change.call_id))
        stored.exception()
