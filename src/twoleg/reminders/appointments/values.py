"""Appointments: what contacts are reminded of, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class AppointmentStatus(StrEnum):
    """What is known of an appointment."""

    SCHEDULED = "scheduled"
    REMINDED = "reminded"
    """The contact heard a reminder, and pressed nothing that decides."""

    CONFIRMED = "confirmed"
    RESCHEDULE_REQUESTED = "reschedule_requested"
    CANCELLED = "cancelled"
    OPTED_OUT = "opted_out"
    """The contact wants no more calls; the appointment stands."""

    UNREACHABLE = "unreachable"
    """Every reminder was tried as often as the plan allows."""

    CALLBACK_REQUESTED = "callback_requested"
    """The contact wanted to talk, and nobody of the staff was free."""


ANSWERED: Final = frozenset(
    {
        AppointmentStatus.CONFIRMED,
        AppointmentStatus.RESCHEDULE_REQUESTED,
        AppointmentStatus.CANCELLED,
        AppointmentStatus.OPTED_OUT,
        AppointmentStatus.CALLBACK_REQUESTED,
    }
)
"""After these nobody is reminded any more."""


class ReminderState(StrEnum):
    """Where one reminder of an appointment is."""

    PLANNED = "planned"
    CALLING = "calling"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """An appointment; `wall_starts_at` (naive) is what the clocks of `time_zone` show.

    `status_call_id` is the reminder call that the status comes from. `reminders` are those of its
    plan, each as {"moment", "state", "due_at", "attempts", "reason"}; `attempts` are their calls in
    order, each as {"call_id", "moment", "placed_at", "ended_at", "outcome", "answer"}.
    """

    id: int
    account_id: int
    contact_id: int
    reminder_plan_id: int | None
    feed_id: int | None
    external_id: str | None
    wall_starts_at: datetime
    time_zone: str
    starts_at: datetime
    duration_minutes: int | None
    place: str | None
    staff: str | None
    notes: str | None
    status: str
    status_at: datetime
    status_call_id: int | None
    created_at: datetime
    reminders: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentFilter:
    """Which appointments are listed; what is None does not matter."""

    contact_id: int | None = None
    reminder_plan_id: int | None = None
    external_id: str | None = None
    status: AppointmentStatus | None = None
    starts_from: datetime | None = None
    starts_before: datetime | None = None
