"""The statements about webhooks and deliveries, each within one account.

What is not there, or another account's, is None.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from psycopg.rows import class_row

from twoleg.events.webhooks.values import (
    OLD_SECRET_HOURS,
    TEST,
    Delivery,
    Webhook,
    make_secret,
)
from twoleg.store.database import Connection

DELIVERIES_CHANNEL: Final = "twoleg_deliveries"
"""Told, without a payload, when there is something to be sent."""

_COLUMNS: Final = """
w.id, w.account_id, w.url, w.events, w.active, w.disabled_reason, w.created_at,
(SELECT r.failing_since FROM webhook_receivers r WHERE r.webhook_id = w.id) AS failing_since
"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM webhooks w
WHERE w.account_id = %(account_id)s AND w.deleted_at IS NULL
  AND (%(id)s::bigint IS NULL OR w.id = %(id)s)
  AND (%(after_id)s::bigint IS NULL OR w.id > %(after_id)s)
ORDER BY w.id LIMIT %(limit)s
"""  # noqa: S608
_CREATE: Final = f"""
WITH made AS (
  INSERT INTO webhooks AS w (account_id, url, events, active, secret, after_event_id)
  VALUES (%(account_id)s, %(url)s, %(events)s, %(active)s, %(secret)s,
    (SELECT coalesce(max(id), 0) FROM call_events))
  RETURNING w.*
), receiver AS (
  INSERT INTO webhook_receivers (account_id, webhook_id) SELECT account_id, id FROM made
)
SELECT {_COLUMNS} FROM made w
"""  # noqa: S608
# One that is switched on again begins anew.
_CHANGE: Final = f"""
WITH begun_anew AS (
  UPDATE webhook_receivers r SET failing_since = NULL FROM webhooks w
  WHERE %(active)s AND w.id = %(id)s AND w.account_id = %(account_id)s AND r.webhook_id = w.id
)
UPDATE webhooks w SET url = coalesce(%(url)s, w.url), events = coalesce(%(events)s, w.events),
  active = coalesce(%(active)s, w.active),
  disabled_reason = CASE WHEN %(active)s IS NULL THEN w.disabled_reason END
WHERE w.id = %(id)s AND w.account_id = %(account_id)s AND w.deleted_at IS NULL
RETURNING {_COLUMNS}
"""  # noqa: S608
_DELETE: Final = """
UPDATE webhooks SET deleted_at = now(), active = false, secret = '', old_secret = NULL
WHERE id = %s AND account_id = %s AND deleted_at IS NULL RETURNING id
"""
_ROTATE: Final = f"""
UPDATE webhooks w SET old_secret = w.secret, secret = %(secret)s,
  old_secret_until = now() + make_interval(hours => %(hours)s)
WHERE w.id = %(id)s AND w.account_id = %(account_id)s AND w.deleted_at IS NULL
RETURNING {_COLUMNS}
"""  # noqa: S608
Row = TypeVar("Row")

_DELIVERY: Final = """
d.id, d.webhook_id, d.url, d.event_id, d.call_id, d.appointment_id, d.type, d.message_id, d.state,
d.attempts,
CASE WHEN d.state = 'pending' THEN d.next_attempt_at END AS next_attempt_at, d.last_status,
d.last_error, d.created_at, d.delivered_at
"""
_DELIVERIES: Final = f"""
SELECT {_DELIVERY} FROM webhook_deliveries d
WHERE d.webhook_id = %(webhook_id)s AND d.account_id = %(account_id)s
  AND (%(id)s::bigint IS NULL OR d.id = %(id)s)
  AND (%(before_id)s::bigint IS NULL OR d.id < %(before_id)s)
  AND (%(state)s::text IS NULL OR d.state = %(state)s)
  AND (%(type)s::text IS NULL OR d.type = %(type)s)
  AND (%(call_id)s::bigint IS NULL OR d.call_id = %(call_id)s)
  AND (%(appointment_id)s::bigint IS NULL OR d.appointment_id = %(appointment_id)s)
ORDER BY d.id DESC LIMIT %(limit)s
"""  # noqa: S608
# By the key that receiver and event are: there is none of calls.
_OF_CALL: Final = f"""
SELECT {_DELIVERY}
FROM call_events e JOIN webhook_receivers r ON r.account_id = e.account_id
  JOIN webhook_deliveries d ON d.receiver_id = r.id AND d.event_id = e.id
WHERE e.call_id = %(call_id)s AND e.account_id = %(account_id)s
  AND (%(before_id)s::bigint IS NULL OR d.id < %(before_id)s)
  AND (%(state)s::text IS NULL OR d.state = %(state)s)
