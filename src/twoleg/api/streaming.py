"""Audio as an HTTP reply: all of it, or the part that a Range asks for (RFC 9110 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response, StreamingResponse

from twoleg.api.errors import reply
from twoleg.store.objects import Objects

_UNIT: Final = "bytes="
_MAX_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from `start` up to but not `end`."""

    start: int
    end: int


class UnsatisfiableRange(Exception):
    """What is asked for begins behind the end."""


def part_of(header: str | None, size: int) -> Part | None:
    """Read a Range of one part; None: the whole is wanted, or the header is of no use.

    Raises UnsatisfiableRange.
    """
    if header is None or not header.startswith(_UNIT):
        return None
    first, dash, last = header.removeprefix(_UNIT).strip().partition("-")
    if not dash or not all(
        text == "" or (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS)
        for text in (first, last)
    ):
        return None
    if first == "":
        if last == "":
            return None
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if last == "" else min(size, int(last) + 1)
        if last != "" and int(last) < int(first):
            return None
    if start >= size or start >= end:
        raise UnsatisfiableRange
    return Part(start, end)


async def stream(
    objects: Objects, key: str, wanted: str | None, *, media_type: str, name: str
) -> Response:
    """Reply with an object; `wanted` is the Range header, `name` what it may be saved as.

    Raises ObjectMissing, ObjectsUnavailable.
    """
    size = await objects.size(key)
    try:
        part = part_of(wanted, size)
    except UnsatisfiableRange:
        return _unsatisfiable(size)
    status, whole, headers = _opened(part, size, name)
    headers["Content-Length"] = str(whole.end - whole.start)
    return StreamingResponse(objects.read(key, whole.start, whole.end), status, headers, media_type)


def at_hand(data: bytes, wanted: str | None, *, media_type: str, name: str) -> Response:
    """Reply with bytes, as `stream` does with an object."""
    try:
        part = part_of(wanted, len(data))
    except UnsatisfiableRange:
        return _unsatisfiable(len(data))
    status, whole, headers = _opened(part, len(data), name)
    return Response(data[whole.start : whole.end], status, headers, media_type)


def _opened(part: Part | None, size: int, name: str) -> tuple[int, Part, dict[str, str]]:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    if part is None:
        return 200, Part(0, size), headers
    headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    return 206, part, headers


def _unsatisfiable(size: int) -> Response:
    return reply(416, "Range Not Satisfiable.", {"Content-Range": f"bytes */{size}"})
