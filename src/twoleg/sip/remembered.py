"""Texts that come again and again, read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

T = TypeVar("T")

REMEMBERED: Final = 4096
MAX_REMEMBERED_LENGTH: Final = 256


def remembered(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Give a `parse` that keeps the last REMEMBERED values, which must be immutable.

    From, To and Contact are the same in every message of a dialog, CSeq and Request-URI in every
    dialog. Texts longer than MAX_REMEMBERED_LENGTH are not worth their memory, nor are errors.
    """
    recall = lru_cache(REMEMBERED)(parse)

    def read(text: str) -> T:
        return recall(text) if len(text) <= MAX_REMEMBERED_LENGTH else parse(text)

    return read
