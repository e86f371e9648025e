"""Lines: the account's own phone numbers, and over which trunks each dials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

MAX_TRUNKS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line: `country` is where numbers without a "+" are dialled; trunks in their order."""

    id: int
    account_id: int
    phone_number: str
    name: str | None
    country: str
    created_at: datetime
    trunk_ids: Sequence[int]
