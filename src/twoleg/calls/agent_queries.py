"""Finding free users and reserving them, for many calls in one statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import psycopg

from twoleg.calls.seeking import FOUND, FOUND_FROM, RESERVE, WOULD_RESERVE
from twoleg.directory.media_encryption import MediaEncryption
from twoleg.directory.ring_groups import Strategy
from twoleg.sip.values import immutable

Connection = psycopg.AsyncConnection[Any]

# Whom a call rang before is free from here on, whether or not somebody else is found. The status
# says here that a call runs, and not `ended_at`: the index of the calls that run, which that would
# offer, looks like the shortest way while nothing runs, and is read whole for each call later.
_SEEK: Final = f"""
WITH seeking AS MATERIALIZED (
  SELECT x.call_id, c.account_id, x.user_id, x.ring_group_id, x.rung, x.begun, x.kept_user_id
  FROM jsonb_to_recordset(%(seeks)s::jsonb) AS x(
    call_id bigint, user_id bigint, ring_group_id bigint, rung bigint[], begun boolean,
    kept_user_id bigint)
  JOIN calls c ON c.id = x.call_id AND c.engine_id + 0 = %(engine)s AND c.status <> 'ended'
), rung_before AS (
  DELETE FROM reservations r USING seeking s
  WHERE r.call_id = s.call_id AND r.user_id IS DISTINCT FROM s.kept_user_id
), {RESERVE}, waited AS (
  DELETE FROM waiting_calls w USING reserved r WHERE w.call_id = r.call_id
)
SELECT s.call_id, {FOUND} FROM seeking s {FOUND_FROM}
"""  # noqa: S608
_LOOK: Final = f"""
WITH seeking AS MATERIALIZED (
  SELECT x.call_id, %(account_id)s::bigint AS account_id, x.user_id, x.ring_group_id, x.rung,
    x.begun
  FROM jsonb_to_recordset(%(seeks)s::jsonb) AS x(
    call_id bigint, user_id bigint, ring_group_id bigint, rung bigint[], begun boolean)
), {WOULD_RESERVE}
SELECT {FOUND} FROM seeking s {FOUND_FROM}
"""  # noqa: S608

# Who counts a group's queue has the group's row until it has joined the queue.
_LOCK_QUEUES: Final = """
SELECT FROM ring_groups WHERE id = ANY(%s) AND max_waiting IS NOT NULL
ORDER BY id FOR NO KEY UPDATE
"""
_JOIN_QUEUES: Final = """
INSERT INTO waiting_calls (call_id, user_id, ring_group_id, rung)
SELECT x.call_id, x.user_id, x.ring_group_id, x.rung
FROM (
  SELECT x.*, row_number() OVER (PARTITION BY x.ring_group_id ORDER BY x.call_id) AS place
  FROM jsonb_to_recordset(%(seeks)s::jsonb) AS x(
    call_id bigint, user_id bigint, ring_group_id bigint, rung bigint[])
  JOIN calls c ON c.id = x.call_id AND c.engine_id + 0 = %(engine)s AND c.status <> 'ended'
) x LEFT JOIN ring_groups g ON g.id = x.ring_group_id
WHERE g.max_waiting IS NULL OR x.place + (
  SELECT count(*) FROM waiting_calls w JOIN calls c ON c.id = w.call_id
  WHERE w.ring_group_id = x.ring_group_id AND c.status <> 'ended') <= g.max_waiting
ON CONFLICT (call_id) DO UPDATE SET user_id = excluded.user_id,
  ring_group_id = excluded.ring_group_id, rung = excluded.rung
RETURNING call_id
"""
_LEAVE_QUEUES: Final = """
DELETE FROM waiting_calls w USING calls c
WHERE w.call_id = ANY(%s) AND c.id = w.call_id AND c.engine_id + 0 = %s
"""
_RELEASE: Final = """
DELETE FROM reservations r
USING unnest(%s::bigint[], %s::bigint[]) AS x(call_id, user_id), calls c
WHERE r.user_id = x.user_id AND r.call_id = x.call_id
  AND c.id = x.call_id AND c.engine_id + 0 = %s
