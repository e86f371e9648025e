"""A PostgreSQL that runs in a data directory, as its `postmaster.pid` tells of it."""

from __future__ import annotations

import os
import select
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

SUPERUSER: Final = "postgres"
# Lines of postmaster.pid: pid, data directory, start time, port, socket directory, ...
_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server."""

    pid: int
    port: int
    socket_directory: Path

    @classmethod
    def find(cls, cluster: Path) -> Self | None:
        """Return the server that runs in `cluster`, if one does.

        The file outlives a server that was killed, and its pid may be another program's by now:
        only a socket that takes a connection proves that the server is there.
        """
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        if len(lines) < _LINES or not lines[4]:
            return None
        postmaster = cls(int(lines[0]), int(lines[3]), Path(lines[4]))
        return postmaster if postmaster._takes_connections() else None

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={host}&port={self.port}"

    def wait_for_end(self, seconds: float) -> None:
        """Wait until its process has ended, where the system tells (Linux).

        `pg_ctl stop` only waits for the removal of `postmaster.pid`, which the process outlives.
        """
        if not hasattr(os, "pidfd_open"):
            return
        try:
            process = os.pidfd_open(self.pid)
        except OSError:
            return
        try:
            ending = select.poll()
            ending.register(process, select.POLLIN)
            ending.poll(1000 * seconds)
        finally:
            os.close(process)

    def _takes_connections(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.socket_directory / f".s.PGSQL.{self.port}"))
            except OSError:
                return False
        return True
