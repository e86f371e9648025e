"""What an importer reads: rows that can be stored, and rows that cannot, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

MAX_TEXT: Final = 2000
MAX_EXTERNAL_ID: Final = 255
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2099


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedAppointment:
    """One appointment as another system has it; `wall_starts_at` is naive."""

    row: int
    """Counted from 1, without the header."""

    phone_number: str
    name: str | None
    language: str | None = None
    wall_starts_at: datetime
    time_zone: str
    starts_at: datetime
    duration_minutes: int | None = None
    place: str | None = None
    staff: str | None = None
    notes: str | None = None
    external_id: str | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row that was not taken: `column` is what must be mended, `values` what the row has."""

    row: int
    column: str
    message: str
    values: Mapping[Any, str] = field(default_factory=dict)


class CannotRead(Exception):
    """The whole file is of no use; `message` says why, and what would do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
