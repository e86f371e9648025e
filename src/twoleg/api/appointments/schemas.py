"""The shapes of appointments in requests and replies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer

from twoleg.api.values import Id, Input, Output, Text, Time, TimeZone, Whole, absent, storable_text
from twoleg.reminders.appointments import AppointmentStatus

MAX_EXTERNAL_ID = 255
MAX_DURATION_MINUTES = 7 * 24 * 60
FIRST_YEAR, LAST_YEAR = 2000, 2100

ExternalId = Annotated[
    str, Field(min_length=1, max_length=MAX_EXTERNAL_ID), AfterValidator(storable_text)
]


def _within_reach(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year < LAST_YEAR:
        raise ValueError(f"field must be in the years {FIRST_YEAR} to {LAST_YEAR - 1}")
    return at


WallTime = Annotated[
    datetime,
    AfterValidator(_within_reach),
    Field(examples=["2026-06-10T10:00"]),
]
ShownWallTime = Annotated[
    datetime, PlainSerializer(lambda at: at.isoformat(timespec="seconds"), return_type=str)
]


class AppointmentChange(Input):
    """What of an appointment changes; one that is moved is reminded of anew."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"starts_at": "2026-06-11T09:30", "staff": "Dr. Gray"}]}
    )

    contact_id: Id = absent()
    reminder_plan_id: Id | None = absent()
    starts_at: WallTime = absent()
    time_zone: TimeZone = absent()
    duration_minutes: Annotated[Whole, Field(ge=0, le=MAX_DURATION_MINUTES)] | None = absent()
    place: Text | None = absent()
    staff: Text | None = absent()
    notes: Text | None = absent()
    external_id: ExternalId | None = absent()
    status: AppointmentStatus = absent()

    def given(self) -> dict[str, Any]:
        """Return the fields that the client gave, by the names that they are stored under."""
        fields = super().given()
        if "starts_at" in fields:
            fields["wall_starts_at"] = fields.pop("starts_at")
        return fields


class NewAppointment(AppointmentChange):
    """An appointment to be made.

    `starts_at` is what the clocks of `time_zone` (the account's, if not given) show; a time with an
    offset is taken as that instant.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "contact_id": 1234,
                    "starts_at": "2026-06-10T10:00",
                    "time_zone": "America/Los_Angeles",
                    "duration_minutes": 30,
                    "place": "12 Main Street",
                    "staff": "Dr. Gray",
                    "external_id": "visit-8812",
                }
            ]
        }
    )

    contact_id: Id
    starts_at: WallTime


class ShownReminder(Output):
    """One reminder of an appointment; `moment` counts those of the plan from 0."""

    moment: int
    state: str
    due_at: Time | None
    attempts: int
    reason: str | None


class ShownAttempt(Output):
    """One call of a reminder; `outcome` is the call's, `answer` what its contact answered."""

    call_id: int
    moment: int
    placed_at: Time
    ended_at: Time | None
    outcome: str | None
    answer: str | None


class Appointment(Output):
    """An appointment; `starts_at` is wall time in `time_zone`, `starts_at_utc` the instant.

    `status_call_id` is the reminder call that the status comes from, null where it was set by hand.
    """

    id: int
    contact_id: int
    reminder_plan_id: int | None
    starts_at: Annotated[ShownWallTime, Field(validation_alias="wall_starts_at")]
    time_zone: str
    starts_at_utc: Annotated[Time, Field(validation_alias="starts_at")]
    duration_minutes: int | None
    place: str | None
    staff: str | None
    notes: str | None
    external_id: str | None
    status: str
    status_at: Time
    status_call_id: int | None
    reminders: list[ShownReminder]
    attempts: list[ShownAttempt]
    created_at: Time
