"""Sums of days that are over, so that a report need not count years of calls.

A call that has ended changes no more in what is counted here. So a day is summed once it is over
and none of its calls runs; the days of which calls are removed are forgotten by the database. A
report counts what is not summed, and comes to the same with sums or without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from twoleg.directory.wall_clock import instant_of, wall_of, zone_of
from twoleg.store import Database
from twoleg.store.database import Connection

LATE: Final = timedelta(hours=1)
"""A call is in the database so soon after the time at which it says that it was placed."""

DAYS_AT_ONCE: Final = 10
"""Days that one transaction sums: a long one would keep the removal of old calls waiting."""

COUNTED: Final = {
    "calls": "count(*)",
    "connected": "count(*) FILTER (WHERE outcome = 'connected')",
    "agent_missed": "count(*) FILTER (WHERE starts_with(outcome, 'agent_')"
    " OR outcome = 'no_agent_available')",
    "contact_missed": "count(*) FILTER (WHERE starts_with(outcome, 'contact_'))",
    "talk_seconds": "coalesce(sum(talk_seconds), 0)",
    "connected_talks": "count(talk_seconds) FILTER (WHERE outcome = 'connected')",
    "connected_talk_seconds": "coalesce(sum(talk_seconds) FILTER (WHERE outcome = 'connected'), 0)",
    "agent_rings": "count(agent_ring_seconds)",
    "agent_ring_seconds": "coalesce(sum(agent_ring_seconds), 0)",
    "contact_rings": "count(contact_ring_seconds)",
    "contact_ring_seconds": "coalesce(sum(contact_ring_seconds), 0)",
}
"""What is counted of calls, by its name here; sums of parts add up to that of the whole."""

HOUR: Final = "to_char(c.created_at AT TIME ZONE %(zone)s, 'HH24:00')"
AGENT: Final = """coalesce((
  SELECT l.user_id FROM legs l
  WHERE l.call_id = c.id AND l.role = 'agent' AND l.answered_at IS NOT NULL
  ORDER BY l.position DESC LIMIT 1), c.user_id)::text"""
KEYS: Final = {
    "hour": HOUR,
    "agent": AGENT,
    "line": "c.line_id::text",
    "ring_group": "c.ring_group_id::text",
    "outcome": "c.outcome",
}
"""Whose each call is, by what is summed apart; a day is the sum of its hours."""

# Calls that remind have a report of their own. They are looked for piece by piece (OFFSET 0): many
# pieces and few calls look to the planner as if all calls were best read once.
ENDED_IN_PIECE: Final = """
LATERAL (
  SELECT * FROM calls WHERE account_id = %(account)s AND created_at >= p.start
    AND created_at < p.until AND ended_at IS NOT NULL AND source <> 'reminder' OFFSET 0) c
"""

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('twoleg.call_sums'))"
_ACCOUNTS: Final = """
SELECT a.id, a.time_zone, (
  SELECT min(c.created_at) FROM calls c WHERE c.account_id = a.id AND c.ended_at IS NOT NULL)
FROM accounts a ORDER BY a.id
"""
_SUMMED: Final = "SELECT day FROM summed_days WHERE account_id = %s AND time_zone = %s"
_FORGET_OTHER_ZONES: Final = "DELETE FROM summed_days WHERE account_id = %s AND time_zone <> %s"
_NAMES: Final = ", ".join(COUNTED)
_FIGURES: Final = ", ".join(COUNTED.values())
_SUM: Final = f"""
WITH marked AS (
  INSERT INTO summed_days (account_id, time_zone, day)
  SELECT %(account)s, %(zone)s, p.day
  FROM unnest(%(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS p(day, start, until)
  WHERE NOT EXISTS (
    SELECT FROM calls c WHERE c.account_id = %(account)s AND c.ended_at IS NULL
      AND c.created_at >= p.start AND c.created_at < p.until)
  ON CONFLICT DO NOTHING RETURNING day
), facts AS MATERIALIZED (
  SELECT p.day, c.outcome, c.talk_seconds, c.agent_ring_seconds, c.contact_ring_seconds,
    {", ".join(f"{key} AS by_{kind}" for kind, key in KEYS.items())}
  FROM unnest(%(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS p(day, start, until) JOIN marked USING (day), {ENDED_IN_PIECE}
), summed AS (
  INSERT INTO call_sums (account_id, time_zone, day, kind, key, {_NAMES})
  {
    " UNION ALL ".join(
        f"SELECT %(account)s, %(zone)s, day, '{kind}', by_{kind}, {_FIGURES} FROM facts"
        f" GROUP BY day, by_{kind}"
        for kind in KEYS
    )
}
)
SELECT count(*) FROM marked
"""  # noqa: S608


class Piece(NamedTuple):
    """A part of a time: a whole day of an account's clock, or less and then no `day`."""

    day: date | None
    start: datetime
    end: datetime


def pieces_of(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Piece]:
    """Take the time from `start` up to but not `end` apart, by days on a clock in `zone`."""
    day = wall_of(start, zone).date()
    while start < end:
        midnight, next_midnight = (_midnight(each, zone) for each in (day, _next(day)))
        is_whole = start == midnight and next_midnight <= end
        until = min(next_midnight, end)
        if until > start:
            yield Piece(day if is_whole else None, start, until)
        start, day = max(start, until), _next(day)


async def sum_days(database: Database, now: datetime | None = None) -> int:
    """Sum the days of all accounts that are over and are not summed; return how many."""
    until = (now or datetime.now(UTC)) - LATE
    async with database.connection() as connection:
        accounts = await (await connection.execute(_ACCOUNTS)).fetchall()
    summed = 0
    for account_id, time_zone, first_at in accounts:
        if first_at is not None:
            summed += await _sum_days_of(database, account_id, zone_of(time_zone), first_at, until)
    return summed


async def _sum_days_of(
    database: Database, account_id: int, zone: ZoneInfo, first_at: datetime, until: datetime
) -> int:
    async with database.connection() as connection:
        await connection.execute(_FORGET_OTHER_ZONES, (account_id, zone.key))
        found = await connection.execute(_SUMMED, (account_id, zone.key))
        known = {day for (day,) in await found.fetchall()}
    start = _midnight(wall_of(first_at, zone).date(), zone)
    open_days = (piece for piece in pieces_of(start, until, zone) if piece.day is not None)
    summed = 0
    for pieces in _batches([piece for piece in open_days if piece.day not in known]):
        async with database.connection() as connection:
            summed += await _sum(connection, account_id, zone, pieces)
    return summed


async def _sum(
    connection: Connection, account_id: int, zone: ZoneInfo, pieces: Sequence[Piece]
) -> int:
    """Sum those of the days none of whose calls runs."""
    await connection.execute(_LOCK)
    parameters = {"account": account_id, "zone": zone.key} | parameters_of(pieces)
    row = await (await connection.execute(_SUM, parameters)).fetchone()
    return int(row[0]) if row else 0


def parameters_of(pieces: Sequence[Piece]) -> dict[str, list[date | None] | list[datetime]]:
    """Return `pieces` as arrays, a column each."""
    return {
        "days": [piece.day for piece in pieces],
        "starts": [piece.start for piece in pieces],
        "ends": [piece.end for piece in pieces],
    }


def _batches(pieces: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    for first in range(0, len(pieces), DAYS_AT_ONCE):
        yield pieces[first : first + DAYS_AT_ONCE]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return instant_of(datetime.combine(day, time()), zone)


def _next(day: date) -> date:
    return day + timedelta(days=1)
