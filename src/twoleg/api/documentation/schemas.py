"""The OpenAPI description: what FastAPI finds, and what the plain ASGI route says by hand."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from twoleg.api.calls.schemas import PlaceCall
from twoleg.api.prompts.schemas import NewPrompt, PromptChange
from twoleg.api.two_legged_call import schemas as two_legged_call
from twoleg.api.two_legged_call.routes import PATH

OPENAPI_VERSION: Final = "3.1.0"
DESCRIPTION: Final = """\
Places two-legged calls: rings an agent, then the contact, and joins the two.

Give the token as `api_token` in the query string or the body, as `Authorization: Bearer`, or as
the password of HTTP Basic. Errors are JSON: `message`, and `errors` by field where there are any.
"""
_MESSAGE: Final = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"type": "string"}},
}
_INVALID_DATA: Final = {
    "type": "object",
    "required": ["message", "errors"],
    "properties": {
        "message": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "reason": {"type": "string", "description": "The rule that refuses the call, as a word."},
    },
    "examples": [
        {
            "message": "The given data was invalid.",
            "errors": {"name": ["The name field is required."]},
        }
    ],
}
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "The token is the password."},
    "query": {"type": "apiKey", "in": "query", "name": "api_token"},
}
_WITHOUT_TOKEN: Final = ("health", "links")
_ERRORS: Final = {
    "401": "The token is missing or unknown.",
    "403": "The token lacks the scope.",
    "404": "There is no such thing in the account.",
    "503": "The database is away.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description of `app`."""
    spec = get_openapi(
        title="twoleg",
        version=app.version,
        openapi_version=OPENAPI_VERSION,
        description=DESCRIPTION,
        routes=app.routes,
    )
    components = spec.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {"Message": _MESSAGE, "InvalidData": _INVALID_DATA, **_read_by_hand()}
    components["securitySchemes"] = _SECURITY
    for path in spec["paths"].values():
        for operation in path.values():
            _complete(operation)
    spec["paths"][PATH] = {"post": two_legged_call.OPERATION}
    return spec


def _read_by_hand() -> dict[str, Any]:
    """Describe the bodies that FastAPI does not read: their routes do."""
    described: dict[str, Any] = {}
    for shape in (PlaceCall, NewPrompt, PromptChange):
        schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        described |= {**schema.pop("$defs", {}), shape.__name__: schema}
    return described


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "422" in responses:
        responses["422"] = _error("The request is invalid.", "InvalidData")
    if set(operation.get("tags", ())) & set(_WITHOUT_TOKEN):
        return
    operation["security"] = [{name: []} for name in _SECURITY]
    for status, text in _ERRORS.items():
        responses.setdefault(status, _error(text, "Message"))


def _error(description: str, schema: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}
