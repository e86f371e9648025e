"""Recording calls while they go on: received packets are kept as they are, and written in batches.

Per packet nothing is done but to append it to a buffer. One thread writes what all recordings have
gathered, so that a slow disk holds no call up; how much may be gathered is bounded.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self

from twoleg.media.codec import Codec
from twoleg.media.incoming import AudioTrack
from twoleg.media.raw_recording import (
    MAX_TICKS,
    RECORD,
    TICKS_PER_SECOND,
    Kind,
    RawHeader,
)

FLUSH_SECONDS: Final = 1.0
"""What is lost at most when the engine is killed."""

MAX_GATHERED_BYTES: Final = 256 * 1024
"""What a recording keeps for a slow disk: some 15 s of both sides."""

RAW_SUFFIX: Final = ".raw"

TOO_SLOW: Final = "the disk was too slow"
TOO_LONG: Final = "the recording was too long"

_pack = RECORD.pack


class Recordable(Protocol):
    """Where audio comes in; `MediaPort` is one."""

    def record(self, track: AudioTrack | None) -> None: ...


class Track:
    """One side of a recording; the media plane gives it every audio packet that comes."""

    __slots__ = ("_codec", "_kind", "_recording")

    def __init__(self, recording: "Recording", kind: int) -> None:
        self._recording = recording
        self._kind = kind
        self._codec = 0

    def use(self, codec: Codec) -> None:
        """Take the packets that follow as of this codec."""
        self._codec = codec.payload_type

    def take(self, payload: bytes | bytearray | memoryview, timestamp: int, now: float) -> None:
        """Keep a packet that came at `now` (monotonic seconds)."""
        recording = self._recording
        gathered = recording.gathered
        arrival = int((now - recording.origin) * TICKS_PER_SECOND)
        gathered += _pack(self._kind, self._codec, len(payload), arrival, timestamp)
        gathered += payload
        if len(gathered) > MAX_GATHERED_BYTES:
            recording.stop(TOO_SLOW)


class Recording:
    """One call's recording. Made by `Recorder.record`; `end` it once."""

    __slots__ = (
        "_left",
        "_on_stopped",
        "_paused_at",
        "_right",
        "_tracks",
        "closed",
        "ended",
        "failure",
        "file",
        "gathered",
        "origin",
    )

    def __init__(
        self,
        header: RawHeader,
        path: Path,
        left: Recordable | None,
        right: Recordable,
        on_stopped: Callable[[str], None],
    ) -> None:
        self.gathered = bytearray(header.to_bytes())
        self.file = _RawFile(path)
        self.origin = time.monotonic()
        self.ended = False
        self.failure: str | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._on_stopped = on_stopped
        self._left = left
        self._right = right
        self._tracks = (Track(self, int(Kind.LEFT)), Track(self, int(Kind.RIGHT)))
        self._paused_at: float | None = None
        self._attach()

    @property
    def paused(self) -> bool:
        return self._paused_at is not None

    @property
    def seconds(self) -> float:
        """How long it lasts by now, without its pauses."""
        until = time.monotonic() if self._paused_at is None else self._paused_at
        return until - self.origin

    def pause(self) -> bool:
        """Keep nothing from now on; False if it is paused or over already."""
        if self.ended or self._paused_at is not None:
            return False
        self._paused_at = time.monotonic()
        self._detach()
        return True

    def resume(self) -> bool:
        """Go on where it was paused, as if nothing had been between; False if it was not paused."""
        if self.ended or self._paused_at is None:
            return False
        self.origin += time.monotonic() - self._paused_at
        self._paused_at = None
        self._mark(Kind.RESUMED)
        self._attach()
        return True

    def end(self) -> None:
        """Keep nothing any more; the file is closed soon. Idempotent."""
        if not self.ended:
            self._detach()
            self._mark(Kind.END)
            self.ended = True

    def stop(self, failure: str) -> None:
        """End it before the call does, since it cannot go on; what was written stays."""
        if not self.ended:
            self._detach()
            self.ended = True
            self.failure = failure
            self._on_stopped(failure)

    def tick(self) -> None:
        """Note that time goes on; ends what is longer than any call."""
        self._mark(Kind.TIME)
        if self.seconds * TICKS_PER_SECOND >= MAX_TICKS:
            self.stop(TOO_LONG)

    def _mark(self, kind: Kind) -> None:
        arrival = min(int(self.seconds * TICKS_PER_SECOND), MAX_TICKS)
        self.gathered += RECORD.pack(kind, 0, 0, arrival, 0)

    def use_left(self, left: Recordable | None) -> None:
        """Have another far end on the left from now on; None: nobody."""
        if self._left is not None:
            self._left.record(None)
        self._left = left
        if left is not None and not self.ended and not self.paused:
            left.record(self._tracks[0])

    def _attach(self) -> None:
        if self._left is not None:
            self._left.record(self._tracks[0])
        self._right.record(self._tracks[1])

    def _detach(self) -> None:
        if self._left is not None:
            self._left.record(None)
        self._right.record(None)


