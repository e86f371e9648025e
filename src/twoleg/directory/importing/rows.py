"""What becomes of the rows of a file: those that cannot be stored, with the reason, and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

MAX_TEXT: Final = 2000
MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row that was not taken: `column` is what must be mended, `values` what the row has."""

    row: int
    """Counted from 1, without the header."""

    column: str
    message: str
    values: Mapping[Any, str] = field(default_factory=dict)


class Stored(NamedTuple):
    """How many things a batch made, changed, and found as they were; rows that it cannot store."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: Sequence[RefusedRow] = ()


class Refused(Exception):
    """A row cannot be taken because of `column`; `message` says what would do."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(column, message)
        self.column = column
        self.message = message


class CannotRead(Exception):
    """The whole file is of no use; `message` says why, and what would do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
