"""What can be wrong with the database, in exceptions that say how to mend it."""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """Something is wrong with the database or its directory."""


class DataDirectoryInUse(StoreError):
    """Another process keeps the data directory; `pid` where it could be read."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"The data directory {path} is in use by {holder}.")
        self.path = path
        self.pid = pid


class NotOurDataDirectory(StoreError):
    """The directory holds something else; nothing was written to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not a data directory of twoleg: it holds other files."
            " Name an empty or a new directory."
        )
        self.path = path


class EmbeddedServerFailed(StoreError):
    """The embedded PostgreSQL did not start; `log` holds its last lines."""

    def __init__(self, path: Path, log: str) -> None:
        super().__init__(f"PostgreSQL did not start in {path}:\n{log}")
        self.path = path
        self.log = log


class EmbeddedServerNotRunning(StoreError):
    """No server runs in the data directory, so that there is nothing to join."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"No PostgreSQL runs in {path}.")
        self.path = path


class SchemaTooOld(StoreError):
    """The database is of an older version (`found` is None where it is empty)."""

    def __init__(self, found: str | None, wanted: str) -> None:
        state = "has no tables yet" if found is None else f"is at version {found}"
        super().__init__(
            f"The database {state}; this twoleg needs version {wanted}. Run `twoleg db upgrade`."
        )
        self.found = found
        self.wanted = wanted


class SchemaTooNew(StoreError):
    """A newer twoleg upgraded the database."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(
            f"The database is at version {found}, which this twoleg does not know (it knows up"
            f" to {wanted}). Install the newer twoleg on this machine too."
        )
        self.found = found
        self.wanted = wanted


class DatabaseUnavailable(StoreError, ConnectionError):
    """The database cannot be reached or cannot serve now; trying again later may do."""
