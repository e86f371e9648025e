"""Lists in pages: `{"data": [...], "next_cursor": ...}`; a cursor is opaque to clients."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from twoleg.api.errors import FieldErrors
from twoleg.calls.requests import MAX_ID

PREFIX: Final = "/api/v1"
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 200
_ID_BYTES: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many things at most.")]
Cursor = Annotated[
    str | None, Query(max_length=64, description="`next_cursor` of the page before.")
]


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next_cursor` is null at its end."""

    model_config = ConfigDict(extra="forbid")
    data: list[Item]
    next_cursor: str | None


def cursor_after(*position: int) -> str:
    """Return the cursor of the page that follows the thing at `position`: as a rule, its id."""
    packed = b"".join(each.to_bytes(_ID_BYTES, "big") for each in position)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def position_of(cursor: str | None) -> int | None:
    """Return the id that `cursor` stands behind; raises FieldErrors where it is not one of ours."""
    return None if cursor is None else _numbers_of(cursor, 1)[0]


def moment_of(cursor: str | None) -> tuple[datetime, int] | None:
    """Return the time and the id that `cursor` stands behind; raises FieldErrors."""
    if cursor is None:
        return None
    microseconds, id_ = _numbers_of(cursor, 2)
    try:
        return _EPOCH + timedelta(microseconds=microseconds), id_
    except OverflowError as error:
        raise _unknown_cursor() from error


def moment_cursor(at: datetime, id_: int) -> str:
    """Return the cursor of a list that is in order of time, behind the thing of then."""
    return cursor_after((at - _EPOCH) // timedelta(microseconds=1), id_)


def _numbers_of(cursor: str, count: int) -> list[int]:
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError as error:
        raise _unknown_cursor() from error
    parts = range(0, len(packed), _ID_BYTES)
    numbers = [int.from_bytes(packed[at : at + _ID_BYTES], "big") for at in parts]
    if len(packed) != count * _ID_BYTES or max(numbers) > MAX_ID:
        raise _unknown_cursor()
    return numbers


def _unknown_cursor() -> FieldErrors:
    return FieldErrors({"cursor": ["The cursor is not one that a list gave."]})


def _after(item: Any) -> str:
    return cursor_after(item.id)


def page_of(
    found: list[Any], limit: int, data: list[Any], after: Callable[[Any], str] = _after
) -> dict[str, Any]:
    """Return the page of `data`, made from `found`, which is up to one more than `limit`.

    `after` gives the cursor behind one of them.
    """
    more = len(found) > limit
    return {
        "data": data[:limit],
        "next_cursor": after(found[limit - 1]) if more else None,
    }


def created(response: Response, path: str, id_: int) -> None:
    """Say in `response` where the thing that was made can be read."""
    response.headers["Location"] = f"{PREFIX}{path}/{id_}"
