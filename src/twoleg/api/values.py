"""Field types that the schemas of every feature share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

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
from twoleg.calls.requests import MAX_ID, integer

MAX_NAME: Final = 200
MAX_TEXT: Final = 2000


def rfc3339(at: datetime) -> str:
    """Return `at` in UTC to the millisecond, the form of every time that we send."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_integer(value: Any) -> Any:
    if isinstance(value, str):
        number = integer(value.strip())
        return value if number is None else number
    return value


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can keep `text`: no NUL, and no lone surrogates."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _storable(text: str) -> str:
    if not storable(text):
        raise ValueError("holds characters that cannot be stored")
    return text


Id = Annotated[int, BeforeValidator(_read_integer), Field(ge=1, le=MAX_ID, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_storable)]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_storable)]
Word = Annotated[str, Field(max_length=64), AfterValidator(_storable)]
Time = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
WantedTime = AwareDatetime


class Input(BaseModel):
    """A request's body: unknown fields are refused by name, strings are trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _without_token(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and TOKEN_FIELD in fields:
            return {name: value for name, value in fields.items() if name != TOKEN_FIELD}
        return fields


class Output(BaseModel):
    """A reply's body, made from a value of the domain."""

    model_config = ConfigDict(from_attributes=True)
