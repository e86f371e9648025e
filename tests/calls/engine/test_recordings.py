"""Recordings from an engine's disk to what can be heard, whatever dies in between."""

import asyncio
import fcntl
import io
import os
import wave
from array import array

import pytest
from waiting import until

from twoleg.calls.recordings import (
    SPOOL,
    RecordingDesk,
    delete_recording,
    finalise_recordings,
    finalising,
    find_recording,
    remove_old_recordings,
    remove_unwanted_objects,
    request_pause,
    ship_ended,
)
from twoleg.media import Codec, RawHeader, dominant_tone, steady
from twoleg.media.raw_recording import RECORD, Kind
from twoleg.store.objects import ObjectMissing, Objects, ObjectSettings, ObjectsUnavailable

LOW, HIGH = 440, 1000


def raw_bytes(call_id, *, whole=True):
    """A second of a low tone on the left and a high one on the right."""
    data = bytearray(RawHeader(call_id, 1, 0.0).to_bytes())
    sounds = [steady((tone,), 1000).frames(Codec.PCMU) for tone in (LOW, HIGH)]
    for number in range(50):
        for kind, sound in zip((Kind.LEFT, Kind.RIGHT), sounds, strict=True):
            data += RECORD.pack(kind, 0, 160, number * 160, number * 160) + sound[number]
    if whole:
        data += RECORD.pack(Kind.END, 0, 0, 8000, 0)
    return bytes(data)


class Archive:
    """One machine's data directory, and the office's calls."""

    def __init__(self, office, database, directory):
        self.office = office
        self.database = database
        self.spool = directory / SPOOL
        self.spool.mkdir()
        self.directory = directory
        self.objects = Objects.open(ObjectSettings(directory=directory / "recordings"))

    async def recorded_call(self, *, ended=True, whole=True):
        """A call with a raw file that its engine left on the disk."""
        call_id = await self.office.queue()
        if ended:
            await self.end(call_id)
        (self.spool / f"{call_id}-1.raw").write_bytes(raw_bytes(call_id, whole=whole))
        return call_id

    async def end(self, call_id):
        await self.office.rows(
            "UPDATE calls SET status = 'ended', outcome = 'connected', ended_at = now(),"
            " ended_by = 'contact', sequence = 6 WHERE id = %s",
            call_id,
        )

    async def ship(self):
        return await ship_ended(self.database, self.objects, self.spool)

    async def finalise(self):
        async with await self.database.connect() as connection:
            return await finalise_recordings(connection, self.objects, self.spool)

    async def work(self):
        """All that a worker does in a turn."""
        await self.finalise()
        await remove_unwanted_objects(self.database, self.objects)

    async def row(self, call_id):
        async with self.database.connection() as connection:
            return await find_recording(connection, self.office.account_id, call_id)

    async def events(self, call_id):
        return await self.office.rows(
            "SELECT sequence, type, data FROM call_events WHERE call_id = %s AND sequence > 1"
            " ORDER BY sequence",
            call_id,
        )

    async def tones(self, call_id):
        row = await self.row(call_id)
        chunks = [chunk async for chunk in self.objects.read(row.object_key, 0, row.bytes)]
        with wave.open(io.BytesIO(b"".join(chunks))) as wav:
            samples = array("h", wav.readframes(wav.getnframes()))
        return tuple(
            dominant_tone(side[:4000], 8000, (LOW, HIGH)) for side in (samples[0::2], samples[1::2])
        )

    def files(self):
        """What lies in the storage."""
        root = self.directory / "recordings"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
async def archive(office, database, tmp_path):
    return Archive(office, database, tmp_path)


async def test_a_raw_recording_becomes_a_wav_and_an_event_after_the_end(archive):
    call_id = await archive.recorded_call()
    assert await archive.ship() == 1
    assert (await archive.row(call_id)).state == "finalising"
    assert list(archive.spool.iterdir()) == []
    assert await archive.finalise() == 1
    row = await archive.row(call_id)
    assert (row.state, row.seconds, row.bytes) == ("ready", 1, 8000 * 4 + 44)
    assert await archive.tones(call_id) == (LOW, HIGH)
    assert await archive.events(call_id) == [
        (7, "call.recording_ready", {"seconds": 1.0, "bytes": row.bytes})
    ]
    await remove_unwanted_objects(archive.database, archive.objects)
    assert archive.files() == [f"{archive.office.account_id}/{call_id}.wav"]


