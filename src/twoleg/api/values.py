"""Field types that the schemas of every feature share."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from twoleg.api.credentials import TOKEN_FIELD
from twoleg.api.errors import FieldErrors
from twoleg.calls.requests import MAX_ID, integer, not_a_phone_number
from twoleg.directory.json_objects import checked, storable
from twoleg.directory.phone_numbers import InvalidPhoneNumber, is_country, normalise

MAX_NAME: Final = 200
MAX_TEXT: Final = 2000
MAX_WRAP_UP_SECONDS: Final = 3600


def rfc3339(at: datetime) -> str:
    """Return `at` in UTC to the millisecond, the form of every time that we send."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_integer(value: Any) -> Any:
    if isinstance(value, str):
        number = integer(value.strip())
        return value if number is None else number
    return value


def storable_text(text: str) -> str:
    """Return `text`; raises ValueError where PostgreSQL cannot keep it."""
    if not storable(text):
        raise ValueError("holds characters that cannot be stored")
    return text


def _phone_number(text: str) -> str:
    try:
        return normalise(text)
    except InvalidPhoneNumber as error:
        raise ValueError(
            "field must be a valid phone number with + and the country code, such as +18181234567"
        ) from error


def _country(code: str) -> str:
    if not is_country(code.upper()):
        raise ValueError("field must be a country of ISO 3166, such as US")
    return code.upper()


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(name: str) -> str:
    if name not in _time_zones():
        raise ValueError("field must be a time zone of the IANA database, such as Europe/Berlin")
    return name


# A whole number, digits in a string too.
Whole = Annotated[int, BeforeValidator(_read_integer), Field(strict=True)]
Id = Annotated[int, BeforeValidator(_read_integer), Field(ge=1, le=MAX_ID, strict=True)]
WrapUp = Annotated[Whole, Field(ge=0, le=MAX_WRAP_UP_SECONDS)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(storable_text)]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(storable_text)]
Word = Annotated[str, Field(max_length=64), AfterValidator(storable_text)]
Time = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
WantedTime = AwareDatetime
PhoneNumber = Annotated[
    str,
    Field(max_length=64, examples=["+18181234567"]),
    AfterValidator(_phone_number),
]
Country = Annotated[str, Field(max_length=2, examples=["US"]), AfterValidator(_country)]
TimeZone = Annotated[
    str, Field(max_length=64, examples=["America/Los_Angeles"]), AfterValidator(_time_zone)
]
JsonObject = Annotated[dict[str, Any], AfterValidator(checked)]


def absent(alias: str | None = None) -> Any:
    """Return the field of a body that may be left out, and then says nothing."""
    return Field(default_factory=lambda: None, alias=alias)


def wanted_phone_number(text: str | None) -> str | None:
    """Return the number that a list is filtered by as E.164; raises FieldErrors."""
    if text is None:
        return None
    try:
        # A "+" that was not escaped in a query string has become a blank.
        return normalise("+" + text.strip().removeprefix("+"))
    except InvalidPhoneNumber as error:
        raise FieldErrors({"phone_number": not_a_phone_number("phone_number")}) from error


class Input(BaseModel):
    """A request's body: unknown fields are refused by name, strings are trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, use_enum_values=True)

    @model_validator(mode="before")
    @classmethod
    def _without_token(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and TOKEN_FIELD in fields:
            return {name: value for name, value in fields.items() if name != TOKEN_FIELD}
        return fields

    def given(self) -> dict[str, Any]:
        """Return the fields that the client gave, null ones too."""
        return self.model_dump(exclude_unset=True, by_alias=True)


class Output(BaseModel):
    """A reply's body, made from a value of the domain."""

    model_config = ConfigDict(from_attributes=True)
