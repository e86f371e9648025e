"""Turning the log's events into deliveries, each once, behind a position that is kept."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from twoleg.events.log import FRONT, writers_are_done
from twoleg.events.webhooks.queries import DELIVERIES_CHANNEL
from twoleg.store.database import Connection

MAX_EVENTS: Final = 1000
"""Events that are looked at in one go."""

PACE_SECONDS: Final = 0.02
"""From one look at the log to the next, at least: under load events share a statement's cost.

What was told is read as often.
"""

UNWANTED_PACE_SECONDS: Final = 0.1
"""The same while nobody is to be told of what happens."""

WANTED_SECONDS: Final = 5.0
"""For how long after an event that somebody was told of more of them are expected."""

BUSY_SECONDS: Final = 0.02
"""How long another worker that fills the table is left alone."""

KEEP_SECONDS: Final = 5.0
"""How often the position is kept while nobody wants what happens."""

_BEGIN: Final = "INSERT INTO webhook_position DEFAULT VALUES ON CONFLICT DO NOTHING"
_POSITION: Final = "SELECT event_id FROM webhook_position"
_KEEP: Final = "UPDATE webhook_position SET event_id = %(until)s WHERE event_id < %(until)s"
# Who is to be told of what stands behind `after`, up to and with `until`. OFFSET 0 has the plan
# begin with the events: one that begins with calls reads all that there ever were.
_TOLD: Final = """
SELECT e.id AS event_id, e.account_id, e.call_id, e.appointment_id, e.type, r.id AS receiver_id,
  r.webhook_id, NULL::text AS url
FROM call_events e, LATERAL (
    SELECT id FROM webhooks
    WHERE account_id = e.account_id AND active AND deleted_at IS NULL
      AND after_event_id < e.id AND (events = '{}' OR e.type = ANY(events)) OFFSET 0
  ) w, LATERAL (SELECT id, webhook_id FROM webhook_receivers WHERE webhook_id = w.id OFFSET 0) r
WHERE e.id > %(after)s AND e.id <= %(until)s
"""
_CALLED_BACK: Final = """
SELECT e.id AS event_id, e.account_id, e.call_id, e.type, c.callback_url AS url,
  lower(substring(c.callback_url FROM '^[^/]+//[^/?]+')) AS origin
FROM call_events e, LATERAL (
    SELECT callback_url FROM calls WHERE id = e.call_id AND callback_url IS NOT NULL OFFSET 0
  ) c
