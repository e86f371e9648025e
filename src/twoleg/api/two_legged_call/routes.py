"""`POST /api/v1/webhook/two-legged-call`: plain ASGI, because every call comes in here."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from twoleg.api.bodies import TOO_LARGE, BodyTooLarge, fields_of, query_fields, read_body
from twoleg.api.credentials import token_of
from twoleg.api.errors import admission_error, note_nothing_made, reply, unexpected
from twoleg.api.idempotency import SCOPE_KEY
from twoleg.calls.admission import AcceptedCall, Admission, UnknownToken
from twoleg.calls.requests import read_call_request

PATH: Final = "/api/v1/webhook/two-legged-call"
ACCEPTED: Final = b'{"message":"Two-legged call established."}'


class TwoLeggedCall:
    """Takes in the contract's request: JSON or a form, fields of the query string beside it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; no exception leaves."""
        try:
            call = await _admit(scope, receive)
        except BodyTooLarge:
            await reply(413, TOO_LARGE, {"Connection": "close"})(scope, receive, send)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets JSON
            note_nothing_made(scope, error)
            response = admission_error(error) or unexpected(PATH, error)
            await response(scope, receive, send)
        else:
            if call is not None:
                await _accept(call, send)


async def _admit(scope: Scope, receive: Receive) -> AcceptedCall | None:
    """Return the call once it is stored; None where the client has gone before it was asked for."""
    body = await read_body(receive)
    if body is None:
        return None
    query_string = scope["query_string"]
    query = query_fields(query_string) if query_string else {}
    content_type = authorization = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"authorization":
            authorization = value
    fields = fields_of(content_type, body)
    token = token_of(query, fields, authorization)
    if token is None:
        raise UnknownToken
    admission: Admission = scope["app"].state.admission
    request = read_call_request(query | fields if query else fields)
    if SCOPE_KEY in scope:
        request = replace(request, idempotency_key=scope[SCOPE_KEY][1])
    return await admission.accept(token, request)


async def _accept(call: AcceptedCall, send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(ACCEPTED)),
        (b"location", b"/api/v1/calls/%d" % call.id),
        (b"x-ratelimit-limit", b"%d" % call.rate_limit.limit),
        (b"x-ratelimit-remaining", b"%d" % call.rate_limit.remaining),
    ]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": ACCEPTED})


endpoint: Final = TwoLeggedCall()
route: Final = Route(PATH, endpoint, methods=["POST"], include_in_schema=False)
