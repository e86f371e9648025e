"""The shapes of an account's settings in requests and replies."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from twoleg.api.values import (
    Country,
    Input,
    Name,
    Output,
    Time,
    TimeZone,
    Whole,
    WrapUp,
    absent,
    storable_text,
)
from twoleg.directory.accounts import Announcement, Recording, Screening

MAX_CALLS = 100_000
MAX_COUNTRIES = 300
MAX_DISPOSITIONS = 100
MAX_DISPOSITION = 80
TimeOfDay = Annotated[str, Field(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:00"])]

Disposition = Annotated[
    str, Field(min_length=1, max_length=MAX_DISPOSITION), AfterValidator(storable_text)
]


def _each_once(texts: list[str]) -> list[str]:
    if len(set(texts)) < len(texts):
        raise ValueError("must have each entry once")
    return texts


class QuietHours(Input):
    """When contacts are not called, on the clock of each contact; may go over midnight."""

    start: TimeOfDay
    end: TimeOfDay


class AccountChange(Input):
    """What of the settings changes; no `allowed_countries` (null) allows every country."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"allowed_countries": ["US", "CA"], "max_calls": 200}]}
    )

    name: Name = absent()
    max_calls: Annotated[Whole, Field(ge=0, le=MAX_CALLS)] = absent()
    calls_per_second: Annotated[Whole, Field(ge=0, le=MAX_CALLS)] = absent()
    screening: Screening = absent()
    recording: Recording = absent()
    recording_announcement: Announcement = absent()
    wrap_up_seconds: WrapUp = absent()
    quiet_hours: QuietHours | None = absent()
    allowed_countries: Annotated[list[Country], Field(max_length=MAX_COUNTRIES)] | None = absent()
    dispositions: Annotated[
        list[Disposition], Field(max_length=MAX_DISPOSITIONS), AfterValidator(_each_once)
    ] = absent()
    time_zone: TimeZone = absent()


class Account(Output):
    """The settings of the token's account."""

    id: int
    name: str
    max_calls: int
    calls_per_second: int
    screening: str
    recording: str
    recording_announcement: str
    wrap_up_seconds: int
    quiet_hours: dict[str, str] | None
    allowed_countries: list[str] | None
    dispositions: list[str]
    time_zone: str
    created_at: Time
