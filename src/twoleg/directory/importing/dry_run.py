"""What a dry run remembers: its batches leave nothing behind that later ones could find."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final

from twoleg.directory.importing.rows import Stored

MAX_REMEMBERED: Final = 250_000
"""Names, of some 100 bytes each; what a longer file says again is counted as if it were new."""

Names = Callable[[Any], Sequence[Hashable]]
"""Gives of a row the name by which its thing is found, and behind it all that the thing gets."""


class DryRun:
    """The things of earlier batches, as their last rows had them."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._content_of: dict[int, int] = {}

    def take_again(self, rows: Iterable[Any]) -> tuple[list[Any], Stored]:
        """Count the rows of things that earlier batches had; return the others, and the counts."""
        others, changed, unchanged = [], 0, 0
        for row in rows:
            before = self._content_of.get(hash(self._names(row)[0]))
            if before is None:
                others.append(row)
                continue
            changed += before != _content(row)
            unchanged += before == _content(row)
            self.remember((row,))
        return others, Stored(changed=changed, unchanged=unchanged)

    def remember(self, rows: Iterable[Any]) -> None:
        """Have what `rows` stored be there for later batches."""
        for row in rows:
            for name in map(hash, self._names(row)):
                if name in self._content_of or len(self._content_of) < MAX_REMEMBERED:
                    self._content_of[name] = _content(row)


def _content(row: Any) -> int:
    return hash(tuple(repr(getattr(row, name)) for name in row.__slots__ if name != "row"))
