"""Lists in pages: `{"data": [...], "next_cursor": ...}`; a cursor is opaque to clients."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from twoleg.api.errors import FieldErrors
from twoleg.calls.requests import MAX_ID

PREFIX: Final = "/api/v1"
DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 200
_ID_BYTES: Final = 8

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


def cursor_after(last_id: int) -> str:
    """Return the cursor of the page that follows the thing with `last_id`."""
    return base64.urlsafe_b64encode(last_id.to_bytes(_ID_BYTES, "big")).decode().rstrip("=")


def position_of(cursor: str | None) -> int | None:
    """Return the id that `cursor` stands behind; raises FieldErrors where it is not one of ours."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        decoded = base64.b64decode(padded, altchars=b"-_", validate=True)
        position = int.from_bytes(decoded, "big") if len(decoded) == _ID_BYTES else -1
    except ValueError:
        position = -1
    if not 0 <= position <= MAX_ID:
        raise FieldErrors({"cursor": ["The cursor is not one that a list gave."]})
    return position


def page_of(found: list[Any], limit: int, data: list[Any]) -> dict[str, Any]:
    """Return the page of `data`, made from `found`, which is up to one more than `limit`."""
    more = len(found) > limit
    return {
        "data": data[:limit],
        "next_cursor": cursor_after(found[limit - 1].id) if more else None,
    }


def created(response: Response, path: str, id_: int) -> None:
    """Say in `response` where the thing that was made can be read."""
    response.headers["Location"] = f"{PREFIX}{path}/{id_}"
