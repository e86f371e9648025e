"""Where a request carries its token: query, body, Bearer, then the password of Basic."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

from twoleg.calls.requests import present

TOKEN_FIELD: Final = "api_token"  # noqa: S105  the name of the field
# Longer than any token that we ever make.
MAX_TOKEN_LENGTH: Final = 256


def token_of(query: Mapping[str, Any], body: Mapping[str, Any], authorization: bytes) -> str | None:
    """Return the first token that is there, wherever a client may put it."""
    for token in _tokens(query, body, authorization):
        if token is None or token == "":
            continue
        if isinstance(token, str) and len(token) <= MAX_TOKEN_LENGTH:
            return token
        return None
    return None


def authorization_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the Authorization header of an ASGI scope, empty where there is none."""
    return next((value for name, value in headers if name == b"authorization"), b"")


def _tokens(
    query: Mapping[str, Any], body: Mapping[str, Any], authorization: bytes
) -> Iterable[Any]:
    yield present(query, TOKEN_FIELD)
    yield present(body, TOKEN_FIELD)
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        yield rest.strip().decode("latin-1")
    elif scheme.lower() == b"basic":
        yield _basic_password(rest)


def _basic_password(encoded: bytes) -> str | None:
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(b":")[2].decode("latin-1")
