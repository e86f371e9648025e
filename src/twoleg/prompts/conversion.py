"""The program that converts: a file of any common audio format becomes what calls play.

It reads the file from its standard input and writes a line `{"bytes": {"PCMU": N, ...}}` with so
many bytes of each codec behind it, or a line `{"error": WORD}`. Files come from anybody and go to
large libraries: so it is a process of its own, which can open nothing, and is bounded in memory and
in processor time.
"""

from __future__ import annotations

import io
import json
import math
import resource
import struct
import sys
from array import array
from collections.abc import Iterator
from operator import mul
from typing import Final

import av

MAX_SECONDS: Final = 300
MEMORY_BYTES: Final = 1024**3
PROCESSOR_SECONDS: Final = 60

# What plays lists of other files, or asks for more than the file itself, is not among them.
FORMATS: Final = (
    "aac,ac3,aiff,amr,amrnb,amrwb,asf,au,caf,flac,matroska,mov,mp3,mp4,m4a,ogg,w64,wav,webm"
)

WIDE_BAND: Final = 16_000
NARROW_BAND: Final = 8_000
WIDE_FRAME: Final = WIDE_BAND // 50

TARGET_DBFS: Final = -22.0
"""How loud speech is made: the root mean square while somebody speaks. It is -16 dBm0, the level of
call-progress tones."""

MOST_DECIBELS: Final = 12.0
"""A recording is made louder or fainter by so much at most: noise stays noise."""

PEAK_DBFS: Final = -1.0
SILENCE_DBFS: Final = -50.0
PAUSE_DECIBELS: Final = 15.0
"""What is fainter than the mean by so much is a pause, and does not count."""

_FULL_SCALE: Final = 32768

# 20 ms of silence: WAV, 16-bit mono at 8 kHz.
_SHORT_FILE: Final = (
    struct.pack("<4sI4s", b"RIFF", 356, b"WAVE")
    + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16_000, 2, 16)
    + struct.pack("<4sI", b"data", 320)
    + bytes(320)
)


class Unusable(Exception):
    """The file cannot be used; `word` says why."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def converted(data: bytes) -> dict[str, bytes]:
    """Return the file's audio by codec, in whole frames of 20 ms. Raises Unusable."""
    wide = levelled(decoded(data))
    wide.extend([0] * (-len(wide) % WIDE_FRAME))
    narrow = _resampled(wide, NARROW_BAND)
    narrow = narrow[: len(wide) // 2]
    narrow.extend([0] * (len(wide) // 2 - len(narrow)))
    return {
        "PCMU": _encoded(narrow, NARROW_BAND, "pcm_mulaw"),
        "PCMA": _encoded(narrow, NARROW_BAND, "pcm_alaw"),
        "G722": _encoded(wide, WIDE_BAND, "g722"),
    }


def decoded(data: bytes) -> array[int]:
    """Return a file's first audio as 16-bit mono samples at 16 kHz. Raises Unusable."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
    samples = array("h")
    try:
        file = io.BytesIO(data)
        with av.open(file, "r", options=options, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise Unusable("unreadable")
            for part in _at_wide_band(_frames(container)):
                samples.frombytes(part)
                if len(samples) > MAX_SECONDS * WIDE_BAND:
                    raise Unusable("too_long")
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise Unusable("unreadable") from error
    if not samples:
        raise Unusable("empty")
    return samples


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Give the frames of the first audio; a few packets may be broken, as some writers leave."""
    good = bad = 0
    stream = container.streams.audio[0]
    stream.codec_context.thread_count = 1
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
            good += 1
        except av.InvalidDataError:
            bad += 1
    if bad and bad >= good:
        raise Unusable("unreadable")


def _at_wide_band(frames: Iterator[av.AudioFrame]) -> Iterator[bytes]:
    resampler = None
    shape = None
    for frame in frames:
        # A stream may change its shape on the way, as one of several songs does.
        if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
            if resampler is not None:
                yield from map(_bytes, resampler.resample(None))
            shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            resampler = av.AudioResampler(format="s16", layout="mono", rate=WIDE_BAND)
        assert resampler is not None
        frame.pts = None
        yield from map(_bytes, resampler.resample(frame))
    if resampler is not None:
        yield from map(_bytes, resampler.resample(None))


def levelled(samples: array[int]) -> array[int]:
    """Bring speech to `TARGET_DBFS`, as far as `MOST_DECIBELS` and the loudest sample let it."""
    powers = [_power(block) for block in _blocks(samples)]
    heard = [power for power in powers if power > _power_of(SILENCE_DBFS)]
    if not heard:
        return samples
    least = sum(heard) / len(heard) / 10 ** (PAUSE_DECIBELS / 10)
    spoken = [power for power in heard if power > least]
    wanted = TARGET_DBFS - _decibels(sum(spoken) / len(spoken))
    peak = max(max(samples), -min(samples))
    gain = min(max(wanted, -MOST_DECIBELS), MOST_DECIBELS, PEAK_DBFS - _decibels(peak**2))
    factor = 10 ** (gain / 20)
    louder = array("h")
    for block in _blocks(samples):
        louder.extend([round(factor * sample) for sample in block])
    return louder


def _blocks(samples: array[int]) -> Iterator[array[int]]:
    for start in range(0, len(samples), WIDE_FRAME):
        yield samples[start : start + WIDE_FRAME]


def _power(block: array[int]) -> float:
    return float(sum(map(mul, block, block))) / len(block)


def _power_of(dbfs: float) -> float:
    return math.pow(10, dbfs / 10) * _FULL_SCALE * _FULL_SCALE


def _decibels(power: float) -> float:
    return 10 * math.log10(power / _FULL_SCALE**2)


def _resampled(samples: array[int], rate: int) -> array[int]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    frames = [*resampler.resample(_frame(samples, WIDE_BAND)), *resampler.resample(None)]
    resampled = array("h")
    for frame in frames:
        resampled.frombytes(_bytes(frame))
    return resampled


def _encoded(samples: array[int], rate: int, codec: str) -> bytes:
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = rate
    context.layout = "mono"
    context.format = "s16"
    packets = [*context.encode(_frame(samples, rate)), *context.encode(None)]
    return b"".join(map(bytes, packets))


def _frame(samples: array[int], rate: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.sample_rate = rate
    frame.planes[0].update(samples.tobytes())
    return frame


def _bytes(frame: av.AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: 2 * frame.samples]


def _confine() -> None:
    """Let this process open nothing more, and grow and work no further than it needs."""
    # Parts of the library are loaded when they are first used.
    converted(_SHORT_FILE)
    for what, most in (
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
    ):
        resource.setrlimit(what, (most, most))


def main() -> None:
    """Convert one file."""
    data = sys.stdin.buffer.read()
    _confine()
    reply: dict[str, object]
    try:
        payloads = converted(data)
    except Unusable as unusable:
        payloads = {}
        reply = {"error": unusable.word}
    else:
        reply = {"bytes": {codec: len(payload) for codec, payload in payloads.items()}}
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
    sys.stdout.buffer.writelines(payloads.values())


if __name__ == "__main__":
    main()
