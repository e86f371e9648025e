"""What follows on one reminder call: nothing more, or another try, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from twoleg.calls.outcomes import Outcome
from twoleg.reminders.calling_hours import CallingHours
from twoleg.reminders.timing import LEAD, Dropped

NO_RETRY: Final = frozenset({Outcome.CONTACT_INVALID_NUMBER, Outcome.CANCELED, Outcome.BLOCKED})
"""Trying again would come to the same, or somebody wanted it ended."""

SOON: Final = frozenset({Outcome.CONTACT_BUSY})
"""Who is talking is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How often, and how far apart, a plan has a reminder tried."""

    max_attempts: int
    busy: timedelta
    no_answer: timedelta


def next_attempt(
    outcome: Outcome,
    *,
    ended_at: datetime,
    attempts: int,
    rules: RetryRules,
    hours: CallingHours,
    starts_at: datetime,
) -> datetime | Dropped:
    """Return when a reminder whose `attempts` calls reached nobody is tried again."""
    if outcome in NO_RETRY or attempts >= rules.max_attempts:
        return Dropped.ATTEMPTS_USED_UP
    wanted = ended_at + (rules.busy if outcome in SOON else rules.no_answer)
    at = hours.next_allowed(wanted)
    return Dropped.APPOINTMENT_BEGINS if at is None or at > starts_at - LEAD else at
