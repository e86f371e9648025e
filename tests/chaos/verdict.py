"""What must hold once a chaos run is over, whatever was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import psycopg
from chaos.answerers import CONTACTS, Answerers
from chaos.webhooks import Receiver

_OPEN = "SELECT id, status FROM calls WHERE ended_at IS NULL OR outcome IS NULL"
_GAPS = """
SELECT c.id, c.sequence, array_agg(v.sequence ORDER BY v.sequence)
FROM calls c LEFT JOIN call_events v ON v.call_id = c.id GROUP BY c.id
HAVING array_agg(v.sequence ORDER BY v.sequence)
  IS DISTINCT FROM ARRAY(SELECT generate_series(1, c.sequence))
"""
_ENDS = """
SELECT call_id, count(*) FROM call_events WHERE type = 'call.ended' GROUP BY call_id
HAVING count(*) <> 1
"""
_LEFT = (
    ("a user stays reserved", "SELECT user_id, call_id FROM reservations"),
    ("a call still waits", "SELECT call_id FROM waiting_calls"),
    ("a leg is still to be hung up", "SELECT call_id, position FROM lost_legs"),
    ("a leg has no end", "SELECT call_id, position FROM legs WHERE ended_at IS NULL"),
)


async def faults_of(
    url: str, accepted: Sequence[int], answerers: Answerers, receiver: Receiver
) -> list[str]:
    """Give everything that is not as it must be, in words."""
    faults = []
    async with await psycopg.AsyncConnection.connect(url) as connection:

        async def rows(statement: str) -> list[tuple[object, ...]]:
            cursor = await connection.execute(statement)
            return await cursor.fetchall()

        ids = [row[0] for row in await rows("SELECT id FROM calls")]
        missing = set(accepted) - set(ids)
        faults += [f"call {call} was accepted and is not there" for call in missing]
        # Each request was sent until it was accepted, under one key.
        faults += [f"call {call} is there for no request" for call in set(ids) - set(accepted)]
        told = Counter(accepted).items()
        faults += [f"call {call} is there for {n} requests" for call, n in told if n > 1]
        faults += [f"call {call} has not ended: {status}" for call, status in await rows(_OPEN)]
        faults += [f"events of call {row[0]} have a gap: {row[1:]}" for row in await rows(_GAPS)]
        faults += [f"call {call} ended {times} times" for call, times in await rows(_ENDS)]
        for words, statement in _LEFT:
            faults += [f"{words}: {row}" for row in await rows(statement)]
        events = await rows("SELECT call_id, sequence FROM call_events")
    faults += [
        f"{number} was rung {times} times"
        for number, times in answerers.rung.items()
        if number.startswith(CONTACTS) and times > 1
    ]
    faults += [
        f"{leg.number} is still up{', and its engine was killed' if leg.is_left else ''}"
        for leg in answerers.legs
        if leg.up_at is not None and not leg.is_over
    ]
    faults += [
        f"event {event} was never delivered" for event in events if event not in receiver.ids
    ]
    faults += [
        f"event {event} came with {sorted(ids)}"
        for event, ids in receiver.ids.items()
        if len(ids) > 1
    ]
    return faults
