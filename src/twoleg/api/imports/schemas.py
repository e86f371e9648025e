"""The shapes of imports in requests and replies."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query

from twoleg.api.errors import FieldErrors
from twoleg.api.values import Output, Time

ColumnsJson = Annotated[
    str | None,
    Query(
        max_length=8192,
        description="Headers of a CSV file and what they hold, as JSON; headers that are left out"
        ' are known by their names. Example: {"Rufnummer": "phone_number", "Wann": "starts_at"}',
    ),
]


def columns_of(text: str | None, known: type[StrEnum]) -> dict[str, str]:
    """Read the `columns` of a query, which are of those `known`. Raises FieldErrors."""
    if text is None:
        return {}
    try:
        columns = json.loads(text)
        return {str(header): known(column) for header, column in columns.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        listed = ", ".join(known)
        message = f"The columns must be a JSON object of headers, each with one of: {listed}."
        raise FieldErrors({"columns": [message]}) from error


class Import(Output):
    """An import: `progress` goes from 0 to 1; a dry run counts, and stores nothing."""

    id: int
    kind: str
    state: str
    dry_run: bool
    progress: float
    rows_read: int
    rows_created: int
    rows_changed: int
    rows_unchanged: int
    rows_refused: int
    failure: str | None
    created_at: Time
    ended_at: Time | None


class RefusedRow(Output):
    """A row that was not taken; `column` is what must be mended."""

    id: int
    row: int
    column: str
    message: str
    values: dict[str, Any]
