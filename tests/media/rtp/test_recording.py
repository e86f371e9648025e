"""Recording what two phones send over real RTP, while a disk does what it likes."""

import asyncio
import errno
import fcntl
import resource
import wave
from array import array

import pytest

from twoleg.media import (
    Codec,
    Recorder,
    UnreadableRecording,
    dominant_tone,
    render_recording,
    steady,
)
from twoleg.media import recorder as recorder_module

LOW, HIGH = 440, 1000
FRAMES = 15


def sound(hertz, codec=Codec.PCMU):
    """0.3 s of a tone; 500 ms is a whole number of its periods."""
    return steady((hertz,), 500).frames(codec)[:FRAMES]


class Stage:
    """Two phones on a bridge, and a recording of them."""

    def __init__(self, left, right, phones, recorder, directory, received):
        self.left, self.right, self.phones = left, right, phones
        self.recorder, self.directory, self.received = recorder, directory, received
        self.stopped = []
        self.sent = 0

    def record(self):
        return self.recorder.record(7, 3, self.left, self.right, self.stopped.append)

    async def talk(self, tones=(LOW, HIGH), codec=Codec.PCMU):
        """Both phones say a tone for 0.3 s at once; faster than real, within the drift."""
        frames = [sound(tone, codec) for tone in tones]
        for number in range(FRAMES):
            for port, phone, said in zip((self.left, self.right), self.phones, frames, strict=True):
                phone.send(port, said[number], payload_type=codec.payload_type)
        self.sent += FRAMES
        for port in (self.left, self.right):
            await self.received(port, self.sent)

    async def close(self, recording):
        recording.end()
        self.recorder.flush_soon()
        async with asyncio.timeout(5):
            await recording.closed

    def wav(self):
        """Both channels of the one recording that there is."""
        (raw,) = self.directory.glob("*.raw")
        wav = self.directory / "made.wav"
        with raw.open("rb") as file:
            result = render_recording(file, wav)
        with wave.open(str(wav)) as made:
            samples = array("h", made.readframes(made.getnframes()))
        return result, samples[0::2], samples[1::2]


@pytest.fixture
async def stage(plane, far_end, received, tmp_path):
    phones = (far_end(ssrc=1), far_end(ssrc=2))
    async with (
        plane.open_port() as left,
        plane.open_port() as right,
        Recorder.open(tmp_path, flush_seconds=3600) as recorder,
    ):
        left.connect(phones[0].stream())
        right.connect(phones[1].stream())
        plane.bridge(left, right)
        yield Stage(left, right, phones, recorder, tmp_path, received)


