"""Contacts: the outside parties that are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

MAX_PHONE_NUMBERS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact: `phone_numbers` has every number, `phone_number` is the main one of them."""

    id: int
    account_id: int
    name: str | None
    phone_number: str
    time_zone: str | None
    language: str | None
    opted_out: bool
    attributes: Mapping[str, Any]
    created_at: datetime
    phone_numbers: Sequence[str]
