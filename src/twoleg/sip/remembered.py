"""Texts that come again and again, read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

T = TypeVar("T")

REMEMBERED: Final = 4096
MAX_REMEMBERED_LENGTH: Final = 256


def remembered(
    parse: Callable[[str], T],
    most: int = REMEMBERED,
    max_length: int = MAX_REMEMBERED_LENGTH,
) -> Callable[[str], T]:
    """Give a `parse` that keeps the last `most` values, which must be immutable.

    Contact and CSeq are the same in message after message, the Request-URI in every dialog. Texts
    longer than `max_length` are not worth their memory, nor are errors.
    """
    recall = lru_cache(most)(parse)

    def read(text: str) -> T:
        return recall(text) if len(text) <= max_length else parse(text)

    return read