ORDER BY d.id DESC LIMIT %(limit)s
"""  # noqa: S608
_DUE: Final = """
due AS (
  UPDATE webhook_receivers SET due_at = least(coalesce(due_at, now()), now())
  WHERE id IN (SELECT receiver_id FROM d)
)
"""
_TEST: Final = f"""
WITH d AS (
  INSERT INTO webhook_deliveries (account_id, receiver_id, webhook_id, type, message_id)
  SELECT r.account_id, r.id, r.webhook_id, %(type)s, %(message_id)s
  FROM webhook_receivers r JOIN webhooks w ON w.id = r.webhook_id
  WHERE w.id = %(id)s AND w.account_id = %(account_id)s AND w.deleted_at IS NULL
  RETURNING *
), {_DUE}
SELECT {_DELIVERY} FROM d, pg_notify(%(channel)s, '')
"""  # noqa: S608
_AGAIN: Final = f"""
WITH d AS (
  UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_attempt_at = now(),
    delivered_at = NULL
  WHERE id = %(id)s AND webhook_id = %(webhook_id)s AND account_id = %(account_id)s
  RETURNING *
), {_DUE}
SELECT {_DELIVERY} FROM d, pg_notify(%(channel)s, '')
"""  # noqa: S608


async def list_webhooks(
    connection: Connection, account_id: int, *, after_id: int | None, limit: int
) -> list[Webhook]:
    """Return up to `limit` webhooks by rising id."""
    return await _webhooks(
        connection,
        _LIST,
        {"account_id": account_id, "id": None, "after_id": after_id, "limit": limit},
    )


async def find_webhook(connection: Connection, account_id: int, webhook_id: int) -> Webhook | None:
    """Return the webhook."""
    parameters = {"account_id": account_id, "id": webhook_id, "after_id": None, "limit": 1}
    return _one(await _webhooks(connection, _LIST, parameters))


async def create_webhook(
    connection: Connection, account_id: int, *, url: str, events: Sequence[str], active: bool
) -> tuple[Webhook, str]:
    """Make a webhook for what happens from now on; return it with its secret."""
    secret = make_secret()
    parameters = {
        "account_id": account_id,
        "url": url,
        "events": list(events),
        "active": active,
        "secret": secret,
    }
    [made] = await _webhooks(connection, _CREATE, parameters)
    return made, secret


async def change_webhook(
    connection: Connection,
    account_id: int,
    webhook_id: int,
    *,
    url: str | None,
    events: Sequence[str] | None,
    active: bool | None,
) -> Webhook | None:
    """Change what is not None, and return the webhook."""
    parameters = {
        "account_id": account_id,
        "id": webhook_id,
        "url": url,
        "events": None if events is None else list(events),
        "active": active,
    }
    return _one(await _webhooks(connection, _CHANGE, parameters))


async def delete_webhook(connection: Connection, account_id: int, webhook_id: int) -> bool:
    """Delete the webhook; what was not sent to it never will be. False where it is not there."""
    cursor = await connection.execute(_DELETE, (webhook_id, account_id))
    return await cursor.fetchone() is not None


async def rotate_secret(
    connection: Connection, account_id: int, webhook_id: int
) -> tuple[Webhook, str] | None:
    """Give the webhook a new secret; the old one signs beside it for a while."""
    secret = make_secret()
    parameters = {
        "account_id": account_id,
        "id": webhook_id,
        "secret": secret,
        "hours": OLD_SECRET_HOURS,
    }
    changed = _one(await _webhooks(connection, _ROTATE, parameters))
    return None if changed is None else (changed, secret)


async def list_deliveries(
    connection: Connection,
    account_id: int,
    webhook_id: int,
    *,
    state: str | None = None,
    type_: str | None = None,
    call_id: int | None = None,
    appointment_id: int | None = None,
    before_id: int | None,
    limit: int,
) -> list[Delivery]:
    """Return up to `limit` deliveries of a webhook, newest first."""
    parameters = {
        "account_id": account_id,
        "webhook_id": webhook_id,
        "id": None,
        "before_id": before_id,
        "state": state,
        "type": type_,
        "call_id": call_id,
        "appointment_id": appointment_id,
        "limit": limit,
    }
    return await _deliveries(connection, _DELIVERIES, parameters)


async def list_deliveries_of_call(
    connection: Connection,
    account_id: int,
    call_id: int,
    *,
    state: str | None = None,
    before_id: int | None,
    limit: int,
) -> list[Delivery]:
    """Return up to `limit` deliveries of a call's events, to whomever they go, newest first."""
    parameters = {
        "account_id": account_id,
        "call_id": call_id,
        "before_id": before_id,
        "state": state,
        "limit": limit,
    }
    return await _deliveries(connection, _OF_CALL, parameters)


async def send_test(connection: Connection, account_id: int, webhook_id: int) -> Delivery | None:
    """Have a test sent to the webhook, also to one that is not active."""
    parameters = {
        "account_id": account_id,
        "id": webhook_id,
        "type": TEST,
        "message_id": f"test_{uuid.uuid4().hex}",
        "channel": DELIVERIES_CHANNEL,
    }
    return _one(await _deliveries(connection, _TEST, parameters))


async def send_again(
    connection: Connection, account_id: int, webhook_id: int, delivery_id: int
) -> Delivery | None:
    """Have a delivery sent once more, under the same message id, with all its attempts anew."""
    parameters = {
        "account_id": account_id,
        "webhook_id": webhook_id,
        "id": delivery_id,
        "channel": DELIVERIES_CHANNEL,
    }
    return _one(await _deliveries(connection, _AGAIN, parameters))


async def callback_secret(connection: Connection, account_id: int) -> str:
    """Return the secret that signs what the account's calls send to their callback URLs."""
    return await _callback_secret(
        connection, "SELECT callback_secret FROM accounts WHERE id = %s", (account_id,)
    )


async def rotate_callback_secret(connection: Connection, account_id: int) -> str:
    """Give the account a new callback secret, and return it."""
    return await _callback_secret(
        connection,
        "UPDATE accounts SET callback_secret = %s WHERE id = %s RETURNING callback_secret",
        (make_secret(), account_id),
    )


async def _callback_secret(
    connection: Connection, statement: str, parameters: tuple[Any, ...]
) -> str:
    cursor = await connection.execute(statement, parameters)
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def _webhooks(
    connection: Connection, statement: str, parameters: dict[str, Any]
) -> list[Webhook]:
    async with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


async def _deliveries(
    connection: Connection, statement: str, parameters: dict[str, Any]
) -> list[Delivery]:
    async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


def _one(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None
