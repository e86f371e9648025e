"""What happens to calls, written soon and in order, many calls in one statement.

Nobody's signalling waits here. While the database is away changes are kept, and written
afterwards; a change of a call that another engine has by then is dropped.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self

import psycopg
import structlog

from twoleg.calls.background import background
from twoleg.calls.change_rows import (
    CHANGES,
    LEG_COLUMNS,
    LEGS,
    Row,
    bare_row,
    change_row,
    json_of,
    leg_row,
)
from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.dispositions import DISPOSITION_SET
from twoleg.calls.journal import CallChange, ClaimLost, LegRecord
from twoleg.events import EVENTS_CHANNEL
from twoleg.store import Database

MAX_BATCH: Final = 256
"""Changes in one statement."""

PACE_SECONDS: Final = 0.01
"""From one batch to the next, at least: changes of many calls share a statement's cost.

An ACK waits that long, which no far end notices.
"""

SHARED_BATCH: Final = 8
SHARED_PACE_SECONDS: Final = 0.03
"""The same after a batch of so many changes or more."""

LARGE_BATCH: Final = 32
LARGE_PACE_SECONDS: Final = 0.05
"""The same of a batch as they are from some 150 calls a second on."""

ROWS_IN_ONE_GO: Final = 16
"""Changes that are made ready for the database before signalling has its turn again."""

TELL_SECONDS: Final = 0.06
"""From one word that there is something new to the next, at least, while more is to be written.

Every connection that listens to anything at all is woken for each.
"""

MAX_PENDING: Final = 100_000
"""Changes that are kept while the database is away, beside the ends of calls.

No call is claimed meanwhile: the calls that run make some five changes each.
"""

CLOSE_SECONDS: Final = 3.0
"""How long the end waits for the database to take what is left."""

REFUSALS: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    TypeError,
    ValueError,
)
"""What a change is refused with that no waiting will have taken."""

# $1 holds one change of each call. The guard is the engine, $2: a call that another engine took
# over, or that was ended, is left alone. The sequence makes a second writing of the same change,
# after a connection was lost at the commit, change nothing. The conditions are written so that only
# the primary key serves them: a plan made while the table was small must not read all of it later.
_WRITE: Final = f"""
WITH written AS (
  UPDATE calls c SET status = coalesce(x.status, c.status),
    sequence = coalesce(x.sequence, c.sequence),
    contact_attempt_at = coalesce(c.contact_attempt_at, x.contact_attempt_at),
    outcome = x.outcome, ended_by = x.ended_by, failure = x.failure, ended_at = x.ended_at,
    agent_ring_seconds = x.agent_ring_seconds, contact_ring_seconds = x.contact_ring_seconds,
    talk_seconds = x.talk_seconds, total_seconds = x.total_seconds,
    answered_by = coalesce(x.heard, c.answered_by),
    answered_by_ms = coalesce(x.heard_ms, c.answered_by_ms),
    disposition_untold = c.disposition_untold AND NOT (
      x.type IS NOT DISTINCT FROM '{DISPOSITION_SET}'
      AND x.data->>'disposition' IS NOT DISTINCT FROM c.disposition
      AND x.data->>'notes' IS NOT DISTINCT FROM c.notes)
  FROM ({CHANGES}) AS x
  WHERE c.id = ANY (ARRAY[x.call_id]) AND c.engine_id + 0 = $2 AND c.status <> 'ended'
    AND (x.sequence IS NULL OR c.sequence < x.sequence)
    AND (x.contact_attempt_at IS NULL OR c.contact_attempt_at IS NULL)
  RETURNING c.id, c.account_id, x.sequence, x.type, x.at, x.data, x.legs, x.winner,
    x.answered_by, x.ended_at
), events AS (
  INSERT INTO call_events (account_id, call_id, sequence, type, at, data)
  SELECT account_id, id, sequence, type, at, data FROM written WHERE type IS NOT NULL
), legs AS (
  INSERT INTO legs (call_id, {LEG_COLUMNS})
  SELECT w.id, l.* FROM written w, LATERAL ({LEGS}) AS l
  ON CONFLICT (call_id, position) DO UPDATE SET answered_at = excluded.answered_at,
    ended_at = excluded.ended_at, sip_status = excluded.sip_status,
    q850_cause = excluded.q850_cause, reason = excluded.reason, codec = excluded.codec,
    quality = excluded.quality, invite = excluded.invite, dialog = excluded.dialog
), freed AS (
  DELETE FROM reservations r USING written w
  WHERE r.call_id = w.id
    AND (w.ended_at IS NOT NULL OR r.user_id <> w.winner OR r.user_id = w.answered_by)
  RETURNING r.user_id, r.wrap_up_seconds, w.answered_by, coalesce(w.ended_at, w.at) AS ended_at
), idle AS (
  UPDATE users SET last_call_ended_at = f.ended_at,
    wrap_up_until = f.ended_at + make_interval(secs => f.wrap_up_seconds)
  FROM freed f WHERE users.id = f.user_id AND f.user_id = f.answered_by
)
SELECT id FROM written
"""  # noqa: S608
# Of changes that changed nothing: which were written before.
_WRITTEN_BEFORE: Final = f"""
SELECT x.call_id FROM ({CHANGES}) AS x
WHERE (SELECT c.engine_id = $2 FROM calls c WHERE c.id = x.call_id)
  AND (SELECT v.type = x.type AND v.at = x.at FROM call_events v
       WHERE v.call_id = x.call_id AND v.sequence = x.sequence)
