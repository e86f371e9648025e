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
    unless: Callable[[str], bool] | None = None,
) -> Callable[[str], T]:
    """Give a `parse` that keeps up to `most` values, which must be immutable.

    Contact and CSeq are the same in message after message, the Request-URI in every dialog. Texts
    longer than `max_length` are not worth their memory, nor are errors. `unless` tells of a text
    that it is nothing to remember.
    """

    def may_be_kept(text: str) -> bool:
        return len(text) <= max_length and not (unless is not None and unless(text))

    return _Read(parse, most, may_be_kept).__getitem__


class _Read(dict[str, T], Generic[T]):
    """What was read, by its text: what is found there calls no function of Python's."""

    def __init__(
        self, parse: Callable[[str], T], most: int, may_be_kept: Callable[[str], bool]
    ) -> None:
        self._parse = parse
        self._most = most
        self._may_be_kept = may_be_kept

    def __missing__(self, text: str) -> T:
        value = self._parse(text)
        if self._may_be_kept(text):
            if len(self) >= self._most:
                self.clear()  # what is in use is back soon
            self[text] = value
        return value
