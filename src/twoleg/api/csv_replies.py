"""Replies that are CSV files: for programs that ask by Accept, and for people who follow a link."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from fastapi import Request
from starlette.responses import StreamingResponse

CSV: Final = "text/csv"
BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else; programs do not want it."""

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {CSV: {"schema": {"type": "string"}}}}
}


def wants_csv(request: Request) -> bool:
    """Tell whether a request's Accept names CSV."""
    named = request.headers.get("accept", "").lower().split(",")
    return any(each.partition(";")[0].strip() == CSV for each in named)


async def csv_reply(
    lines: AsyncIterator[str] | Iterable[str], name: str, *, marked: bool
) -> StreamingResponse:
    """Reply with `lines` as they come, to be saved as `name`; `marked`: for a spreadsheet.

    What keeps the first line from being there is raised before anything is sent.
    """
    every = lines if isinstance(lines, AsyncIterator) else _slowly(lines)
    first = await anext(every)
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{name}.csv"',
    }
    mark = BYTE_ORDER_MARK if marked else ""
    return StreamingResponse(_behind(mark + first, every), 200, headers, CSV)


async def _slowly(lines: Iterable[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line


async def _behind(first: str, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for line in lines:
        yield line
