"""What an importer reads: rows that can be stored, and rows that cannot, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

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
