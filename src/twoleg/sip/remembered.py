"""Texts that come again and again, read once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

REMEMBERED: Final = 4096
MAX_REMEMBERED_LENGTH: Final = 256


def remembered(
    parse: Callable[[str], T],
    most: int = REMEMBERED,
    max_length: int = MAX_REMEMBERED_LENGTH,
) -> Callable[[str], T]:
    """Give a `parse` that keeps up to `most` values, which must be immutable.

    Contact and CSeq are the same in message after message, the Request-URI in every dialog. Texts
    longer than `max_length` are not worth their memory, nor are errors.
    """
    return _Read(parse, most, max_length).__getitem__


class _Read(dict[str, T], Generic[T]):
    """What was read, by its text: what is found there calls no function of Python's."""

    def __init__(self, parse: Callable[[str], T], most: int, max_length: int) -> None:
        self._parse = parse
        self._most = most
        self._max_length = max_length

    def __missing__(self, text: str) -> T:
        value = self._parse(text)
        if len(text) <= self._max_length:
            if len(self) >= self._most:
                self.clear()  # what is in use is back soon
            self[text] = value
        return value
