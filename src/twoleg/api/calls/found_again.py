"""The reply to a call request whose first sending was cut short by a crash."""

from __future__ import annotations

from starlette.responses import Response

from twoleg.api.calls.schemas import Call
from twoleg.api.errors import JSONReply
from twoleg.api.two_legged_call.routes import ACCEPTED, PATH
from twoleg.calls.records import find_call
from twoleg.directory.idempotency import call_with_key
from twoleg.store.database import Connection


async def call_found_again(
    connection: Connection, account_id: int, key: str, path: str
) -> Response | None:
    """Return the reply that the call's first request would have got; None: it placed none."""
    call_id = await call_with_key(connection, account_id, key)
    record = None if call_id is None else await find_call(connection, account_id, call_id)
    if record is None:
        return None
    headers = {"Location": f"/api/v1/calls/{record.id}"}
    if path == PATH:
        return Response(ACCEPTED, 202, headers, "application/json")
    return JSONReply(Call.of(record, None).model_dump(mode="json"), 202, headers)
