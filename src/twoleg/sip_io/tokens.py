"""Random texts for Call-IDs, tags and branches."""

import secrets
from typing import Final

DRAWN: Final = 4096
"""Bytes of randomness that are drawn at once."""


class Tokens:
    """Gives random texts of the system's generator, which is asked for many at a time.

    Each text is given once. What is drawn must not be shared with a forked process.
    """

    __slots__ = ("_at", "_drawn", "_end")

    def __init__(self) -> None:
        self._drawn = ""
        self._at = self._end = 0

    def __call__(self, size: int) -> str:
        """Give a text of `size` bytes of randomness, two characters each."""
        start = self._at
        end = start + 2 * size
        if end > self._end:
            self._drawn = secrets.token_hex(max(DRAWN, size))
            start, end, self._end = 0, 2 * size, len(self._drawn)
        self._at = end
        return self._drawn[start:end]
