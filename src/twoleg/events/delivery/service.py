"""Delivery as a worker runs it, for as long as it runs."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx
import psycopg
import structlog

from twoleg.events.addresses import AddressPolicy
from twoleg.events.delivery.outbox import Outbox
from twoleg.events.delivery.sender import Sender
from twoleg.events.log import EVENTS_CHANNEL
from twoleg.events.webhooks.queries import DELIVERIES_CHANNEL
from twoleg.store import Database
from twoleg.store.batches import in_batches
from twoleg.store.database import Connection
from twoleg.store.lasting import stay_connected

POLL_SECONDS: Final = 1.0
"""How often is looked without having been told: retries come due, a notification may be lost."""

DRAIN_SECONDS: Final = 2.0
LEAVE_SECONDS: Final = 1.0

# Ids rise with time: the rows that are old enough come first, and the walk ends at the limit.
_REMOVE_OLD: Final = """
DELETE FROM webhook_deliveries WHERE id IN (
  SELECT id FROM webhook_deliveries
  WHERE created_at < now() - make_interval(days => %(days)s) AND state <> 'pending'
  ORDER BY id LIMIT %(rows)s
)
"""

# Hosts of calls' callback URLs that nothing is kept about.
_REMOVE_HOSTS: Final = """
DELETE FROM webhook_receivers r
WHERE r.origin IS NOT NULL AND r.due_at IS NULL AND r.leased_until < now()
  AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.receiver_id = r.id)
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivering:
    """The two halves at work: events become deliveries, deliveries are sent."""

    outbox: Outbox
    sender: Sender


@asynccontextmanager
async def delivering(
    database: Database, policy: AddressPolicy, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Delivering]:
    """Deliver events until the block is left; what is on its way then gets a moment to end.

    Holds three connections of its own. What a process that is killed leaves undone, others do.
    """
    sender = Sender(_name(), policy, tls or httpx.create_ssl_context())
    outbox = Outbox(sender.look)

    async def listen(connection: Connection) -> None:
        await connection.execute(f"LISTEN {EVENTS_CHANNEL}")
        await connection.execute(f"LISTEN {DELIVERIES_CHANNEL}")
        outbox.look()
        sender.look()
        while True:
            async for told in connection.notifies(stop_after=1):
                if told.channel == EVENTS_CHANNEL:
                    outbox.look()
                elif told.pid != outbox.teller:
                    sender.look()
            await asyncio.sleep(outbox.pace)

    fill = partial(outbox.serve, poll_seconds=POLL_SECONDS)
    send = partial(sender.serve, poll_seconds=POLL_SECONDS)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(stay_connected(database, listen, "nobody tells of events")),
                group.create_task(stay_connected(database, fill, "events wait for the database")),
                group.create_task(stay_connected(database, send, "messages wait for the database")),
            ]
            try:
                yield Delivering(outbox, sender)
                await sender.drain(DRAIN_SECONDS)
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        await sender.drain(0)
        await _leave(database, sender)


async def _leave(database: Database, sender: Sender) -> None:
    try:
        async with asyncio.timeout(LEAVE_SECONDS), await database.connect() as connection:
            await sender.leave(connection)
    except (OSError, TimeoutError, psycopg.Error):
        log.warning("the end of deliveries could not be told")
    finally:
        sender.close()


async def remove_old_deliveries(database: Database, days: int) -> int:
    """Remove deliveries that were made more than `days` ago and are not to be sent any more."""
    removed = await in_batches(database, _REMOVE_OLD, days=days)
    async with database.connection() as connection:
        await connection.execute(_REMOVE_HOSTS)
    return removed


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