def tone_of(samples, rate=8000):
    begins = next(place for place, sample in enumerate(samples) if sample)
    return dominant_tone(samples[begins : begins + rate // 4], rate, (LOW, HIGH, 2000))


async def test_each_phone_is_on_its_own_channel_and_both_hear_each_other(stage):
    recording = stage.record()
    await stage.talk()
    await stage.close(recording)
    result, left, right = stage.wav()
    assert result.is_complete
    assert result.seconds >= 0.3
    assert tone_of(left) == LOW
    assert tone_of(right) == HIGH
    assert all(len(phone.waiting()) == FRAMES for phone in stage.phones)
    assert stage.stopped == []


async def test_wide_band_is_recorded_as_it_comes(stage):
    for port, phone in zip((stage.left, stage.right), stage.phones, strict=True):
        if port.bridge is not None:
            port.bridge.close()
        port.connect(phone.stream(Codec.G722))
    recording = stage.record()
    await stage.talk(codec=Codec.G722)
    await stage.close(recording)
    result, left, right = stage.wav()
    assert result.rate == 16000
    assert tone_of(left, 16000) == LOW
    assert tone_of(right, 16000) == HIGH


async def test_what_is_transcoded_is_recorded_as_it_came(stage):
    stage.right.connect(stage.phones[1].stream(Codec.PCMA))
    recording = stage.record()
    for port, phone, codec in zip(
        (stage.left, stage.right), stage.phones, (Codec.PCMU, Codec.PCMA), strict=True
    ):
        for frame in sound(HIGH, codec):
            phone.send(port, frame, payload_type=codec.payload_type)
        await stage.received(port, FRAMES)
    await stage.close(recording)
    _, left, right = stage.wav()
    assert tone_of(left) == tone_of(right) == HIGH


async def test_nothing_of_a_pause_is_kept(stage):
    recording = stage.record()
    assert not recording.resume()
    await stage.talk((LOW, LOW))
    # A second of it has passed: what is said after the pause stands behind what was said before.
    recording.origin -= 1
    assert recording.pause()
    assert not recording.pause()
    await stage.talk((HIGH, HIGH))
    assert recording.resume()
    await stage.talk((LOW, LOW))
    await stage.close(recording)
    assert not recording.pause()
    (raw,) = stage.directory.glob("*.raw")
    data = raw.read_bytes()
    assert all(frame not in data for frame in sound(HIGH))
    assert all(frame in data for frame in sound(LOW))
    _, left, right = stage.wav()
    assert tone_of(left) == tone_of(right) == LOW
    assert tone_of(left[4000:]) == tone_of(right[4000:]) == LOW


async def test_what_was_flushed_can_be_heard_after_the_engine_was_killed(stage, until):
    recording = stage.record()
    await stage.talk()
    stage.recorder.flush_soon()
    await until(lambda: any(raw.stat().st_size for raw in stage.directory.glob("*.raw")))
    (raw,) = stage.directory.glob("*.raw")
    # As long as the engine lives, nobody else may have the file.
    with raw.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    await stage.close(recording)
    data = raw.read_bytes()
    raw.write_bytes(data[: len(data) - 12 - 100])
    result, left, right = stage.wav()
    assert not result.is_complete
    assert tone_of(left) == LOW
    assert tone_of(right) == HIGH


async def test_a_file_is_free_once_its_recording_has_ended(stage):
    recording = stage.record()
    await stage.talk()
    await stage.close(recording)
    assert stage.recorder.active == 0
    (raw,) = stage.directory.glob("*.raw")
    with raw.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_directory_that_is_gone_ends_the_recording_and_not_the_call(stage):
    stage.directory.rmdir()
    recording = stage.record()
    stage.recorder.flush_soon()
    async with asyncio.timeout(5):
        await recording.closed
    assert stage.stopped == ["No such file or directory"]
    assert stage.recorder.stopped == 1
    await stage.talk()
    assert all(len(phone.waiting()) == FRAMES for phone in stage.phones)
    assert stage.left.incoming.recording is None


async def test_a_file_that_may_grow_no_more_keeps_what_it_has(stage):
    """As on a full disk: the system takes a part of the last write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    recording = stage.record()
    await stage.talk()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
    try:
        stage.recorder.flush_soon()
        async with asyncio.timeout(5):
            await recording.closed
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert stage.stopped == ["File too large"]
    result, left, _ = stage.wav()
    assert not result.is_complete
    assert any(left)


async def test_a_disk_that_is_too_slow_ends_the_recording(stage, monkeypatch):
    monkeypatch.setattr(recorder_module, "MAX_GATHERED_BYTES", 2000)
    recording = stage.record()
    await stage.talk()
    assert stage.stopped == [recorder_module.TOO_SLOW]
    assert recording.failure == recorder_module.TOO_SLOW
    assert len(recording.gathered) < 2500
    await stage.close(recording)
    assert tone_of(stage.wav()[1]) == LOW


async def test_a_disk_that_fails_at_the_end_is_noted(stage, monkeypatch):
    recording = stage.record()
    await stage.talk()

    def fail(_descriptor, _data):
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(recorder_module.os, "write", fail)
    await stage.close(recording)
    assert recording.failure == "Input/output error"


async def test_the_end_of_the_recorder_ends_what_is_recorded(plane, far_end, tmp_path):
    phones = (far_end(ssrc=1), far_end(ssrc=2))
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(phones[0].stream())
        right.connect(phones[1].stream())
        async with Recorder.open(tmp_path, flush_seconds=3600) as recorder:
            recording = recorder.record(7, 3, left, right, lambda _: None)
        assert recording.ended
        assert recording.closed.done()
        (raw,) = tmp_path.glob("*.raw")
        with raw.open("rb") as file, pytest.raises(UnreadableRecording, match="no audio"):
            render_recording(file, tmp_path / "none.wav")


async def test_another_agent_goes_on_on_the_left(stage, plane, far_end, received):
    recording = stage.record()
    await stage.talk((LOW, LOW))
    recording.use_left(None)
    assert stage.left.incoming.recording is None
    phone = far_end(ssrc=3)
    async with plane.open_port() as other:
        other.connect(phone.stream(Codec.PCMA))
        recording.use_left(other)
        for frame in sound(HIGH, Codec.PCMA):
            phone.send(other, frame, payload_type=Codec.PCMA.payload_type)
        await received(other, FRAMES)
        await stage.close(recording)
        assert other.incoming.recording is None
    _, left, _ = stage.wav()
    # Faster than real: what the second says lies where the first one's words end.
    assert tone_of(left) == LOW
    (raw,) = stage.directory.glob("*.raw")
    assert all(frame in raw.read_bytes() for frame in sound(HIGH, Codec.PCMA))