"""
# What was reserved in the moment in which its call ended, or its engine was lost.
_SWEEP: Final = """
WITH left_over AS (
  DELETE FROM waiting_calls w USING calls c WHERE c.id = w.call_id AND c.ended_at IS NOT NULL
)
DELETE FROM reservations r USING calls c WHERE c.id = r.call_id AND c.ended_at IS NOT NULL
"""


@immutable()
class Found:
    """Whom one look found for a call: `agents`, as JSON objects, are reserved for it now.

    The rest is about the ring group that was looked in, None where it was a user.
    """

    strategy: str | None
    ring_seconds: int | None
    max_wait_seconds: int | None
    fallback: Mapping[str, Any] | None
    screening: str | None
    contended: bool
    """Somebody was free; with nobody in `agents`, another call was quicker."""

    others: bool
    """There is somebody to wait for: the user, or one of the group that the call has not rung.

    Once it has rung some of the group, that is who is busy, and not who is away or has no phone.
    """

    agents: Sequence[Mapping[str, Any]]

    @property
    def is_ring_all(self) -> bool:
        """Whether all that are free are rung at once."""
        return self.strategy == Strategy.RING_ALL


def found_outside(phone_number: str) -> Found:
    """Give a phone number as an agent that nobody else can have."""
    agent = {
        "user_id": None,
        "phone_number": phone_number,
        "sip_username": "",
        "screening": None,
        "media_encryption": MediaEncryption.NONE,
        "bindings": (),
    }
    return replace(NOBODY, agents=(agent,))


NOBODY: Final = Found(None, None, None, None, None, contended=False, others=False, agents=())


@immutable()
class Seek:
    """One call that seeks a user, or one of a ring group except those in `rung`."""

    call_id: int
    user_id: int | None
    ring_group_id: int | None
    rung: tuple[int, ...] = ()
    begun: bool = False
    """It has rung somebody of the group."""

    kept_user_id: int | None = None
    """Who stays reserved for the call although it was rung before."""


async def seek(connection: Connection, engine_id: int, seeks: Iterable[Seek]) -> dict[int, Found]:
    """Free whom each call rang before and reserve whom it rings next.

    A call that this engine no longer has is not in what is returned.
    """
    parameters = {"engine": engine_id, "seeks": _json(seeks)}
    async with connection.cursor() as cursor:
        await cursor.execute(_SEEK, parameters, prepare=True)
        return {row[0]: Found(*row[1:]) for row in await cursor.fetchall()}


async def look(connection: Connection, account_id: int, wanted: Seek) -> Found:
    """Find whom a call of the account would ring next; nobody is reserved."""
    parameters = {"account_id": account_id, "seeks": _json([wanted])}
    cursor = await connection.execute(_LOOK, parameters)
    row = await cursor.fetchone()
    assert row is not None
    return Found(*row)


async def join_queues(connection: Connection, engine_id: int, seeks: Sequence[Seek]) -> set[int]:
    """Have calls wait for their user or group; return those for which there was a place."""
    groups = [each.ring_group_id for each in seeks if each.ring_group_id is not None]
    async with connection.transaction(), connection.cursor() as cursor:
        if groups:
            await cursor.execute(_LOCK_QUEUES, (groups,), prepare=True)
        parameters = {"engine": engine_id, "seeks": _json(seeks)}
        await cursor.execute(_JOIN_QUEUES, parameters, prepare=True)
        return {call_id for (call_id,) in await cursor.fetchall()}


async def leave_queues(connection: Connection, engine_id: int, call_ids: Iterable[int]) -> None:
    """Have calls of this engine wait no longer."""
    await connection.execute(_LEAVE_QUEUES, (list(call_ids), engine_id))


async def release(
    connection: Connection, engine_id: int, reservations: Iterable[tuple[int, int]]
) -> None:
    """Free users that calls of this engine rang: pairs of call and user."""
    pairs = list(reservations)
    calls, users = [call for call, _ in pairs], [user for _, user in pairs]
    await connection.execute(_RELEASE, (calls, users, engine_id))


async def sweep(connection: Connection) -> None:
    """Free whoever is reserved by a call that has ended."""
    await connection.execute(_SWEEP)


def _json(seeks: Iterable[Seek]) -> str:
    return json.dumps(
        [
            {
                "call_id": each.call_id,
                "user_id": each.user_id,
                "ring_group_id": each.ring_group_id,
                "rung": each.rung,
                "begun": each.begun,
                "kept_user_id": each.kept_user_id,
            }
            for each in seeks
        ]
    )