"""  # noqa: S608


# By itself, not within the write: a transaction that notifies locks out all others that do while
# it waits for its log to reach the disk, and this one has none to wait for.
_TELL: Final = f"SELECT pg_notify('{EVENTS_CHANNEL}', '')"

Cursor = psycopg.AsyncRawCursor[tuple[Any, ...]]
"""One is used again and again; its parameters are PostgreSQL's own, which need no reading."""

log = structlog.get_logger(__name__)


def _pace(changes: int) -> float:
    """Give the seconds from a batch of so many changes to the next, at least."""
    if changes < SHARED_BATCH:
        return PACE_SECONDS
    return SHARED_PACE_SECONDS if changes < LARGE_BATCH else LARGE_PACE_SECONDS


def _row(pending: _Pending) -> Row:
    """Give one change as the statement takes it; notes in it which legs are stored then."""
    pending.written = legs = [leg_row(leg) for leg in pending.legs]
    if pending.written_before:
        legs = [leg for leg in legs if leg not in pending.written_before]
    return change_row(pending.call_id, pending.change, legs)


def _bare_row(pending: _Pending) -> Row:
    pending.written = ()
    return bare_row(pending.call_id, pending.change)


@dataclass(slots=True, eq=False)
class _Pending:
    """A change of a call, or legs alone; `legs` may grow until it is taken to be written."""

    call_id: int
    change: CallChange | None
    legs: tuple[LegRecord, ...]
    stored: asyncio.Future[None] | None = None
    is_taken: bool = False
    written: Sequence[Row] = ()
    """Its legs, as rows, that are in the database once it is written."""

    written_before: Sequence[Row] = ()
    """The same of the change just before it: those need not be written again.

    A phone that answers at once has its answer written with its ring.
    """

    following: _Pending | None = None
    """The call's next change."""

    def tell(self, *, written: bool) -> None:
        """Tell whoever waits for the change."""
        stored = self.stored
        if stored is None or stored.done():
            return
        if written:
            stored.set_result(None)
        else:
            stored.set_exception(ClaimLost(self.call_id))
            stored.exception()