WHERE e.id > %(after)s AND e.id <= %(until)s
"""
_ANYONE: Final = f"EXISTS ({_TOLD}) OR EXISTS ({_CALLED_BACK})"
# Both looks in one: how far nothing is missing, and whether anybody is to be told of that.
_LOOK: Final = f"""
WITH front AS MATERIALIZED ({FRONT})
SELECT dense, last, {_ANYONE.replace("%(until)s", "dense")} FROM front
"""  # noqa: S608
# Another worker that is at it has the row of the position: then there is nothing to do. Where
# this one looked before and found nobody to be told (`after`), it need not look again. Receivers
# are written whatever their `due_at` is: a worker that gives one back just then must see what is
# new, or be seen.
_FILL: Final = f"""
WITH position AS MATERIALIZED (
  SELECT event_id FROM webhook_position WHERE event_id < %(until)s FOR UPDATE SKIP LOCKED
), called_back AS MATERIALIZED (
  SELECT t.* FROM ({_CALLED_BACK}) t, position p WHERE t.event_id > p.event_id
), hosts AS (
  INSERT INTO webhook_receivers AS r (account_id, origin, due_at)
  SELECT DISTINCT account_id, origin, now() FROM called_back
  ON CONFLICT (account_id, origin) DO UPDATE SET due_at = least(coalesce(r.due_at, now()), now())
  RETURNING id, account_id, origin
), told AS MATERIALIZED (
  SELECT t.event_id, t.account_id, t.call_id, t.appointment_id, t.type, t.receiver_id,
    t.webhook_id, t.url
  FROM ({_TOLD}) t, position p WHERE t.event_id > p.event_id
  UNION ALL
  SELECT b.event_id, b.account_id, b.call_id, NULL, b.type, h.id, NULL, b.url
  FROM called_back b JOIN hosts h USING (account_id, origin)
), made AS (
  INSERT INTO webhook_deliveries (account_id, receiver_id, webhook_id, url, event_id, call_id,
    appointment_id, type, message_id)
  SELECT account_id, receiver_id, webhook_id, url, event_id, call_id, appointment_id, type,
    'evt_' || event_id
  FROM told ORDER BY event_id
  ON CONFLICT (receiver_id, event_id) DO NOTHING
), due AS (
  UPDATE webhook_receivers r SET due_at = least(coalesce(r.due_at, now()), now())
  WHERE r.id IN (
    SELECT id FROM webhook_receivers
    WHERE id IN (SELECT receiver_id FROM told WHERE webhook_id IS NOT NULL)
    ORDER BY id FOR NO KEY UPDATE)
)
UPDATE webhook_position SET event_id = %(until)s FROM position RETURNING (SELECT count(*) FROM told)
"""  # noqa: S608
_TELL: Final = f"SELECT pg_notify('{DELIVERIES_CHANNEL}', '')"


class Outbox:
    """Fills the table of deliveries. Several workers may: one at a time does.

    `told` is called when there is something to be sent.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._look = asyncio.Event()
        self._wanted_at = -math.inf
        self.deliveries = 0
        self.teller = 0
        """The server's process that tells other workers on our behalf: we know without it."""

        self.position = 0
        """Every event up to this id was turned into the deliveries that it needs."""

    def look(self) -> None:
        """Look at the log: there may be something new."""
        self._look.set()

    @property
    def pace(self) -> float:
        """From one look to the next, at least, in seconds."""
        wanted = asyncio.get_running_loop().time() - self._wanted_at < WANTED_SECONDS
        return PACE_SECONDS if wanted else UNWANTED_PACE_SECONDS

    async def serve(self, connection: Connection, poll_seconds: float) -> None:
        """Turn events into deliveries; ends by an exception once the connection is of no use."""
        self.teller = connection.info.backend_pid
        await connection.execute(_BEGIN)
        self.position = await self._kept(connection)
        kept_at = asyncio.get_running_loop().time()
        self._look.set()
        while True:
            try:
                async with asyncio.timeout(poll_seconds):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            while await self.advance(connection):
                pass
            now = asyncio.get_running_loop().time()
            if now - kept_at > KEEP_SECONDS:
                await connection.execute(_KEEP, {"until": self.position})
                self.position = max(self.position, await self._kept(connection))
                kept_at = now
            await asyncio.sleep(self.pace)

    async def advance(self, connection: Connection) -> bool:
        """Turn what is new into deliveries; tell whether there may be more.

        What stands before a missing event is let go first; the missing one itself is waited for.
        """
        parameters = {"after": self.position, "most": MAX_EVENTS}
        cursor = await connection.execute(_LOOK, parameters, prepare=True)
        row = await cursor.fetchone()
        assert row is not None
        until, last, wanted = row
        if last is None:
            return False
        if until is None:
            await writers_are_done(connection)
            until, wanted = last, True
        if wanted:
            return await self._fill(connection, {"after": self.position, "until": until})
        if until < last:
            # Nobody waits for what is missing: it has until the next look to come by itself.
            self._look.set()
        more: bool = until - self.position == MAX_EVENTS
        self.position = until
        return more

    async def _fill(self, connection: Connection, parameters: dict[str, int]) -> bool:
        cursor = await connection.execute(_FILL, parameters, prepare=True)
        filled = await cursor.fetchone()
        if filled is None:
            # Another worker was here before, or is just at it, and may yet fail.
            self.position = max(self.position, await self._kept(connection))
            if self.position < parameters["until"]:
                await asyncio.sleep(BUSY_SECONDS)
            return True
        self.position = parameters["until"]
        if not filled[0]:
            return True
        self.deliveries += filled[0]
        self._wanted_at = asyncio.get_running_loop().time()
        self._told()
        # Other workers may have the receivers.
        await connection.execute(_TELL)
        return True

    async def _kept(self, connection: Connection) -> int:
        cursor = await connection.execute(_POSITION)
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])
