"""WAV files: reading what people upload, and writing recordings as they come."""

import os
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from twoleg.media.g711 import decode_alaw, decode_ulaw

MAX_WAV_BYTES: Final = 96 * 1024 * 1024
"""Five minutes of the largest format that is read, and some more."""

MAX_SECONDS: Final = 300.0
"""No prompt is longer; music that waits with a caller is looped."""

TOO_LONG: Final = f"The recording is longer than {MAX_SECONDS:.0f} seconds"

MAX_CHUNKS: Final = 100
"""Real files have fewer than ten chunks."""

MAX_RECORDED_BYTES: Final = 0xFFFF_FFFF - 4096
"""A WAV file counts its bytes with 32 bits."""

WAV_MEND: Final = "Convert it, for example: sox in.wav -r 16000 -c 1 -b 16 out.wav"

_EXTENSIBLE: Final = 0xFFFE

_SIGNED: Final = bytes(range(128, 256)) + bytes(range(128))


class UnusableAudio(Exception):
    """A recording that cannot be played: what is wrong with it, and what to do about it."""

    def __init__(self, problem: str, mend: str = WAV_MEND) -> None:
        super().__init__(f"{problem}. {mend}.")
        self.problem = problem
        self.mend = mend


class WavEncoding(Enum):
    """How a file holds its samples; the values are WAV's format tags (RFC 2361)."""

    PCM = 1
    PCMA = 6
    PCMU = 7


@dataclass(frozen=True, slots=True)
class WavAudio:
    """What a WAV file holds: 16-bit samples, those of a stereo file mixed to one channel."""

    samples: "array[int]"
    rate: int


@dataclass(frozen=True, slots=True)
class _Format:
    encoding: WavEncoding
    channels: int
    rate: int
    bits: int

    @property
    def bytes_per_second(self) -> int:
        return self.rate * self.channels * self.bits // 8


def read_wav(data: bytes) -> WavAudio:
    """Read PCM of 8, 16, 24 or 32 bits, mu-law or A-law, mono or stereo, at any rate.

    A file whose header was never completed is read to its end. Raises UnusableAudio.
    """
    if len(data) > MAX_WAV_BYTES:
        raise UnusableAudio(
            f"The WAV file is larger than {MAX_WAV_BYTES // 1024**2} MiB", "Use a shorter recording"
        )
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise UnusableAudio("This is not a WAV file")
    wav_format: _Format | None = None
    for name, body in _chunks(data):
        if name == b"fmt ":
            wav_format = _parse_format(body)
        elif name == b"data":
            if wav_format is None:
                raise UnusableAudio("The WAV file does not say its format before its data")
            if len(body) > MAX_SECONDS * wav_format.bytes_per_second:
                raise UnusableAudio(TOO_LONG, "Use a shorter recording")
            return WavAudio(_mono(_samples(bytes(body), wav_format), wav_format), wav_format.rate)
    raise UnusableAudio("The WAV file has no data")


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    (whole,) = struct.unpack_from("<I", data, 4)
    at = 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        # A writer that could not go back leaves all ones as the size of its data, or 0, but then
        # it counts nothing after it in the whole file's size either.
        if name == b"data" and (at + size > len(data) or (size == 0 and whole + 8 <= at)):
            size = len(data) - at
        yield name, view[at : at + size]
        at += size + size % 2


def _parse_format(body: memoryview) -> _Format:
    if len(body) < 16:
        raise UnusableAudio("The WAV file's format is cut short")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    try:
        encoding = WavEncoding(tag)
    except ValueError:
        raise UnusableAudio(f"The WAV file's encoding (format tag {tag}) is not read") from None
    if bits not in ((8, 16, 24, 32) if encoding is WavEncoding.PCM else (8,)):
        raise UnusableAudio(f"The WAV file has samples of {bits} bits")
    if channels not in {1, 2}:
        raise UnusableAudio(f"The WAV file has {channels} channels; one or two are read")
    if rate == 0:
        raise UnusableAudio("The WAV file has a sample rate of 0")
    return _Format(encoding, channels, rate, bits)


def _samples(body: bytes, wav_format: _Format) -> "array[int]":
    if wav_format.encoding is WavEncoding.PCMU:
        return decode_ulaw(body)
    if wav_format.encoding is WavEncoding.PCMA:
        return decode_alaw(body)
    width = wav_format.bits // 8
    count = len(body) // width
    halves = bytearray(2 * count)
    if width == 1:
        # Eight bits are unsigned: 128 is silence.
        halves[1::2] = body.translate(_SIGNED)
    else:
        # The two upper bytes of each little-endian sample.
        halves[0::2] = body[width - 2 : count * width : width]
        halves[1::2] = body[width - 1 : count * width : width]
    samples = array("h", bytes(halves))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _mono(samples: "array[int]", wav_format: _Format) -> "array[int]":
    if wav_format.channels == 1:
        return samples
    pairs = zip(samples[::2], samples[1::2], strict=False)
    return array("h", [left + right >> 1 for left, right in pairs])


class WavWriter:
    """Writes a WAV file as its samples come, and completes the header when it is closed.

    What is written is in the file's own encoding: little-endian 16-bit PCM, mu-law or A-law bytes,
    with the channels' samples in turn. A file that was never closed can still be read.
    """

    def __init__(
        self, path: Path, *, encoding: WavEncoding, rate: int = 8000, channels: int = 1
    ) -> None:
        """Create the file. Raises FileExistsError, OSError."""
        self._encoding = encoding
        self._rate = rate
        self._channels = channels
        self._width = 2 if encoding is WavEncoding.PCM else 1
        self._bytes = 0
        self._file: BinaryIO = path.open("xb")
        self._file.write(self._header())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """How long what was written lasts."""
        return self._bytes / (self._width * self._channels * self._rate)

    def write(self, payload: bytes) -> None:
        """Append whole samples. What the format has no room for is left out, after 74 hours."""
        if self._bytes + len(payload) <= MAX_RECORDED_BYTES:
            self._file.write(payload)
            self._bytes += len(payload)

    def close(self) -> None:
        """Complete the header. Idempotent."""
        if self._file.closed:
            return
        try:
            if self._bytes % 2:
                self._file.write(b"\0")
            self._file.seek(0, os.SEEK_SET)
            self._file.write(self._header())
        finally:
            self._file.close()

    def _header(self) -> bytes:
        return wav_header(self._encoding, self._rate, self._channels, self._bytes)


def wav_header(encoding: WavEncoding, rate: int, channels: int, size: int) -> bytes:
    """Return what stands before `size` bytes of samples in a WAV file."""
    width = 2 if encoding is WavEncoding.PCM else 1
    block = width * channels
    wav_format = struct.pack(
        "<HHIIHH", encoding.value, channels, rate, rate * block, block, 8 * width
    )
    fact = b""
    if encoding is not WavEncoding.PCM:
        # Whatever is not PCM says the size of its extension, and its number of samples.
        wav_format += struct.pack("<H", 0)
        fact = struct.pack("<4sII", b"fact", 4, size // block)
    head = struct.pack("<4sI", b"fmt ", len(wav_format)) + wav_format + fact
    riff = struct.pack("<4sI4s", b"RIFF", 4 + len(head) + 8 + size + size % 2, b"WAVE")
    return riff + head + struct.pack("<4sI", b"data", size)


def wav_of(samples: "array[int]", rate: int) -> bytes:
    """Return the WAV file of 16-bit mono samples, in an `array("h")`."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    data = samples.tobytes()
    return wav_header(WavEncoding.PCM, rate, 1, len(data)) + data
