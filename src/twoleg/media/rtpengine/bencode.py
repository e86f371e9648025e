"""Bencode, in which rtpengine's NG protocol writes its messages. Pure.

Numbers, byte strings, lists, and dictionaries, whose keys rtpengine does not sort.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Encodable: TypeAlias = bytes | str | int | Sequence["Encodable"] | Mapping[str, "Encodable"]
Decoded: TypeAlias = bytes | int | list["Decoded"] | dict[str, "Decoded"]

MAX_DEPTH: Final = 32
"""What rtpengine says of a call is nested ten deep."""

MAX_DIGITS: Final = 20
"""A number of 64 bits has no more, with its sign."""


class MalformedBencode(Exception):
    """What came is not bencode, or is nested more deeply than anything that rtpengine sends."""


def encode(value: Encodable) -> bytes:
    """Write a value; text as UTF-8."""
    parts: list[bytes] = []
    _append(parts, value)
    return b"".join(parts)


def _append(parts: list[bytes], value: Encodable) -> None:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        parts += (b"%d:" % len(value), value)
    elif isinstance(value, int):
        parts.append(b"i%de" % value)
    elif isinstance(value, Mapping):
        parts.append(b"d")
        for key, item in value.items():
            _append(parts, key)
            _append(parts, item)
        parts.append(b"e")
    else:
        parts.append(b"l")
        for item in value:
            _append(parts, item)
        parts.append(b"e")


def decode(data: bytes) -> Decoded:
    """Read one value, which fills the data; keys are UTF-8. Raises MalformedBencode."""
    reader = _Reader(data)
    value = reader.value(MAX_DEPTH)
    if reader.at != len(data):
        raise MalformedBencode("something follows the value")
    return value


class _Reader:
    """Reads from where it stands."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> Decoded:
        if depth == 0:
            raise MalformedBencode("nested too deeply")
        kind = self._data[self.at : self.at + 1]
        if kind == b"i":
            self.at += 1
            return self._number(b"e")
        if kind == b"l":
            self.at += 1
            return self._list(depth - 1)
        if kind == b"d":
            self.at += 1
            return self._dictionary(depth - 1)
        return self._string()

    def _list(self, depth: int) -> list[Decoded]:
        items = []
        while not self._ended():
            items.append(self.value(depth))
        return items

    def _dictionary(self, depth: int) -> dict[str, Decoded]:
        items = {}
        while not self._ended():
            key = self._string().decode("utf-8", "replace")
            items[key] = self.value(depth)
        return items

    def _ended(self) -> bool:
        if self._data[self.at : self.at + 1] != b"e":
            return False
        self.at += 1
        return True

    def _string(self) -> bytes:
        length = self._number(b":")
        end = self.at + length
        if length < 0 or end > len(self._data):
            raise MalformedBencode("a string is longer than the data")
        string = self._data[self.at : end]
        self.at = end
        return string

    def _number(self, end: bytes) -> int:
        stop = self._data.find(end, self.at, self.at + MAX_DIGITS + 1)
        digits = self._data[self.at : stop]
        if stop < 0 or not digits.removeprefix(b"-").isdigit():
            raise MalformedBencode("a number was expected")
        self.at = stop + 1
        return int(digits)