async def test_doing_all_of_it_again_changes_nothing(archive):
    call_id = await archive.recorded_call()
    for _ in range(3):
        await archive.ship()
        await archive.finalise()
        await remove_unwanted_objects(archive.database, archive.objects)
    assert len(await archive.events(call_id)) == 1


async def test_what_a_killed_engine_left_is_heard_up_to_its_last_flush(archive):
    call_id = await archive.recorded_call(whole=False)
    await archive.ship()
    await archive.finalise()
    assert await archive.tones(call_id) == (LOW, HIGH)


async def test_a_file_that_an_engine_still_writes_is_left_alone(archive):
    call_id = await archive.recorded_call()
    (path,) = archive.spool.iterdir()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert await archive.ship() == 0
        assert await archive.row(call_id) is None
    finally:
        os.close(descriptor)
    assert await archive.ship() == 1


async def test_nothing_is_finalised_before_the_call_has_ended(archive):
    call_id = await archive.recorded_call(ended=False)
    await archive.ship()
    assert await archive.finalise() == 0
    await archive.end(call_id)
    assert await archive.finalise() == 1


@pytest.mark.parametrize("step", ["rendered", "stored", "told"])
async def test_a_worker_that_dies_at_any_step_leaves_it_to_the_next(archive, monkeypatch, step):
    """Dying is an error that nothing handles: the connection, and with it the lock, is gone."""

    class Killed(BaseException):
        pass

    async def die(*_args, **_fields):
        raise Killed

    call_id = await archive.recorded_call()
    await archive.ship()
    with monkeypatch.context() as patched:
        match step:
            case "rendered":
                patched.setattr(Objects, "adopt", die)
            case "stored":
                patched.setattr(finalising, "_tell", die)
            case "told":
                patched.setattr(Objects, "delete", die)
        with pytest.raises(Killed):
            await archive.work()
    await archive.finalise()
    await remove_unwanted_objects(archive.database, archive.objects)
    assert await archive.tones(call_id) == (LOW, HIGH)
    assert len(await archive.events(call_id)) == 1
    assert archive.files() == [f"{archive.office.account_id}/{call_id}.wav"]


async def test_an_engine_that_dies_between_row_and_file_is_followed_by_the_next(
    archive, monkeypatch
):
    class Killed(BaseException):
        pass

    async def die(*_args):
        raise Killed

    call_id = await archive.recorded_call()
    with monkeypatch.context() as patched:
        patched.setattr(Objects, "adopt", die)
        with pytest.raises(Killed):
            await archive.ship()
    assert await archive.finalise() == 0  # what it wrote is not there yet
    assert await archive.ship() == 1
    await archive.office.rows("UPDATE recordings SET next_attempt_at = now()")
    assert await archive.finalise() == 1
    assert await archive.tones(call_id) == (LOW, HIGH)


async def test_two_workers_do_not_finalise_the_same(archive):
    call_ids = [await archive.recorded_call() for _ in range(4)]
    await archive.ship()
    both = await asyncio.gather(archive.finalise(), archive.finalise())
    assert sum(both) == 4
    for call_id in call_ids:
        assert len(await archive.events(call_id)) == 1


async def test_a_storage_that_is_away_is_tried_again_later(archive, monkeypatch):
    call_id = await archive.recorded_call()
    await archive.ship()

    async def away(*_):
        raise ObjectsUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(Objects, "fetch", away)
        assert await archive.finalise() == 0
    assert (await archive.row(call_id)).state == "finalising"
    assert await archive.finalise() == 0  # not at once
    await archive.office.rows("UPDATE recordings SET next_attempt_at = now()")
    assert await archive.finalise() == 1


async def test_a_storage_that_takes_no_raw_file_leaves_it_on_the_machine(archive, monkeypatch):
    await archive.recorded_call()

    async def away(*_):
        raise ObjectsUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(Objects, "adopt", away)
        assert await archive.ship() == 0
    assert len(list(archive.spool.iterdir())) == 1
    assert await archive.ship() == 1


async def test_a_recording_without_audio_fails_and_says_why(archive):
    call_id = await archive.recorded_call()
    (path,) = archive.spool.iterdir()
    path.write_bytes(b"nothing of ours")
    await archive.ship()
    assert await archive.finalise() == 0
    row = await archive.row(call_id)
    assert (row.state, row.failure) == ("failed", "the raw recording ends within its header")
    await remove_unwanted_objects(archive.database, archive.objects)
    assert archive.files() == []


