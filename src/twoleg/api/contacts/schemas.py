"""The shapes of contacts in requests and replies."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from twoleg.api.values import (
    Input,
    JsonObject,
    Name,
    Output,
    PhoneNumber,
    Time,
    TimeZone,
    Word,
    absent,
)
from twoleg.directory.contacts import MAX_PHONE_NUMBERS, is_language_tag


def _language(tag: str) -> str:
    if not is_language_tag(tag):
        raise ValueError("field must be a language tag, such as en or de-CH")
    return tag


class ContactChange(Input):
    """What of a contact changes.

    `attributes` are merged, null removes one; `phone_numbers` replaces all numbers.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"opted_out": True, "attributes": {"customer": None}}]}
    )

    name: Name | None = absent()
    phone_number: PhoneNumber = absent()
    phone_numbers: Annotated[
        list[PhoneNumber], Field(min_length=1, max_length=MAX_PHONE_NUMBERS)
    ] = absent()
    time_zone: TimeZone | None = absent()
    language: Annotated[Word, AfterValidator(_language)] | None = absent()
    opted_out: bool = absent()
    attributes: JsonObject = absent()


class NewContact(ContactChange):
    """A contact to be made; its main number is `phone_number`, or the first of the others."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Carol Contact",
                    "phone_number": "+18181276543",
                    "time_zone": "America/Los_Angeles",
                    "attributes": {"customer": "4711"},
                }
            ]
        }
    )


class Contact(Output):
    """A contact; `phone_numbers` has every number, the main one first."""

    id: int
    name: str | None
    phone_number: str
    phone_numbers: list[str]
    time_zone: str | None
    language: str | None
    opted_out: bool
    attributes: dict[str, Any]
    created_at: Time
