"""`POST /api/v1/webhook/two-legged-call`: plain ASGI, because every call comes in here."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from twoleg.api.bodies import fields_of, query_fields, read_body
from twoleg.api.credentials import authorization_of, token_of
from twoleg.api.errors import admission_error, unauthenticated
from twoleg.calls.admission import AcceptedCall, Admission
from twoleg.calls.requests import read_call_request

PATH: Final = "/api/v1/webhook/two-legged-call"
ACCEPTED: Final = b'{"message":"Two-legged call established."}'


class TwoLeggedCall:
    """Takes in the contract's request: JSON or a form, fields of the query string beside it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        body = await read_body(receive)
        if body is None:
            return
        query_string = scope["query_string"]
        query = query_fields(query_string) if query_string else {}
        fields = fields_of(_content_type(scope), body)
        token = token_of(query, fields, authorization_of(scope["headers"]))
        if token is None:
            await unauthenticated()(scope, receive, send)
            return
        if query:
            fields = query | fields
        admission: Admission = scope["app"].state.admission
        try:
            call = await admission.accept(token, read_call_request(fields))
        except Exception as error:
            response = admission_error(error)
            if response is None:
                raise
            await response(scope, receive, send)
            return
        await _accept(call, send)


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


def _content_type(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type: bytes = value
            return content_type
    return b""


route: Final = Route(PATH, TwoLeggedCall(), methods=["POST"], include_in_schema=False)
