"""Why the directory refuses: each carries the field that a client must mend."""

from __future__ import annotations


class DirectoryError(Exception):
    """The directory cannot do what was asked."""


class NotFound(DirectoryError):
    """The account has no such thing; another account's things are not found either."""

    def __init__(self, kind: str, id_: int) -> None:
        super().__init__(kind, id_)
        self.kind = kind
        self.id = id_


class Invalid(DirectoryError):
    """The value of `field` cannot be stored; `message` says why and what would do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message


class Conflict(Invalid):
    """The value of `field` must be unique, and is taken."""
