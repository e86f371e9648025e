"""Contacts: the outside parties that are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

MAX_PHONE_NUMBERS: Final = 20

# RFC 5646 2.1 in outline: a language, then script, region and variants.
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)


def is_language_tag(text: str) -> bool:
    """Tell whether `text` is a language tag, such as en or de-CH."""
    return _LANGUAGE.fullmatch(text) is not None


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
