"""Error replies: always JSON, `{"message": ...}`, with `errors` by field where there are any."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import psycopg
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from twoleg.calls.admission import (
    AdmissionUnavailable,
    RateLimit,
    TokenNotAllowed,
    TooManyCalls,
    UnknownToken,
)
from twoleg.calls.admission_rules import AdmissionRefused
from twoleg.calls.requests import INVALID_DATA
from twoleg.directory import Invalid, NotFound
from twoleg.events import TooManySubscriptions

UNAUTHENTICATED: Final = "Unauthenticated."
TOO_MANY: Final = "Too Many Attempts."
UNAVAILABLE: Final = "Service Unavailable."
NOT_FOUND: Final = "Not Found."
RETRY_AFTER_SECONDS: Final = 5
NOTHING_MADE: Final = "twoleg.nothing_made"
"""Where a scope says that a request that failed by our fault has certainly made nothing."""

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_TEXTS: Final = {
    401: UNAUTHENTICATED,
    404: NOT_FOUND,
    405: "The {method} method is not supported for this path.",
}

log = structlog.get_logger(__name__)


class JSONReply(Response):
    """A JSON response; compact, and never a body that cannot be encoded."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return `content` as UTF-8; what is no text (lone surrogates) is escaped."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


class FieldErrors(Exception):
    """A request is refused with 422: `errors` holds texts by field."""

    def __init__(self, errors: Mapping[str, list[str]], reason: str | None = None) -> None:
        super().__init__(dict(errors), reason)
        self.errors = dict(errors)
        self.reason = reason


class NoSuchThing(Exception):
    """The account has nothing at this path."""


class Forbidden(Exception):
    """The token is good, but lacks `scope`."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


def reply(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONReply:
    """Return the reply that says `message`."""
    return JSONReply({"message": message}, status, dict(headers or {}))


def invalid_data(errors: Mapping[str, list[str]], reason: str | None = None) -> JSONReply:
    """Return the 422 for `errors` by field; `reason` is the word for a refusal by policy."""
    body: dict[str, Any] = {"message": INVALID_DATA, "errors": errors}
    if reason is not None:
        body["reason"] = reason
    return JSONReply(body, 422)


def unavailable(retry_after: int = RETRY_AFTER_SECONDS) -> JSONReply:
    """Return the 503 of a database that is away."""
    return reply(503, UNAVAILABLE, {"Retry-After": str(retry_after)})


def rate_limit_headers(rate: RateLimit) -> dict[str, str]:
    """Return the two counts that stand on every reply about placing a call."""
    return {
        "X-RateLimit-Limit": str(rate.limit),
        "X-RateLimit-Remaining": str(rate.remaining),
    }


def unauthenticated() -> JSONReply:
    """Return the 401."""
    return reply(401, UNAUTHENTICATED, {"WWW-Authenticate": "Bearer"})


def forbidden(scope: str) -> JSONReply:
    """Return the 403 of a token that lacks `scope`."""
    return reply(403, f"This token does not have the scope {scope}.")


def too_many(error: TooManyCalls) -> JSONReply:
    """Return the 429 of an account over its limits."""
    headers = rate_limit_headers(error.rate_limit) | {
        "Retry-After": str(error.retry_after),
        "X-RateLimit-Reset": str(int(max(error.rate_limit.reset_at, time.time())) + 1),
    }
    return reply(429, TOO_MANY, headers)


def admission_error(error: Exception) -> JSONReply | None:
    """Return the reply for what `Admission.accept` raises; None for anything else."""
    match error:
        case AdmissionRefused():
            return invalid_data(error.errors, error.reason)
        case UnknownToken():
            return unauthenticated()
        case TokenNotAllowed():
            return forbidden(error.scope)
        case TooManyCalls():
            return too_many(error)
        case AdmissionUnavailable():
            return unavailable(error.retry_after)
        case _:
            return None


def note_nothing_made(scope: Scope, error: Exception) -> None:
    """Say for `Idempotency` if a request that ended with `error` has certainly made nothing."""
    if isinstance(error, AdmissionUnavailable) and not error.may_be_stored:
        scope[NOTHING_MADE] = True


def unexpected(path: str, error: Exception) -> JSONReply:
    """Log what nobody foresaw, and return the 500 that tells nothing of it."""
    log.error("request_failed", path=path, error=type(error).__name__, exc_info=error)
    return reply(500, "Server Error.")


def install(app: FastAPI) -> None:
    """Make every error that a route of `app` can end with a reply of this module."""
    app.add_exception_handler(Exception, _on_anything)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    handlers = {
        FieldErrors: lambda e: invalid_data(e.errors, e.reason),
        NoSuchThing: lambda _: reply(404, NOT_FOUND),
        NotFound: lambda _: reply(404, NOT_FOUND),
        Invalid: lambda e: invalid_data({e.field: [e.message]}),
        Forbidden: lambda e: forbidden(e.scope),
        psycopg.OperationalError: lambda _: unavailable(),
        OSError: lambda _: unavailable(),
        TooManySubscriptions: lambda _: reply(
            429, TOO_MANY, {"Retry-After": str(RETRY_AFTER_SECONDS)}
        ),
    }
    for kind, handle in handlers.items():
        app.add_exception_handler(kind, _adapted(handle))
    for kind in (
        AdmissionRefused,
        UnknownToken,
        TokenNotAllowed,
        TooManyCalls,
        AdmissionUnavailable,
    ):
        app.add_exception_handler(kind, _adapted(admission_error))


def _adapted(handle: Any) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        note_nothing_made(request.scope, error)
        response: Response = handle(error)
        return response

    return handler


async def _on_anything(request: Request, error: Exception) -> Response:
    return unexpected(request.url.path, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    message = _TEXTS.get(error.status_code, str(error.detail)).format(method=request.method)
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    if error.status_code == 400:
        # What FastAPI says where the body cannot be read, e.g. a multipart form cut short.
        return invalid_data({"body": ["The body cannot be read."]})
    return reply(error.status_code, message, headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods that some route has at this path, not only the first that fits."""
    routes: list[BaseRoute] = request.app.routes
    found = set()
    for method in _METHODS:
        scope = dict(request.scope, method=method)
        if any(route.matches(scope)[0] is Match.FULL for route in routes):
            found.add(method)
    return [method for method in _METHODS if method in found]


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(each["loc"][0] == "path" for each in found):
        return reply(404, NOT_FOUND)
    return invalid_data(field_errors(found, skip=1))


def field_errors(found: Iterable[Any], *, skip: int) -> dict[str, list[str]]:
    """Return what pydantic found by field, one text each; the first `skip` places say no field."""
    errors: dict[str, list[str]] = {}
    for each in found:
        place = ".".join(str(part) for part in each["loc"][skip:]) or "body"
        name = "body" if each["type"] == "json_invalid" else place
        errors.setdefault(name, [_text(name, each)])
    return errors


def _text(name: str, error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx") or {}
    match kind:
        case "json_invalid":
            return "The body must be valid JSON."
        case "missing":
            return f"The {name} field is required."
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return f"The {name} must be an integer."
        case "bool_type" | "bool_parsing":
            return f"The {name} field must be true or false."
        case "string_type":
            return f"The {name} must be a string."
        case "extra_forbidden":
            return f"The {name} field is not known here."
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"The {name} must be a JSON object."
        case "value_error" | "assertion_error":
            return f"The {name} {context.get('error', 'is invalid')}."
        case _:
            text: str = error["msg"]
            return f"The {name} is invalid: {text}."
