"""Polling: each feed in its time, by whichever worker comes first.

A feed that is claimed has its next time set already, so that none is polled twice, and one whose
worker was killed comes round again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import structlog
from psycopg.rows import dict_row

from twoleg.directory.importing.rows import CannotRead, RefusedRow
from twoleg.events.addresses import AddressPolicy
from twoleg.reminders.feeds.fetching import CannotFetch, Fetched, Fetcher, Validators
from twoleg.reminders.feeds.queries import feed_of
from twoleg.reminders.feeds.values import AppointmentFeed, FeedState
from twoleg.reminders.importing.calendar_rows import HORIZON, CalendarOptions, read_calendar
from twoleg.reminders.importing.rows import ImportedAppointment
from twoleg.reminders.importing.storing import store_rows
from twoleg.store.database import Connection

LOOK_SECONDS: Final = 1.0
AT_ONCE: Final = 8
"""Feeds that are fetched together: one slow server keeps a few others waiting at most."""

BATCH: Final = 250
"""Events in one transaction."""

READ_AGAIN_AFTER: Final = timedelta(hours=24)
"""A calendar that does not change is read again all the same: its series reach farther then."""

MAX_DETAIL: Final = 300

_CLAIM: Final = """
UPDATE appointment_feeds SET next_poll_at = now() + make_interval(mins => poll_minutes)
WHERE id IN (
    SELECT id FROM appointment_feeds
    WHERE active AND deleted_at IS NULL AND next_poll_at <= now()
    ORDER BY next_poll_at LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING *
"""

# What is missing once may be the server's mistake; what is missing twice is cancelled. An event
# that cannot be read any more is there all the same.
_MISS: Final = """
UPDATE appointments a
SET missing_since = coalesce(a.missing_since, now()),
    to_be_planned = a.to_be_planned OR a.missing_since IS NOT NULL,
    status_at = CASE WHEN a.missing_since IS NULL THEN a.status_at ELSE now() END,
    status = CASE WHEN a.missing_since IS NULL THEN a.status ELSE 'cancelled' END,
    status_call_id = CASE WHEN a.missing_since IS NULL THEN a.status_call_id END
WHERE a.feed_id = %(feed)s AND a.deleted_at IS NULL AND a.status <> 'cancelled'
  AND a.starts_at > %(now)s AND a.starts_at < %(until)s
  AND NOT EXISTS (SELECT FROM unnest(%(seen)s::text[]) AS s WHERE s = a.external_id)
  AND NOT EXISTS (SELECT FROM unnest(%(refused)s::text[]) AS r
    WHERE r = a.external_id OR starts_with(a.external_id, r || '/'))
"""

_NOTE: Final = """
UPDATE appointment_feeds SET polled_at = now(), state = %(state)s, state_detail = %(detail)s
WHERE id = %(feed)s
"""

_NOTE_READ: Final = """
UPDATE appointment_feeds SET polled_at = now(), read_at = now(), state = %(state)s,
  state_detail = %(detail)s, etag = %(etag)s, last_modified = %(last_modified)s,
  events = %(events)s, events_refused = %(refused)s
WHERE id = %(feed)s AND url = %(url)s
"""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Reading:
    """What a calendar has come to so far."""

    seen: list[str] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    changed: int = 0

    @property
    def detail(self) -> str | None:
        if not self.refused:
            return None
        first = self.refused[0]
        return (
            f"{len(self.refused)} events were refused. The first, {first.values.get('uid')!r}:"
            f" {first.column}: {first.message}"
        )[:MAX_DETAIL]


async def serve_feeds(connection: Connection, policy: AddressPolicy) -> None:
    """Poll feeds when their time has come. Never returns; any number of workers may do so."""
    async with Fetcher.open(policy) as fetcher:
        while True:
            if not await poll_due(connection, fetcher):
                await asyncio.sleep(LOOK_SECONDS)


async def poll_due(connection: Connection, fetcher: Fetcher) -> int:
    """Poll feeds whose time has come, and tell how many; `connection` is in autocommit."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_CLAIM, (AT_ONCE,))
        feeds = [feed_of(row) for row in await cursor.fetchall()]
    async with asyncio.TaskGroup() as group:
        fetching = [group.create_task(_fetch(fetcher, feed)) for feed in feeds]
    for feed, fetched in zip(feeds, fetching, strict=True):
        await _take_in(connection, feed, fetched.result())
    return len(feeds)


async def _fetch(fetcher: Fetcher, feed: AppointmentFeed) -> Fetched | CannotFetch:
    known = Validators()
    if feed.read_at is not None and feed.read_at > datetime.now(UTC) - READ_AGAIN_AFTER:
        known = Validators(feed.etag, feed.last_modified)
    try:
        return await fetcher.fetch(feed.url, known)
    except CannotFetch as error:
        return error


async def _take_in(
    connection: Connection, feed: AppointmentFeed, fetched: Fetched | CannotFetch
) -> None:
    if isinstance(fetched, CannotFetch):
        await _note_failure(connection, feed, fetched.message)
    elif fetched.data is None:
        parameters = {"feed": feed.id, "state": feed.state, "detail": feed.state_detail}
        await connection.execute(_NOTE, parameters)
    else:
        try:
            await _read(connection, feed, fetched.data, fetched.validators)
        except CannotRead as error:
            await _note_failure(connection, feed, error.message)


async def _note_failure(connection: Connection, feed: AppointmentFeed, message: str) -> None:
    log.warning("calendar feed failed", feed_id=feed.id, reason=message)
    detail = message.replace("\0", "\ufffd")[:MAX_DETAIL]
    await connection.execute(_NOTE, {"feed": feed.id, "state": FeedState.FAILED, "detail": detail})


async def _read(
    connection: Connection, feed: AppointmentFeed, data: bytes, validators: Validators
) -> None:
    """Store a calendar's appointments, and cancel those that it lost. Raises CannotRead."""
    now = datetime.now(UTC)
    options = CalendarOptions(time_zone=feed.time_zone, country=feed.country)
    rows = read_calendar(data, options, now)
    reading = _Reading()
    # A batch is read in a thread: webhooks and reminders go on meanwhile.
    while batch := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
        await _store(connection, feed, batch, reading)
    async with connection.transaction():
        await connection.execute(
            _MISS,
            {
                "feed": feed.id,
                "now": now,
                "until": now + HORIZON - timedelta(days=1),
                "seen": reading.seen,
                "refused": [row.values["uid"] for row in reading.refused if row.values.get("uid")],
            },
        )
        await connection.execute(
            _NOTE_READ,
            {
                "feed": feed.id,
                "url": feed.url,
                "state": FeedState.OK,
                "detail": reading.detail,
                "etag": validators.etag,
                "last_modified": validators.last_modified,
                "events": len(reading.seen) + len(reading.refused),
                "refused": len(reading.refused),
            },
        )
    log.info("calendar feed read", feed_id=feed.id, events=len(reading.seen), new=reading.changed)


async def _store(
    connection: Connection,
    feed: AppointmentFeed,
    batch: Sequence[ImportedAppointment | RefusedRow],
    reading: _Reading,
) -> None:
    good = [row for row in batch if isinstance(row, ImportedAppointment)]
    reading.refused += [row for row in batch if isinstance(row, RefusedRow)]
    reading.seen += [row.external_id for row in good if row.external_id is not None]
    if good:
        async with connection.transaction():
            stored = await store_rows(
                connection,
                feed.account_id,
                good,
                plan_id=feed.reminder_plan_id,
                feed_id=feed.id,
            )
        reading.changed += stored.created + stored.changed
