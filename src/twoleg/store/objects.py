"""Where recordings lie: a directory, or an S3-compatible store."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

CHUNK_BYTES: Final = 256 * 1024
"""What is read in one go when an object is streamed."""

REQUEST_SECONDS: Final = 30
RETRY_SECONDS: Final = 20


class ObjectMissing(Exception):
    """There is no object of this key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class ObjectsUnavailable(Exception):
    """The storage did not do what was asked; it may later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSettings:
    """Where objects lie: a directory, or the bucket of `s3://BUCKET/PREFIX`.

    Without a key pair the usual AWS variables, or the machine's role, give it. `endpoint` is the
    URL of a store that is not Amazon's.
    """

    directory: Path
    url: str | None = None
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)


class Objects:
    """Files by key. Every method but `open` may raise ObjectsUnavailable."""

    def __init__(self, store: S3Store | None, directory: Path | None) -> None:
        self._opened: LocalStore | S3Store | None = store
        self._directory = directory

    @classmethod
    def open(cls, settings: ObjectSettings) -> Self:
        """Return the storage; nothing is asked of it yet, and a directory is made when needed."""
        if settings.url is None:
            return cls(None, settings.directory)
        parts = urlsplit(settings.url)
        store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config={
                name: value
                for name, value in (
                    ("endpoint", settings.endpoint),
                    ("region", settings.region),
                    ("access_key_id", settings.access_key),
                    ("secret_access_key", settings.secret_key),
                )
                if value is not None
            },  # type: ignore[arg-type]  # TypedDict of what is given
            client_options={
                "allow_http": (settings.endpoint or "").startswith("http://"),
                "timeout": timedelta(seconds=REQUEST_SECONDS),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
        )
        return cls(store, None)

    @property
    def _store(self) -> LocalStore | S3Store:
        if self._opened is None:
            assert self._directory is not None
            try:
                self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._opened = LocalStore(self._directory)
            except (OSError, BaseError) as error:
                raise ObjectsUnavailable(str(error)) from error
        return self._opened

    async def adopt(self, path: Path, key: str) -> None:
        """Make a file of this machine the object `key`; the file is gone then. Raises OSError.

        In a directory it is a rename, where both are on one file system.
        """
        if self._directory is not None:
            await asyncio.to_thread(_move, path, self._directory, key)
            return
        try:
            await obstore.put_async(self._store, key, path)
        except BaseError as error:
            raise _unavailable(error) from error
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def fetch(self, key: str, path: Path) -> None:
        """Copy an object into a file. Raises ObjectMissing, OSError."""
        try:
            got = await obstore.get_async(self._store, key)
            with path.open("wb") as file:
                async for chunk in got.stream(min_chunk_size=CHUNK_BYTES):
                    await asyncio.to_thread(file.write, chunk)
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissing(key) from error
        except BaseError as error:
            raise _unavailable(error) from error

    async def size(self, key: str) -> int:
        """Return an object's bytes. Raises ObjectMissing."""
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissing(key) from error
        except BaseError as error:
            raise _unavailable(error) from error

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Give the bytes from `start` up to but not `end`. Raises ObjectMissing."""
        while start < end:
            until = min(end, start + CHUNK_BYTES)
            try:
                chunk = await obstore.get_range_async(self._store, key, start=start, end=until)
            except (NotFoundError, FileNotFoundError) as error:
                raise ObjectMissing(key) from error
            except BaseError as error:
                raise _unavailable(error) from error
            yield bytes(chunk)
            start = until

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is removed already."""
        try:
            await obstore.delete_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise _unavailable(error) from error


def _move(path: Path, directory: Path, key: str) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    to = directory / key
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        path.replace(to)
    except OSError:
        # Another file system: what is there under the name is always whole.
        beside = to.with_name(to.name + ".part")
        shutil.copyfile(path, beside)
        beside.replace(to)
        path.unlink()


def _unavailable(error: BaseError) -> ObjectsUnavailable:
    # The store's own words hold the request, never the keys; its first line says enough.
    return ObjectsUnavailable(str(error).partition("\n")[0][:300])
