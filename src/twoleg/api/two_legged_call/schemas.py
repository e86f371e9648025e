"""The contract, described for OpenAPI by hand, because the route itself is plain ASGI."""

from __future__ import annotations

from typing import Any, Final

_ID: Final = {"oneOf": [{"type": "integer"}, {"type": "string", "pattern": "^ *[0-9]+ *$"}]}
_PHONE_NUMBER: Final = {"type": "string", "examples": ["+18181276543"]}

REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "api_token": {
            "type": "string",
            "description": "The token, unless the query string or the Authorization header has it.",
        },
        "user_id": _ID,
        "ring_group_id": _ID,
        "user_phone_number": _PHONE_NUMBER,
        "contact_id": _ID,
        "contact_phone_number": _PHONE_NUMBER,
        "line_id": _ID,
        "line_phone_number": _PHONE_NUMBER,
    },
}

_EXAMPLES: Final = {
    "ring group": {
        "summary": "Ring a group, contact and line by phone number",
        "value": {
            "api_token": "your token",
            "ring_group_id": "1",
            "contact_phone_number": "+18181276543",
            "line_phone_number": "+18552562001",
        },
    },
    "user at a phone number": {
        "summary": "Ring a user at a phone number, contact by id",
        "value": {
            "api_token": "your token",
            "user_id": "1",
            "user_phone_number": "+18181234567",
            "contact_id": "1234",
            "line_phone_number": "+18552562001",
        },
    },
}

_MESSAGE: Final = {"$ref": "#/components/schemas/Message"}
_RATE_LIMITS: Final = {
    "X-RateLimit-Limit": {"schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"schema": {"type": "integer"}},
}


def _reply(
    description: str, example: Any, headers: dict[str, Any] | None = None, ref: Any = _MESSAGE
) -> dict[str, Any]:
    return {
        "description": description,
        "headers": headers or {},
        "content": {"application/json": {"schema": ref, "example": example}},
    }


OPERATION: Final[dict[str, Any]] = {
    "summary": "Place a two-legged call",
    "description": (
        "Rings the agent, then the contact, and joins the two. 202 means that the call is durably"
        " stored. Follow it at the path in `Location`."
    ),
    "operationId": "place_two_legged_call",
    "tags": ["calls"],
    "security": [{"bearer": []}, {"basic": []}, {"query": []}, {}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": REQUEST, "examples": _EXAMPLES},
            "application/x-www-form-urlencoded": {"schema": REQUEST},
            "multipart/form-data": {"schema": REQUEST},
        },
    },
    "responses": {
        "202": _reply(
            "The call is stored and will be placed.",
            {"message": "Two-legged call established."},
            {"Location": {"schema": {"type": "string"}}, **_RATE_LIMITS},
        ),
        "401": _reply("The token is missing or unknown.", {"message": "Unauthenticated."}),
        "413": _reply("The body is too large.", {"message": "The body is too large."}),
        "422": _reply(
            "The request cannot become a call.",
            {
                "message": "The given data was invalid.",
                "errors": {"user_id": ["The user_id field is required."]},
            },
            ref={"$ref": "#/components/schemas/InvalidData"},
        ),
        "429": _reply(
            "The account is over its calls a second or its running calls.",
            {"message": "Too Many Attempts."},
            {
                "Retry-After": {"schema": {"type": "integer"}},
                "X-RateLimit-Reset": {"schema": {"type": "integer"}},
                **_RATE_LIMITS,
            },
        ),
        "503": _reply(
            "The database is away.",
            {"message": "Service Unavailable."},
            {"Retry-After": {"schema": {"type": "integer"}}},
        ),
    },
}
