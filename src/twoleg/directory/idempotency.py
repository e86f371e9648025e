"""The statements about idempotency keys: which requests were taken in, and what was replied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from psycopg.types.json import Jsonb

from twoleg.store.database import Connection

KEPT_HOURS: Final = 24
"""How long a reply is kept for those who ask again."""

LEASE_SECONDS: Final = 60
"""A request that took longer was cut short by a crash: whoever asks again takes it over."""

SETTLE_SECONDS: Final = 20
"""The lease of a request that failed while it was being written: that may yet come about."""

_TAKE: Final = """
INSERT INTO idempotency_keys AS k (account_id, key, request_hash) VALUES (%(account)s, %(key)s,
  %(hash)s)
ON CONFLICT (account_id, key) DO UPDATE SET request_hash = excluded.request_hash, status = NULL,
  headers = '{}', body = NULL, created_at = now()
WHERE k.created_at < now() - make_interval(hours => %(hours)s)
  OR (k.status IS NULL AND k.request_hash = excluded.request_hash
    AND k.created_at < now() - make_interval(secs => %(lease)s))
RETURNING xmax = 0
"""
_FIND: Final = """
SELECT request_hash, status, headers, body FROM idempotency_keys
WHERE account_id = %s AND key = %s
"""
_KEEP: Final = """
UPDATE idempotency_keys SET status = %s, headers = %s, body = %s
WHERE account_id = %s AND key = %s AND status IS NULL
"""
_FORGET: Final = """
DELETE FROM idempotency_keys WHERE account_id = %s AND key = %s AND status IS NULL
"""
_SHORTEN: Final = """
UPDATE idempotency_keys SET created_at = least(created_at, now() - make_interval(secs => %s))
WHERE account_id = %s AND key = %s AND status IS NULL
"""
_FIND_CALL: Final = """
SELECT id FROM calls WHERE account_id = %s AND idempotency_key = %s
  AND created_at > now() - make_interval(hours => %s)
"""
_REMOVE_OLD: Final = """
DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => %s)
"""


class Taken(Enum):
    """What a request with a key is, of those with that key."""

    FIRST = auto()
    """It is to be done."""

    OVER_FROM_A_CRASH = auto()
    """The first was cut short: what it did, if anything, is to be found out."""

    ANOTHER = auto()
    """The key was used for another request."""

    UNDER_WAY = auto()
    """The first is still being taken in."""


@dataclass(frozen=True, slots=True)
class KeptReply:
    """What was replied to the first request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def take_key(
    connection: Connection, account_id: int, key: str, request_hash: bytes
) -> Taken | KeptReply:
    """Say what a request is to come to; as the first it has the key from then on."""
    parameters: dict[str, Any] = {
        "account": account_id,
        "key": key,
        "hash": request_hash,
        "hours": KEPT_HOURS,
        "lease": LEASE_SECONDS,
    }
    row = await (await connection.execute(_TAKE, parameters)).fetchone()
    if row is not None:
        return Taken.FIRST if row[0] else Taken.OVER_FROM_A_CRASH
    found = await (await connection.execute(_FIND, (account_id, key))).fetchone()
    if found is None:
        return Taken.UNDER_WAY
    if found[0] != request_hash:
        return Taken.ANOTHER
    return Taken.UNDER_WAY if found[1] is None else KeptReply(found[1], found[2], found[3])


async def keep_reply(connection: Connection, account_id: int, key: str, reply: KeptReply) -> None:
    """Keep what was replied to the first request."""
    values = (reply.status, Jsonb(dict(reply.headers)), reply.body, account_id, key)
    await connection.execute(_KEEP, values)


async def forget_key(connection: Connection, account_id: int, key: str) -> None:
    """Give a key back whose request made nothing."""
    await connection.execute(_FORGET, (account_id, key))


async def doubt_key(connection: Connection, account_id: int, key: str) -> None:
    """Have whoever asks again find out, a little later, whether a request has made something."""
    seconds = LEASE_SECONDS - SETTLE_SECONDS
    await connection.execute(_SHORTEN, (seconds, account_id, key))


async def call_with_key(connection: Connection, account_id: int, key: str) -> int | None:
    """Return the call that a request with this key placed."""
    row = await (await connection.execute(_FIND_CALL, (account_id, key, KEPT_HOURS))).fetchone()
    return None if row is None else int(row[0])


async def remove_old_keys(connection: Connection) -> int:
    """Remove the keys that may be used anew."""
    return (await connection.execute(_REMOVE_OLD, (KEPT_HOURS,))).rowcount
