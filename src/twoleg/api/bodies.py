"""Request bodies: bounded in size, and read as Laravel reads them where the contract needs that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 1024 * 1024
# An oversized body is read away so far, that the client comes to read the reply.
MAX_DISCARDED_BYTES: Final = 64 * 1024 * 1024
DISCARD_TIMEOUT_SECONDS: Final = 10.0
MAX_FORM_FIELDS: Final = 1000
TOO_LARGE: Final = f"The body is larger than {MAX_BODY_BYTES} bytes."
_FORM: Final = b"application/x-www-form-urlencoded"
_MULTIPART: Final = b"multipart/form-data"


def _no_constant(name: str) -> None:
    raise ValueError(name)


# Made once: json.loads makes one for each body where NaN is to be refused.
_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


class BodyTooLarge(HTTPException):
    """The body is over `limit` bytes; what was read of it is gone."""

    def __init__(self, limit: int = MAX_BODY_BYTES) -> None:
        super().__init__(413, f"The body is larger than {limit} bytes.", {"Connection": "close"})


class BodyLimit:
    """ASGI middleware: a route never receives more than MAX_BODY_BYTES of body.

    `uploads` are paths, with those below them, that take files, and how large ones.
    """

    def __init__(self, app: ASGIApp, uploads: Mapping[str, int]) -> None:
        self._app = app
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0
        limit = self._limit(scope)

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                await _discard(receive, message)
                raise BodyTooLarge(limit)
            return message

        await self._app(scope, limited, send)

    def _limit(self, scope: Scope) -> int:
        path = scope["path"]
        for upload, limit in self._uploads.items():
            if path == upload or path.startswith(f"{upload}/"):
                return MAX_BODY_BYTES if _is_json(scope) else limit
        return MAX_BODY_BYTES


def _is_json(scope: Scope) -> bool:
    kind: bytes = dict(scope["headers"]).get(b"content-type", b"")
    return kind.partition(b";")[0].strip().lower().endswith((b"/json", b"+json"))


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body; None once the client has gone. Raises BodyTooLarge."""
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        return body
    parts = []
    received = 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        received += len(parts[-1])
        if received > MAX_BODY_BYTES:
            await _discard(receive, message)
            raise BodyTooLarge
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    return None


async def _discard(receive: Receive, message: Message) -> None:
    discarded = 0
    try:
        async with asyncio.timeout(DISCARD_TIMEOUT_SECONDS):
            while message.get("more_body") and discarded < MAX_DISCARDED_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
    except TimeoutError:
        pass


def fields_of(content_type: bytes, body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON or form body; one that is neither has none."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind.endswith((b"/json", b"+json")):
        return _json_fields(body)
    if kind == _FORM:
        return query_fields(body)
    if kind == _MULTIPART:
        return _multipart_fields(content_type, body)
    return {}


def _json_fields(body: bytes) -> dict[str, Any]:
    try:
        fields = _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def query_fields(text: bytes) -> dict[str, Any]:
    """Return the fields of a query string or urlencoded form; the last of a name counts."""
    try:
        # Text, not bytes: of bytes parse_qsl takes ASCII only, also of what is escaped.
        return dict(parse_qsl(_text(text), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS))
    except ValueError:
        return {}


def _text(form: bytes) -> str:
    """Read what a form holds; a field in another encoding than UTF-8 spoils no other."""
    return form.decode(errors="replace")


def _multipart_fields(content_type: bytes, body: bytes) -> dict[str, Any]:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        return {}
    reader = _FieldReader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError):
        return {}
    return {_text(name): _text(value) for name, value in reader.fields.items()}


class _FieldReader:
    """Collects the plain fields of a multipart body; files are passed over."""

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._data = bytearray()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_part_data": lambda data, start, end: self._data.extend(data[start:end]),
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._headers = {}
        self._data = bytearray()

    def _header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        options = parse_options_header(disposition)[1]
        name = options.get(b"name")
        if name is None or b"filename" in options:
            return
        if len(self.fields) >= MAX_FORM_FIELDS:
            raise FormParserError("too many fields")
        self.fields[name] = bytes(self._data)
