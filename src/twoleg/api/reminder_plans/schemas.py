"""The shapes of reminder plans in requests and replies."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from twoleg.api.account.schemas import QuietHours, TimeOfDay
from twoleg.api.values import Id, Input, Name, Output, Text, Time, Whole, Word, absent
from twoleg.calls.phrases import LANGUAGES, speaks
from twoleg.reminders.plans import MAX_MOMENTS, ChangeMeans, Voicemail, moment_to_json
from twoleg.reminders.timing import MAX_DAYS_BEFORE, MAX_MINUTES_BEFORE, Moment

MIN_RING_SECONDS, MAX_RING_SECONDS = 5, 180
MAX_ATTEMPTS = 10
MAX_RETRY_MINUTES = 24 * 60
MAX_CALLS = 100

Weekday = Annotated[Whole, Field(ge=1, le=7)]


def _is_spoken(tag: str) -> str:
    if not speaks(tag):
        raise ValueError(f"field must be one of {', '.join(LANGUAGES)}: calls speak these")
    return tag


Language = Annotated[Word, AfterValidator(_is_spoken)]


class MomentInput(Input):
    """When one reminder is wanted: so long before, or `at` a fixed time of a day before."""

    days_before: Annotated[Whole, Field(ge=0, le=MAX_DAYS_BEFORE)] = 0
    minutes_before: Annotated[Whole, Field(ge=0, le=MAX_MINUTES_BEFORE)] = 0
    at: TimeOfDay | None = None

    @model_validator(mode="after")
    def _is_before(self) -> Self:
        if self.at is not None and self.minutes_before:
            raise ValueError("must have either minutes_before or at")
        if self.at is None and not self.days_before and not self.minutes_before:
            raise ValueError("must have days_before, minutes_before or at")
        return self

    def moment(self) -> Moment:
        """Return what the plan keeps."""
        at = None if self.at is None else time.fromisoformat(self.at)
        return Moment(days_before=self.days_before, minutes_before=self.minutes_before, at=at)


class ReminderPlanChange(Input):
    """What of a plan changes; reminders that are not called yet are planned anew."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"moments": [{"days_before": 2, "at": "17:30"}]}]}
    )

    name: Name = absent()
    is_default: bool = absent()
    active: bool = absent()
    line_id: Id = absent()
    ring_group_id: Id | None = absent()
    moments: Annotated[list[MomentInput], Field(min_length=1, max_length=MAX_MOMENTS)] = absent()
    text: Text | None = absent()
    prompt_id: Id | None = absent()
    language: Language | None = absent()
    change_means: ChangeMeans = absent()
    voicemail: Voicemail = absent()
    voicemail_text: Text | None = absent()
    voicemail_prompt_id: Id | None = absent()
    quiet_hours: QuietHours | None = absent()
    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)] = absent()
    skip_holidays: bool = absent()
    ring_seconds: Annotated[Whole, Field(ge=MIN_RING_SECONDS, le=MAX_RING_SECONDS)] = absent()
    max_attempts: Annotated[Whole, Field(ge=1, le=MAX_ATTEMPTS)] = absent()
    retry_busy_minutes: Annotated[Whole, Field(ge=1, le=MAX_RETRY_MINUTES)] = absent()
    retry_no_answer_minutes: Annotated[Whole, Field(ge=1, le=MAX_RETRY_MINUTES)] = absent()
    max_calls_per_day: Annotated[Whole, Field(ge=1, le=MAX_CALLS)] = absent()
    max_calls_per_30_days: Annotated[Whole, Field(ge=1, le=MAX_CALLS)] = absent()

    def given(self) -> dict[str, Any]:
        """Return the fields that the client gave, as they are stored."""
        fields = super().given()
        if "moments" in fields:
            fields["moments"] = [moment_to_json(each.moment()) for each in self.moments]
        if "weekdays" in fields:
            fields["weekdays"] = sorted(set(fields["weekdays"]))
        return fields


class NewReminderPlan(ReminderPlanChange):
    """A plan to be made.

    One that is given no `quiet_hours` has the account's, or else 21:00 to 08:00 of the contact's
    clock, as the rules of the United States have it; hours that end when they begin are none.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "The evening before, and two hours before",
                    "line_id": 1,
                    "ring_group_id": 1,
                    "moments": [{"days_before": 1, "at": "18:00"}, {"minutes_before": 120}],
                    "text": "Hello {name}. You have an appointment {date} at {time}.",
                    "is_default": True,
                }
            ]
        }
    )

    name: Name
    line_id: Id
    moments: Annotated[list[MomentInput], Field(min_length=1, max_length=MAX_MOMENTS)]


class ReminderPlan(Output):
    """A plan; null quiet hours are the account's, a null language is the contact's."""

    id: int
    name: str
    is_default: bool
    active: bool
    line_id: int
    ring_group_id: int | None
    moments: list[dict[str, Any]]
    text: str | None
    prompt_id: int | None
    language: str | None
    change_means: str
    voicemail: str
    voicemail_text: str | None
    voicemail_prompt_id: int | None
    quiet_hours: dict[str, str] | None
    weekdays: list[int]
    skip_holidays: bool
    ring_seconds: int
    max_attempts: int
    retry_busy_minutes: int
    retry_no_answer_minutes: int
    max_calls_per_day: int
    max_calls_per_30_days: int
    created_at: Time