async def test_what_never_came_fails_after_a_day_and_is_taken_when_it_comes_yet(archive):
    call_id = await archive.recorded_call()
    await archive.office.rows(
        "INSERT INTO recordings (account_id, call_id) SELECT account_id, id FROM calls"
    )
    await archive.office.rows("UPDATE calls SET ended_at = now() - interval '25 hours'")
    await archive.finalise()
    assert (await archive.row(call_id)).state == "failed"
    await archive.ship()
    await archive.finalise()
    assert (await archive.row(call_id)).state == "ready"


@pytest.mark.parametrize("when", ["before", "shipped", "ready"])
async def test_a_deleted_recording_leaves_nothing(archive, when):
    call_id = await archive.recorded_call()
    await archive.office.rows(
        "INSERT INTO recordings (account_id, call_id) SELECT account_id, id FROM calls"
    )
    if when != "before":
        await archive.ship()
    if when == "ready":
        await archive.finalise()
    async with archive.database.connection() as connection:
        assert not await delete_recording(connection, archive.office.account_id + 1, call_id)
        assert await delete_recording(connection, archive.office.account_id, call_id)
        assert not await delete_recording(connection, archive.office.account_id, call_id)
    await archive.ship()
    await archive.finalise()
    await remove_unwanted_objects(archive.database, archive.objects)
    assert archive.files() == []
    assert list(archive.spool.iterdir()) == []
    assert (await archive.row(call_id)).state == "deleted"


async def test_recordings_go_when_their_days_are_over(archive):
    old, new = [await archive.recorded_call() for _ in range(2)]
    await archive.ship()
    await archive.finalise()
    await archive.office.rows(
        "UPDATE recordings SET ready_at = now() - interval '91 days' WHERE call_id = %s", old
    )
    old_key = (await archive.row(old)).object_key
    assert await remove_old_recordings(archive.database, 90) == 1
    await remove_unwanted_objects(archive.database, archive.objects)
    assert (await archive.row(old)).state == "deleted"
    assert (await archive.row(new)).state == "ready"
    with pytest.raises(ObjectMissing):
        await archive.objects.size(old_key)


async def test_files_of_calls_that_are_gone_are_removed(archive):
    (archive.spool / "999999-1.raw").write_bytes(raw_bytes(999999))
    (archive.spool / "nobody.raw").write_bytes(b"")
    assert await archive.ship() == 0
    assert list(archive.spool.iterdir()) == []


class Port:
    def record(self, track):
        self.track = track


class Observer:
    def __init__(self):
        self.seen = asyncio.Queue()

    def recording_paused(self, *, paused):
        self.seen.put_nowait(paused)

    def recording_stopped(self, why):
        self.seen.put_nowait(why)


async def test_an_engine_records_pauses_when_asked_and_hands_the_file_on(archive):
    call_id = await archive.office.queue()
    account_id = archive.office.account_id
    agent, contact, observer = Port(), Port(), Observer()

    async def pause(*, pause):
        async with asyncio.timeout(10), archive.database.connection() as connection:
            return await request_pause(connection, account_id, call_id, pause=pause)

    async def state():
        row = await archive.row(call_id)
        return None if row is None else row.state

    async def is_in(wanted):
        return await state() == wanted

    async with RecordingDesk.open(archive.database, archive.objects, archive.directory) as desk:
        assert not await pause(pause=True)
        desk.begin(call_id, account_id, agent, contact, observer)
        assert desk.active == 1
        await until(lambda: is_in("recording"))
        assert await pause(pause=True)
        async with asyncio.timeout(10):
            assert await observer.seen.get() is True
        assert agent.track is None
        assert contact.track is None
        assert await pause(pause=False)
        async with asyncio.timeout(10):
            assert await observer.seen.get() is False
        assert agent.track is not None
        desk.end(call_id)
        assert agent.track is None
        await until(lambda: is_in("finalising"))
    assert observer.seen.empty()
    assert len(archive.files()) == 1


async def test_a_recording_that_the_disk_refused_says_why(archive, monkeypatch):
    call_id = await archive.recorded_call()
    observer = Observer()
    async with RecordingDesk.open(archive.database, archive.objects, archive.directory) as desk:
        archive.spool.rename(archive.directory / "gone")
        desk.begin(call_id, archive.office.account_id, Port(), Port(), observer)
        async with asyncio.timeout(10):
            assert await observer.seen.get() == "No such file or directory"

        async def is_told():
            return (await archive.row(call_id)).failure is not None

        await until(is_told)
        desk.end(call_id)
        assert desk.stopped == 1
    assert (await archive.row(call_id)).failure == "No such file or directory"
