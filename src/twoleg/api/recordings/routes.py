"""`/calls/{call_id}/recording`: hear, pause, resume, remove."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from twoleg.api.authentication import CallReader, CallWriter
from twoleg.api.errors import NoSuchThing, reply, unavailable
from twoleg.api.recordings.schemas import Recording
from twoleg.api.state import DatabaseOf, ObjectsOf, RecordingLinksOf
from twoleg.api.streaming import stream
from twoleg.api.values import Id
from twoleg.calls.recordings import (
    RecordingRow,
    delete_recording,
    find_recording,
    find_recording_of_call,
    request_pause,
)
from twoleg.store.objects import ObjectMissing, Objects, ObjectsUnavailable

WAV: Final = "audio/wav"
MAX_EXPIRES: Final = 2**53

NOT_RECORDING: Final = "The call is not being recorded."
NOT_VALID: Final = "This link is not valid."
EXPIRED: Final = "This link has expired."

_AUDIO: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {WAV: {"schema": {"type": "string", "format": "binary"}}}},
    206: {"content": {WAV: {"schema": {"type": "string", "format": "binary"}}}},
}

router = APIRouter(prefix="/calls/{call_id}", tags=["calls"])


@router.get("/recording", response_class=Response, responses=_AUDIO)
async def hear_recording(
    call_id: Id, principal: CallReader, request: Request, database: DatabaseOf, objects: ObjectsOf
) -> Response:
    """Read the recording as WAV, the agent on the left and the contact on the right.

    Parts of it by Range.
    """
    async with database.connection() as connection:
        row = await find_recording(connection, principal.account_id, call_id)
    return await _audio(row, request, objects)


@router.get(
    "/recording.wav",
    tags=["links"],
    response_class=Response,
    responses=_AUDIO
    | {
        403: {"description": "The link has expired, or is none of ours."},
        404: {"description": "The recording was removed."},
    },
)
async def hear_by_link(
    call_id: Id,
    request: Request,
    database: DatabaseOf,
    objects: ObjectsOf,
    links: RecordingLinksOf,
    expires: Annotated[int, Query(ge=0, le=MAX_EXPIRES)] = 0,
    signature: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Read the recording by the link that stands in the call, which needs no token for a while."""
    if not await links.is_signed(call_id, expires, signature):
        return reply(403, NOT_VALID)
    if expires < time.time():
        return reply(403, EXPIRED)
    async with database.connection() as connection:
        row = await find_recording_of_call(connection, call_id)
    return await _audio(row, request, objects)


@router.post("/recording/{action}", status_code=202, response_model=Recording)
async def pause_recording(
    call_id: Id,
    action: Annotated[str, Path(pattern="^(pause|resume)$")],
    principal: CallWriter,
    request: Request,
    database: DatabaseOf,
    links: RecordingLinksOf,
) -> Any:
    """Keep nothing of what is said until `resume`; the pause is cut out of the recording."""
    async with database.connection() as connection:
        row = await find_recording(connection, principal.account_id, call_id)
        if row is None:
            raise NoSuchThing
        if not await request_pause(
            connection, principal.account_id, call_id, pause=action == "pause"
        ):
            return reply(409, NOT_RECORDING)
    return await Recording.of(row, request, links)


@router.delete("/recording", status_code=204)
async def remove_recording(call_id: Id, principal: CallWriter, database: DatabaseOf) -> None:
    """Remove the recording for good; one that still goes on is dropped when the call ends."""
    async with database.connection() as connection:
        if not await delete_recording(connection, principal.account_id, call_id):
            raise NoSuchThing


async def _audio(row: RecordingRow | None, request: Request, objects: Objects) -> Response:
    if row is None or not row.is_ready or row.object_key is None:
        raise NoSuchThing
    try:
        return await stream(
            objects,
            row.object_key,
            request.headers.get("range"),
            media_type=WAV,
            name=f"call-{row.call_id}.wav",
        )
    except ObjectMissing:
        raise NoSuchThing from None
    except ObjectsUnavailable:
        return unavailable()
