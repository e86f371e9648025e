"""The shapes of calendar feeds in requests and replies."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from twoleg.api.values import Country, Id, Input, Name, Output, Text, Time, TimeZone, Whole, absent

MIN_POLL_MINUTES: Final = 5
MAX_POLL_MINUTES: Final = 24 * 60


class AppointmentFeedChange(Input):
    """What of a feed changes; it is polled soon after."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"poll_minutes": 30}]})

    name: Name = absent()
    url: Text = absent()
    reminder_plan_id: Id | None = absent()
    time_zone: TimeZone = absent()
    country: Country | None = absent()
    poll_minutes: Annotated[Whole, Field(ge=MIN_POLL_MINUTES, le=MAX_POLL_MINUTES)] = absent()
    active: bool = absent()


class NewAppointmentFeed(AppointmentFeedChange):
    """A feed to be made: the account's time zone and default plan hold where none is given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Dr. Gray's calendar",
                    "url": "https://calendar.example.com/private-1f0c/basic.ics",
                    "time_zone": "America/Los_Angeles",
                    "country": "US",
                }
            ]
        }
    )

    name: Name
    url: Text


class AppointmentFeed(Output):
    """A feed; `state` is what came of the last poll, `state_detail` what is to be mended."""

    id: int
    name: str
    url: str
    reminder_plan_id: int | None
    time_zone: str
    country: str | None
    poll_minutes: int
    active: bool
    state: str
    state_detail: str | None
    events: int
    events_refused: int
    polled_at: Time | None
    read_at: Time | None
    next_poll_at: Time
    created_at: Time
