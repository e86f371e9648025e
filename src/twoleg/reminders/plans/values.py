"""Reminder plans: when contacts are reminded, what they hear, and what their digits mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from twoleg.reminders.timing import Moment

MAX_MOMENTS: Final = 10

US_QUIET_HOURS: Final[Mapping[str, str]] = MappingProxyType({"start": "21:00", "end": "08:00"})
"""When people in the United States are not to be called, by their own clock (47 CFR 64.1200(c)(1)).

Of a plan that says nothing else, in an account that says nothing else.
"""


class ChangeMeans(StrEnum):
    """What a contact asks for with the digit 2."""

    RESCHEDULE = "reschedule"
    CANCEL = "cancel"


class Voicemail(StrEnum):
    """What a machine gets that answers for the contact."""

    HANG_UP = "hang_up"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderPlan:
    """A plan as it is stored; null quiet hours and language are the account's and the contact's.

    Quiet hours that end when they begin are none.
    """

    id: int
    account_id: int
    name: str
    is_default: bool
    active: bool
    line_id: int
    ring_group_id: int | None
    moments: Sequence[Mapping[str, Any]]
    text: str | None
    prompt_id: int | None
    language: str | None
    change_means: str
    voicemail: str
    voicemail_text: str | None
    voicemail_prompt_id: int | None
    quiet_hours: Mapping[str, str] | None
    weekdays: Sequence[int]
    skip_holidays: bool
    ring_seconds: int
    max_attempts: int
    retry_busy_minutes: int
    retry_no_answer_minutes: int
    max_calls_per_day: int
    max_calls_per_30_days: int
    created_at: datetime


def moment_from_json(fields: Mapping[str, Any]) -> Moment:
    """Read {"days_before": 1, "at": "18:00"} or {"minutes_before": 120}."""
    at = fields.get("at")
    return Moment(
        days_before=fields.get("days_before") or 0,
        minutes_before=fields.get("minutes_before") or 0,
        at=None if at is None else time.fromisoformat(at),
    )


def moment_text(moment: Moment) -> str:
    """Say when a moment is, as people would: "1 day before at 18:00"."""
    count, unit = moment.days_before, "day"
    if moment.minutes_before:
        count, unit = moment.minutes_before, "minute"
        if count % 60 == 0:
            count, unit = count // 60, "hour"
    said = f"{count} {unit}{'' if count == 1 else 's'} before" if count else "the same day"
    return said if moment.at is None else f"{said} at {moment.at.isoformat('minutes')}"


def moment_to_json(moment: Moment) -> dict[str, Any]:
    """Write what `moment_from_json` reads, without what says nothing."""
    fields: dict[str, Any] = {}
    if moment.days_before:
        fields["days_before"] = moment.days_before
    if moment.minutes_before:
        fields["minutes_before"] = moment.minutes_before
    if moment.at is not None:
        fields["at"] = moment.at.isoformat("minutes")
    return fields
