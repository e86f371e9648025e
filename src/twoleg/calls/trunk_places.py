"""Places on trunks that have limits, counted in the database for all engines together.

A call over a trunk without limits does not come here. A trunk's count and the rows of who has a
place on it change in the same statement; the places of calls that are gone are given back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from twoleg.calls.background import background
from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.ports import TrunkFull
from twoleg.store import Database

LONGEST_WAIT_SECONDS: Final = 10.0
"""How long a call may wait for its turn under a trunk's calls a second."""

ANSWER_SECONDS: Final = 5.0
"""How long a call waits for the database before the trunk counts as full."""

SWEEP_SECONDS: Final = 5.0
"""How often the places of calls that are gone are given back."""

# The row of the trunk is the lock: PostgreSQL looks at the condition again once it has it. Calls a
# second become turns at even distances, and whoever takes one waits for it.
_ENTER: Final = """
WITH entered AS (
  INSERT INTO trunk_usage AS u (trunk_id, calls, next_call_at)
  SELECT t.id, 1, CASE WHEN t.calls_per_second > 0
    THEN clock_timestamp() + make_interval(secs => 1.0 / t.calls_per_second) ELSE 'epoch' END
  FROM trunks t
  WHERE t.id = %(trunk)s AND coalesce(t.max_calls, 1) > 0 AND coalesce(t.calls_per_second, 1) > 0
  ON CONFLICT (trunk_id) DO UPDATE SET calls = u.calls + 1, next_call_at = (
    SELECT CASE WHEN t.calls_per_second > 0
      THEN greatest(u.next_call_at, clock_timestamp())
        + make_interval(secs => 1.0 / t.calls_per_second) ELSE u.next_call_at END
    FROM trunks t WHERE t.id = u.trunk_id)
  WHERE (SELECT (t.max_calls IS NULL OR u.calls < t.max_calls) AND (t.calls_per_second IS NULL
      OR u.next_call_at <= clock_timestamp() + make_interval(secs => %(longest)s))
    FROM trunks t WHERE t.id = u.trunk_id)
  RETURNING u.trunk_id, u.next_call_at
), slot AS (
  INSERT INTO trunk_slots (trunk_id, call_id, engine_id)
  SELECT trunk_id, %(call)s, %(engine)s FROM entered RETURNING id
)
SELECT s.id, CASE WHEN t.calls_per_second > 0 THEN greatest(0, extract(epoch FROM
    e.next_call_at - clock_timestamp()) - 1.0 / t.calls_per_second) ELSE 0 END::float8
FROM slot s, entered e, trunks t WHERE t.id = e.trunk_id
"""
_COUNT_DOWN: Final = """
UPDATE trunk_usage u SET calls = u.calls - g.places FROM (
  SELECT trunk_id, count(*) AS places FROM gone GROUP BY trunk_id ORDER BY trunk_id OFFSET 0
) g WHERE u.trunk_id = g.trunk_id
"""
_LEAVE: Final = f"""
WITH gone AS (DELETE FROM trunk_slots WHERE id = ANY(%s) RETURNING trunk_id) {_COUNT_DOWN}
"""  # noqa: S608
_SWEEP: Final = f"""
WITH gone AS (
  DELETE FROM trunk_slots s WHERE (
    SELECT c.ended_at IS NULL AND c.engine_id = s.engine_id FROM calls c WHERE c.id = s.call_id
  ) IS NOT TRUE
  RETURNING trunk_id
) {_COUNT_DOWN}
"""  # noqa: S608


class _Place(NamedTuple):
    slot_id: int
    wait_seconds: float


@dataclass(slots=True, eq=False)
class _Ask:
    trunk_id: int
    call_id: int
    reply: asyncio.Future[_Place | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class TrunkPlaces:
    """Gives the calls of one engine places on limited trunks. Made by `TrunkPlaces.open`."""

    def __init__(self, engine_id: int) -> None:
        self._engine_id = engine_id
        self._asks: deque[_Ask] = deque()
        self._left: set[int] = set()
        self._look = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, engine_id: int) -> AsyncIterator[Self]:
        """Give places until the block is left."""
        places = cls(engine_id)
        serving = stay_connected(database, places._serve, "limited trunks cannot be used")
        async with background(serving):
            yield places

    @asynccontextmanager
    async def place(self, trunk_id: int, call_id: int) -> AsyncIterator[None]:
        """Have a place on the trunk for as long as the block lasts, once it is the call's turn.

        Raises TrunkFull.
        """
        place = await self._enter(_Ask(trunk_id, call_id))
        if place is None:
            raise TrunkFull(trunk_id)
        try:
            if place.wait_seconds > 0:
                await asyncio.sleep(place.wait_seconds)
            yield
        finally:
            self._leave(place)

    async def _enter(self, ask: _Ask) -> _Place | None:
        self._asks.append(ask)
        self._look.set()
        try:
            await asyncio.wait((ask.reply,), timeout=ANSWER_SECONDS)
        except asyncio.CancelledError:
            if not ask.reply.cancel():
                self._leave(ask.reply.result())
            raise
        # One that is answered in the turn in which the time is up has its place.
        return None if ask.reply.cancel() else ask.reply.result()

    def _leave(self, place: _Place | None) -> None:
        if place is not None:
            self._left.add(place.slot_id)
            self._look.set()

    async def _serve(self, connection: Connection) -> None:
        """Answer who asks; ends by an exception once the connection is of no use."""
        loop = asyncio.get_running_loop()
        sweep_at = 0.0
        self._look.set()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._look.wait()
            self._look.clear()
            await self._give_back(connection)
            while self._asks:
                await self._answer(connection, self._asks[0])
                self._asks.popleft()
            if loop.time() >= sweep_at:
                await connection.execute(_SWEEP)
                sweep_at = loop.time() + SWEEP_SECONDS

    async def _give_back(self, connection: Connection) -> None:
        left, self._left = self._left, set()
        if not left:
            return
        try:
            await connection.execute(_LEAVE, (list(left),))
        except BaseException:
            self._left |= left
            raise

    async def _answer(self, connection: Connection, ask: _Ask) -> None:
        if ask.reply.done():
            return
        parameters = {
            "trunk": ask.trunk_id,
            "call": ask.call_id,
            "engine": self._engine_id,
            "longest": LONGEST_WAIT_SECONDS,
        }
        async with connection.cursor() as cursor:
            await cursor.execute(_ENTER, parameters, prepare=True)
            row = await cursor.fetchone()
        place = None if row is None else _Place(*row)
        if ask.reply.done():
            self._leave(place)
        else:
            ask.reply.set_result(place)
