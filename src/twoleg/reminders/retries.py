"""What follows on one reminder call: nothing more, or another try, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from twoleg.calls.destinations import Refusal
from twoleg.calls.outcomes import Outcome
from twoleg.reminders.calling_hours import CallingHours
from twoleg.reminders.timing import LEAD, Dropped

NO_RETRY: Final = frozenset({Outcome.CONTACT_INVALID_NUMBER, Outcome.CANCELED})
"""Trying again would come to the same, or somebody wanted it ended."""

FOR_GOOD: Final = frozenset(
    {Refusal.CONTACT_OPTED_OUT, Refusal.DESTINATION_NOT_ALLOWED, Refusal.EMERGENCY_NUMBER}
)
"""Rules that a call was blocked by, and that stand against the next one too."""

RANG_NOBODY: Final = frozenset({Outcome.BLOCKED, Outcome.EXPIRED})
"""It waited in vain for a trunk, an engine or an hour that is allowed: that is no try."""

SOON: Final = frozenset({Outcome.CONTACT_BUSY}) | RANG_NOBODY
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
    failure: str | None = None,
    ended_at: datetime,
    attempts: int,
    rules: RetryRules,
    hours: CallingHours,
    starts_at: datetime,
) -> datetime | Dropped:
    """Return when a reminder whose `attempts` calls reached nobody is tried again.

    `failure` is that of the last one's record: it begins with the rule that a call was blocked by.
    """
    rule = (failure or "").partition(":")[0]
    if outcome in NO_RETRY or rule in FOR_GOOD or attempts >= rules.max_attempts:
        return Dropped.ATTEMPTS_USED_UP
    wanted = ended_at + (rules.busy if outcome in SOON else rules.no_answer)
    at = hours.next_allowed(wanted)
    return Dropped.APPOINTMENT_BEGINS if at is None or at > starts_at - LEAD else at