class Writer:
    """The `RecordWriter` of one engine. Made by `Writer.open`."""

    def __init__(self, database: Database, engine_id: int) -> None:
        self._database = database
        self._engine_id = engine_id
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, _Pending] = {}
        """The first of what is to be written, by call; who waits longest stands first."""

        self._cut_short: set[int] = set()
        self._arrived = asyncio.Event()
        self._written = asyncio.Event()
        self.pending = 0
        """Changes that wait for the database."""

        self.lost = 0
        """Changes that were dropped: there were too many, or the database would never take them."""

        self.outcomes: Counter[str] = Counter()
        """Calls that ended, by how."""

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

    def has_unwritten(self, call_id: int) -> bool:
        """Tell whether anything of a call is still to be written."""
        return call_id in self._waiting

    async def flushed(self) -> None:
        """Wait until nothing is pending."""
        while self.pending:
            self._written.clear()
            await self._written.wait()

    def write(self, change: CallChange) -> None:
        self._put(_Pending(change.call_id, change, change.legs))

    def write_legs(self, call_id: int, legs: tuple[LegRecord, ...]) -> None:
        last = self._last(call_id)
        if last is not None and not last.is_taken:
            last.legs += tuple([leg for leg in legs if leg not in last.legs])
        else:
            self._put(_Pending(call_id, None, legs))

    def store(self, change: CallChange) -> asyncio.Future[None]:
        stored: asyncio.Future[None] = self._loop.create_future()
        self._put(_Pending(change.call_id, change, change.legs, stored))
        return stored

    def _put(self, pending: _Pending) -> None:
        """Keep a change; with too many, a call's go from some point on, all but its end.

        Each status but the end is allowed only after the one before it.
        """
        call_id, change = pending.call_id, pending.change
        if change is not None and change.ending is not None:
            self.outcomes[change.ending.outcome] += 1
            self._cut_short.discard(call_id)
        elif self.pending >= MAX_PENDING or call_id in self._cut_short:
            self._cut_short.add(call_id)
            self.lost += 1
            return
        last = self._last(call_id)
        if last is None:
            self._waiting[call_id] = pending
        else:
            last.following = pending
        self.pending += 1
        self._arrived.set()

    def _last(self, call_id: int) -> _Pending | None:
        last = self._waiting.get(call_id)
        while last is not None and last.following is not None:
            last = last.following
        return last

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.flushed()
        except TimeoutError:
            log.error("changes of calls were not written", pending=self.pending)

    async def _serve(self, connection: Connection) -> None:
        """Write batch after batch; ends by an exception once the connection is of no use.

        One change of a call goes into each, since the database checks every step of its status.
        """
        loop = self._loop
        told_at = 0.0
        cursor = psycopg.AsyncRawCursor(connection)
        while True:
            await self._arrived.wait()
            began_at = loop.time()
            batch = [*islice(self._waiting.values(), MAX_BATCH)]
            for pending in batch:
                pending.is_taken = True
            await self._write(cursor, batch)
            self._forget(batch)
            if not self.pending or began_at - told_at >= TELL_SECONDS:
                await cursor.execute(_TELL, prepare=True)
                told_at = began_at
            if not self.pending:
                self._arrived.clear()
                self._written.set()
            if len(batch) < MAX_BATCH:
                await asyncio.sleep(began_at + _pace(len(batch)) - loop.time())

    def _forget(self, batch: Sequence[_Pending]) -> None:
        for written in batch:
            del self._waiting[written.call_id]
            following = written.following
            if following is not None:
                following.written_before = written.written
                self._waiting[written.call_id] = following
        self.pending -= len(batch)
        self.changes += len(batch)
        self.batches += 1

    async def _write(self, cursor: Cursor, batch: Sequence[_Pending]) -> None:
        try:
            await self._write_rows(cursor, batch, _row)
        except REFUSALS as error:
            log.warning("a batch was refused", error=type(error).__name__)
            for pending in batch:
                await self._write_alone(cursor, pending)

    async def _write_alone(self, cursor: Cursor, pending: _Pending) -> None:
        """Write what the database takes of a change: all of it, or what the call's state needs."""
        for row in (_row, _bare_row):
            try:
                await self._write_rows(cursor, (pending,), row)
            except REFUSALS:
                log.exception("a change was refused", call_id=pending.call_id)
            else:
                return
        self.lost += 1
        pending.tell(written=False)

    async def _write_rows(
        self,
        cursor: Cursor,
        batch: Sequence[_Pending],
        row: Callable[[_Pending], Row],
    ) -> None:
        """Write one change of each call, and tell whoever waits. Raises REFUSALS."""
        rows: list[str] = []
        for first in range(0, len(batch), ROWS_IN_ONE_GO):
            if first:
                await asyncio.sleep(0)
            rows.append(json_of(map(row, batch[first : first + ROWS_IN_ONE_GO])))
        written = await self._ids(cursor, _WRITE, rows)
        if len(written) < len(batch):
            missed = [pending for pending in batch if pending.call_id not in written]
            rows = [json_of(map(row, missed))]
            # Those that were written before were so with legs as they stood then.
            for pending in missed:
                pending.written = ()
            written |= await self._ids(cursor, _WRITTEN_BEFORE, rows)
        for pending in batch:
            pending.tell(written=pending.call_id in written)

    async def _ids(self, cursor: Cursor, statement: str, rows: Iterable[str]) -> set[int]:
        """Run a statement on rows as `json_of` gives them, and give the calls that it names."""
        await cursor.execute(statement, (f"[{','.join(rows)}]", self._engine_id), prepare=True)
        return {call_id for (call_id,) in await cursor.fetchall()}
