"""A calendar feed as it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class FeedState(StrEnum):
    """What came of the last poll."""

    UNKNOWN = "unknown"
    OK = "ok"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentFeed:
    """A calendar (RFC 5545) at a URL; `time_zone` and `country` are of what names none.

    `events` and `events_refused` count what the last reading found.
    """

    id: int
    account_id: int
    name: str
    url: str = field(repr=False)
    """Whoever knows it can read the calendar."""

    reminder_plan_id: int | None
    time_zone: str
    country: str | None
    poll_minutes: int
    active: bool
    etag: str | None
    last_modified: str | None
    next_poll_at: datetime
    polled_at: datetime | None
    read_at: datetime | None
    state: str
    state_detail: str | None
    events: int
    events_refused: int
    created_at: datetime
