"""CSV (RFC 4180) that a spreadsheet shows, and never runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

_RUNS: Final = frozenset("=+-@")
"""A spreadsheet takes what begins so for a formula."""

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def csv_line(values: Iterable[Any]) -> str:
    """Return one line, its end included. Times are written in UTC, what is None as nothing."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(timespec="seconds")
        at = value.astimezone(UTC).isoformat(timespec="seconds")
        return at.replace("+00:00", "Z")
    return _harmless(value) if isinstance(value, str) else str(value)


def _harmless(text: str) -> str:
    """Return `text`, with an apostrophe before what would be a formula; a number is none."""
    begins = text.lstrip()[:1]
    if begins in _RUNS and begins and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