class _RawFile:
    """The file of one recording, as the writing thread sees it.

    It is locked as long as its engine lives and writes: whoever can lock it knows that it is over.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def write(self, data: bytes | bytearray) -> None:
        """Append all of it. Raises OSError."""
        if self._descriptor < 0:
            # It gets the name by which others look for it once it is locked.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            unnamed = self.path.with_suffix(".new")
            self._descriptor = os.open(unnamed, flags, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(self.path)
        with memoryview(data) as rest:
            done = 0
            while done < len(rest):
                done += os.write(self._descriptor, rest[done:])

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


@dataclass(slots=True)
class _Batch:
    """What is written in one go; the thread notes what failed."""

    parts: list[tuple[Recording, bytearray, bool]]
    failures: dict[Recording, str] = field(default_factory=dict)

    def write(self) -> None:
        for recording, data, is_last in self.parts:
            try:
                if data:
                    recording.file.write(data)
                if is_last:
                    recording.file.close()
            except OSError as error:
                self.failures[recording] = os.strerror(error.errno or 0)
                with suppress(OSError):
                    recording.file.close()


class Recorder:
    """All recordings of one engine. Made by `Recorder.open`."""

    def __init__(self, directory: Path, flush_seconds: float) -> None:
        self._directory = directory
        self._flush_seconds = flush_seconds
        self._recordings: set[Recording] = set()
        self._due = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, "recorder")
        self.stopped = 0
        """Recordings that could not go on."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, directory: Path, *, flush_seconds: float = FLUSH_SECONDS
    ) -> AsyncIterator[Self]:
        """Write raw files into a directory, which is there, until the block is left."""
        recorder = cls(directory, flush_seconds)
        writing = asyncio.create_task(recorder._write())
        try:
            yield recorder
        finally:
            for recording in recorder._recordings:
                recording.end()
            recorder._closing = True
            recorder.flush_soon()
            await writing
            recorder._thread.shutdown()

    @property
    def active(self) -> int:
        """Recordings that are not closed yet."""
        return len(self._recordings)

    def record(
        self,
        call_id: int,
        account_id: int,
        left: Recordable | None,
        right: Recordable,
        on_stopped: Callable[[str], None],
    ) -> Recording:
        """Record what comes from two far ends from now on.

        `on_stopped` is told, once, why a recording ended before its `end`: the disk is full, or too
        slow, or the file cannot be made. A call that is placed anew by the same number gets a file
        of its own.
        """
        header = RawHeader(call_id, account_id, time.time())
        path = self._directory / f"{call_id}-{time.time_ns():x}{RAW_SUFFIX}"
        recording = Recording(header, path, left, right, on_stopped)
        self._recordings.add(recording)
        return recording

    def flush_soon(self) -> None:
        """Write without waiting for the next turn: a recording has ended."""
        self._due.set()

    async def _write(self) -> None:
        while not self._closing:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._flush_seconds):
                    await self._due.wait()
            self._due.clear()
            await self._flush()
        await self._flush()

    async def _flush(self) -> None:
        batch = _Batch([])
        for recording in self._recordings:
            if not recording.ended and not recording.paused:
                recording.tick()
            batch.parts.append((recording, recording.gathered, recording.ended))
            recording.gathered = bytearray()
        if not batch.parts:
            return
        await asyncio.get_running_loop().run_in_executor(self._thread, batch.write)
        for recording, failure in batch.failures.items():
            self.stopped += not recording.ended
            recording.failure = recording.failure or failure
            recording.stop(failure)
        for recording, _, is_last in batch.parts:
            if is_last or recording in batch.failures:
                self._recordings.discard(recording)
                if not recording.closed.done():
                    recording.closed.set_result(None)
