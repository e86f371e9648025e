"""`/calls`: place, list, read, say what one came to, hang up."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Request, Response
from pydantic import AfterValidator, Field

from twoleg.api.account.schemas import MAX_DISPOSITION
from twoleg.api.authentication import CallReader, CallWriter, token_in
from twoleg.api.calls.dry_run_schemas import DryRun
from twoleg.api.calls.schemas import Call, CallChange, read_place_call
from twoleg.api.errors import FieldErrors, JSONReply, NoSuchThing, rate_limit_headers
from twoleg.api.idempotency import SCOPE_KEY
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, moment_cursor, moment_of, page_of
from twoleg.api.recordings.schemas import Recording
from twoleg.api.state import AddressPolicyOf, AdmissionOf, DatabaseOf, RecordingLinksOf
from twoleg.api.values import Id, WantedTime, Word, storable_text, wanted_phone_number
from twoleg.calls.admission import CallSource
from twoleg.calls.dispositions import UnknownDisposition, dispose
from twoleg.calls.dry_run import dry_run as plan_only
from twoleg.calls.hang_up import request_hang_up
from twoleg.calls.outcomes import Outcome
from twoleg.calls.recordings import RecordingLinks
from twoleg.calls.records import CallFilter, CallPosition, CallRecord, find_call, list_calls
from twoleg.calls.states import Status

PLACE_CALL: Final = "#/components/schemas/PlaceCall"

WantedDisposition = Annotated[str, Field(max_length=MAX_DISPOSITION), AfterValidator(storable_text)]

router = APIRouter(prefix="/calls", tags=["calls"])


@router.post(
    "",
    status_code=202,
    response_model=Call,
    responses={200: {"model": DryRun, "description": "With `dry_run`: what the call would be."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": PLACE_CALL}}},
        }
    },
)
async def place_call(
    request: Request,
    _: CallWriter,
    fields: Annotated[dict[str, Any], Body()],
    admission: AdmissionOf,
    database: DatabaseOf,
    policy: AddressPolicyOf,
    links: RecordingLinksOf,
    dry_run: bool = False,
) -> Response:
    """Place a call; the reply shows it as it was stored.

    With `dry_run` nothing is placed, and the reply (200) is what the call would be.
    """
    wanted = read_place_call(fields, policy)
    if dry_run:
        async with database.connection() as connection:
            run = await plan_only(connection, await token_in(request), wanted)
        return JSONReply(DryRun.of(run).model_dump(mode="json", by_alias=True))
    if SCOPE_KEY in request.scope:
        wanted = replace(wanted, idempotency_key=request.scope[SCOPE_KEY][1])
    call = await admission.accept(await token_in(request), wanted, CallSource.API)
    async with database.connection() as connection:
        record = await find_call(connection, call.account_id, call.id)
    if record is None:
        raise NoSuchThing
    headers = {"Location": f"/api/v1/calls/{call.id}"} | rate_limit_headers(call.rate_limit)
    return JSONReply((await _shown(record, request, links)).model_dump(mode="json"), 202, headers)


@router.get("", response_model=Page[Call])
async def read_calls(
    principal: CallReader,
    request: Request,
    database: DatabaseOf,
    links: RecordingLinksOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    status: Status | None = None,
    outcome: Outcome | None = None,
    answered_by: Word | None = None,
    disposition: WantedDisposition | None = None,
    user_id: Id | None = None,
    ring_group_id: Id | None = None,
    contact_id: Id | None = None,
    line_id: Id | None = None,
    created_from: WantedTime | None = None,
    created_to: WantedTime | None = None,
    phone_number: Word | None = None,
) -> Any:
    """List calls, newest first."""
    wanted = CallFilter(
        status=status,
        outcome=outcome,
        answered_by=answered_by,
        disposition=disposition,
        user_id=user_id,
        ring_group_id=ring_group_id,
        contact_id=contact_id,
        line_id=line_id,
        created_from=created_from,
        created_to=created_to,
        phone_number=wanted_phone_number(phone_number),
    )
    position = moment_of(cursor)
    before = None if position is None else CallPosition(*position)
    async with database.connection() as connection:
        found = await list_calls(
            connection, principal.account_id, wanted, before=before, limit=limit + 1
        )
    data = [await _shown(each, request, links) for each in found]
    return page_of(found, limit, data, lambda last: moment_cursor(last.created_at, last.id))


@router.get("/{call_id}", response_model=Call)
async def read_call(
    call_id: Id,
    principal: CallReader,
    request: Request,
    database: DatabaseOf,
    links: RecordingLinksOf,
) -> Any:
    """Read one call: where it stands, or its record once it has ended."""
    async with database.connection() as connection:
        record = await find_call(connection, principal.account_id, call_id)
    if record is None:
        raise NoSuchThing
    return await _shown(record, request, links)


@router.patch("/{call_id}", response_model=Call)
async def dispose_call(
    call_id: Id,
    body: CallChange,
    principal: CallWriter,
    request: Request,
    database: DatabaseOf,
    links: RecordingLinksOf,
) -> Any:
    """Say what a call came to, while it runs or afterwards; nothing else of it can be changed."""
    given = {name: value or None for name, value in body.given().items()}
    async with database.connection() as connection:
        try:
            found = await dispose(connection, principal.account_id, call_id, given)
        except UnknownDisposition as error:
            raise FieldErrors({"disposition": [_allowed(error)]}) from error
        record = await find_call(connection, principal.account_id, call_id) if found else None
    if record is None:
        raise NoSuchThing
    return await _shown(record, request, links)


@router.delete("/{call_id}", status_code=202, response_model=Call)
async def hang_up_call(
    call_id: Id,
    principal: CallWriter,
    request: Request,
    database: DatabaseOf,
    links: RecordingLinksOf,
) -> Any:
    """Hang a call up, whatever its state; the same reply once it has ended."""
    async with database.connection() as connection:
        if not await request_hang_up(connection, principal.account_id, call_id):
            raise NoSuchThing
        record = await find_call(connection, principal.account_id, call_id)
    if record is None:
        raise NoSuchThing
    return await _shown(record, request, links)


def _allowed(error: UnknownDisposition) -> str:
    if not error.allowed:
        return "The account has no dispositions: set dispositions with PATCH /account first."
    return f"The disposition must be one of the account's: {', '.join(error.allowed)}."


async def _shown(record: CallRecord, request: Request, links: RecordingLinks) -> Call:
    recording = None
    if record.recording is not None:
        recording = await Recording.of(record.recording, request, links)
    return Call.of(record, recording)
