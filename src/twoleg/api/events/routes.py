"""`/events`: the account's events as they come."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request

from twoleg.api.authentication import EventReader, token_in
from twoleg.api.errors import FieldErrors, Forbidden
from twoleg.api.events.reply import EventStreamReply
from twoleg.api.state import DatabaseOf, EventStreamOf
from twoleg.api.values import Id, Word
from twoleg.calls.requests import MAX_ID
from twoleg.directory.tokens import Scope, find_by_secret
from twoleg.events import Wanted
from twoleg.store import DatabaseUnavailable

MAX_TYPES: Final = 20
_EXAMPLE: Final = """\
id: 12
event: call.bridged
data: {"id":12,"type":"call.bridged","call_id":81,"sequence":5,"at":"2026-01-05T17:00:09.120Z","data":{}}
"""  # noqa: E501

router = APIRouter(tags=["events"])


@router.get(
    "/events",
    status_code=200,
    response_class=EventStreamReply,
    responses={
        200: {
            "description": "The stream: its data lines hold a CallEvent or an AppointmentEvent.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        }
    },
)
async def stream_events(
    request: Request,
    principal: EventReader,
    database: DatabaseOf,
    stream: EventStreamOf,
    call_id: Id | None = None,
    appointment_id: Id | None = None,
    types: Annotated[
        list[Word] | None,
        Query(max_length=MAX_TYPES, description="Types of events, with commas between them."),
    ] = None,
    last_event_id: Annotated[
        str | None, Query(description="As the header, for clients that cannot set one.")
    ] = None,
    last_event_id_header: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Any:
    """Follow calls and appointments as server-sent events, from now on or behind an event's id.

    A token sees those of calls by `calls:read`, those of appointments by `appointments:read`. A
    stream that breaks off is resumed with `Last-Event-ID` without a gap and without doubles. A
    reader that is too slow is cut off, and resumes the same way.
    """
    token = await token_in(request)

    async def allowed() -> bool:
        try:
            async with database.connection() as connection:
                found = await find_by_secret(connection, token)
        except DatabaseUnavailable:
            return True
        return found is not None and set(found.scopes) == set(principal.scopes)

    wanted = Wanted(
        principal.account_id,
        call_id,
        _types(types),
        appointment_id,
        calls=principal.may(Scope.CALLS_READ),
        appointments=principal.may(Scope.APPOINTMENTS_READ),
    )
    for asked, seen, scope in (
        (call_id, wanted.calls, Scope.CALLS_READ),
        (appointment_id, wanted.appointments, Scope.APPOINTMENTS_READ),
    ):
        if asked is not None and not seen:
            raise Forbidden(scope)
    return EventStreamReply(stream, wanted, _id(last_event_id_header or last_event_id), allowed)


def _types(given: list[str] | None) -> frozenset[str] | None:
    named = [name.strip() for text in given or () for name in text.split(",") if name.strip()]
    if len(named) > MAX_TYPES:
        raise FieldErrors({"types": [f"The types field must not name more than {MAX_TYPES}."]})
    return frozenset(named) or None


def _id(given: str | None) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and int(given) <= MAX_ID):
        raise FieldErrors({"last_event_id": ["The last_event_id must be the id of an event."]})
    return int(given)
