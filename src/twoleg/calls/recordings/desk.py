"""The recordings of one engine: begun, paused by the API, and put into the storage when over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self

import psycopg
import structlog

from twoleg.calls.background import background
from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.ports import MediaPort, RecordingObserver
from twoleg.calls.recordings.rows import (
    RECORDING_CHANNEL,
    begin_recordings,
    note_failure,
    pauses_wanted,
)
from twoleg.calls.recordings.shipping import SPOOL, ship_ended
from twoleg.media import Recorder, Recording
from twoleg.store import Database, StoreError
from twoleg.store.objects import Objects

SHIP_SECONDS: Final = 10.0
"""How often it is looked for recordings that engines of this machine left behind."""

CLOSE_SECONDS: Final = 2.0
"""How long the engine's end waits for its recordings to be put into the storage."""

log = structlog.get_logger(__name__)


class RecordingDesk:
    """Where an engine's calls are recorded. Made by `RecordingDesk.open`."""

    def __init__(
        self, database: Database, objects: Objects, spool: Path, recorder: Recorder
    ) -> None:
        self._database = database
        self._objects = objects
        self._spool = spool
        self._recorder = recorder
        self._running: dict[int, tuple[Recording, RecordingObserver]] = {}
        self._unwritten: set[int] = set()
        self._stopped: dict[int, str] = {}
        self._news = asyncio.Event()
        self._over = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Database, objects: Objects, data_dir: Path
    ) -> AsyncIterator[Self]:
        """Record until the block is left. Raises OSError where the directory cannot be made."""
        spool = data_dir / SPOOL
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with Recorder.open(spool) as recorder:
            desk = cls(database, objects, spool, recorder)
            async with background(
                stay_connected(database, desk._listen, "nobody tells of pauses"),
                stay_connected(database, desk._write, "recordings wait for the database"),
                desk._ship_again_and_again(),
            ):
                yield desk
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await desk._ship()

    @property
    def active(self) -> int:
        """Calls that are being recorded."""
        return len(self._running)

    @property
    def stopped(self) -> int:
        """Recordings that could not go on to their call's end."""
        return self._recorder.stopped

    def begin(
        self,
        call_id: int,
        account_id: int,
        agent: MediaPort | None,
        contact: MediaPort,
        observer: RecordingObserver,
    ) -> None:
        """Record a call from now on, the agent on the left."""

        def stopped(why: str) -> None:
            self._stopped[call_id] = why
            self._news.set()
            observer.recording_stopped(why)

        recording = self._recorder.record(call_id, account_id, agent, contact, stopped)
        self._running[call_id] = (recording, observer)
        self._unwritten.add(call_id)
        self._news.set()

    def use_agent(self, call_id: int, agent: MediaPort | None) -> None:
        """Have another agent on the left from now on; None: nobody."""
        running = self._running.get(call_id)
        if running is not None:
            running[0].use_left(agent)

    def end(self, call_id: int) -> None:
        """End a call's recording; it is put into the storage soon. Idempotent."""
        running = self._running.pop(call_id, None)
        if running is not None:
            recording, _ = running
            recording.end()
            recording.closed.add_done_callback(lambda _: self._over.set())
            self._recorder.flush_soon()

    async def _listen(self, connection: Connection) -> None:
        await connection.execute(f"LISTEN {RECORDING_CHANNEL}")
        # What was asked for while nobody listened is looked up.
        await self._follow(connection, list(self._running))
        async for said in connection.notifies():
            if said.payload.isdecimal() and int(said.payload) in self._running:
                async with self._database.connection() as other:
                    await self._follow(other, [int(said.payload)])

    async def _follow(self, connection: Connection, call_ids: list[int]) -> None:
        for call_id, pause in (await pauses_wanted(connection, call_ids)).items():
            running = self._running.get(call_id)
            if running is None:
                continue
            recording, observer = running
            if recording.pause() if pause else recording.resume():
                observer.recording_paused(paused=pause)

    async def _write(self, connection: Connection) -> None:
        """Write the rows of recordings that have begun, and why some stopped."""
        while True:
            await self._news.wait()
            self._news.clear()
            unwritten = list(self._unwritten)
            try:
                if unwritten:
                    await begin_recordings(connection, unwritten)
                    self._unwritten.difference_update(unwritten)
                for call_id, why in list(self._stopped.items()):
                    await note_failure(connection, call_id, why)
                    del self._stopped[call_id]
            except BaseException:
                self._news.set()
                raise

    async def _ship_again_and_again(self) -> None:
        while True:
            await self._ship()
            with suppress(TimeoutError):
                async with asyncio.timeout(SHIP_SECONDS):
                    await self._over.wait()
            self._over.clear()

    async def _ship(self) -> None:
        try:
            await ship_ended(self._database, self._objects, self._spool)
        except (OSError, psycopg.Error, StoreError) as error:
            log.warning("recordings wait on this machine", error=type(error).__name__)
