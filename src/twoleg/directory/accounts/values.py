"""Accounts: the tenants, and the rules that each sets for its calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Screening(StrEnum):
    """Which agents must press 1 before they are joined."""

    NEVER = "never"
    TRUNK_ONLY = "trunk_only"
    ALWAYS = "always"


class Recording(StrEnum):
    """Which calls are recorded."""

    NEVER = "never"
    ON_REQUEST = "on_request"
    ALWAYS = "always"


class Announcement(StrEnum):
    """Who hears, before a call is recorded, that it will be."""

    NONE = "none"
    CONTACT = "contact"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account's settings; without `allowed_countries` every country may be called.

    `dispositions` are what may be said that a call came to.
    """

    id: int
    name: str
    max_calls: int
    calls_per_second: int
    screening: str
    recording: str
    recording_announcement: str
    wrap_up_seconds: int
    quiet_hours: Mapping[str, str] | None
    allowed_countries: Sequence[str] | None
    dispositions: Sequence[str]
    time_zone: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account just made, with its first token: the only time that it can be seen."""

    account_id: int
    token: str = field(repr=False)
