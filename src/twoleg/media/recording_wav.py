"""From a recording's raw file to a WAV file of two channels, aligned by time."""

import sys
from array import array
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from typing import BinaryIO, Final

from twoleg.media.codec import Codec
from twoleg.media.decoding import Decoder
from twoleg.media.raw_recording import (
    TICKS_PER_SECOND,
    Kind,
    RawRecord,
    UnreadableRecording,
    read_header,
    read_records,
)
from twoleg.media.wav import WavEncoding, WavWriter

MAX_DRIFT_TICKS: Final = 2 * TICKS_PER_SECOND // 5
"""A packet's place follows its RTP timestamp; one further than that from its arrival has a new
clock, or one that drifted away, and is placed by its arrival."""

LATE_TICKS: Final = TICKS_PER_SECOND // 2
"""How long packets are waited for that others have overtaken."""

BLOCK_TICKS: Final = 5 * TICKS_PER_SECOND
"""Audio that is written in one go: memory does not grow with the recording."""


@dataclass(frozen=True, slots=True)
class RenderedRecording:
    """What became of a raw file; `is_complete`: it has its end, and no engine was lost."""

    seconds: float
    rate: int
    is_complete: bool


def render_recording(raw: BinaryIO, wav: Path) -> RenderedRecording:
    """Write a raw file, from its beginning to the last whole record, as 16-bit PCM.

    The rate is 8000 Hz, or 16000 where G.722 was spoken; gaps are silent. `wav` must not be there.
    Takes about 5 ms of CPU for a second of G.711 of both sides, 200 ms for one of G.722: call it in
    a thread. Raises UnreadableRecording, and OSError.
    """
    read_header(raw)
    records_at = raw.tell()
    is_wide = has_audio = is_complete = False
    for record in read_records(raw):
        has_audio = has_audio or record.kind <= Kind.RIGHT
        is_wide = is_wide or record.codec is Codec.G722
        is_complete = record.kind is Kind.END
    if not has_audio:
        raise UnreadableRecording("no audio came while it was recorded")
    raw.seek(records_at)
    rate = 16000 if is_wide else 8000
    with WavWriter(wav, encoding=WavEncoding.PCM, rate=rate, channels=2) as writer:
        mixer = _Mixer(writer, rate // TICKS_PER_SECOND)
        for record in read_records(raw):
            mixer.take(record)
        mixer.finish()
        return RenderedRecording(writer.seconds, rate, is_complete)


@dataclass(slots=True)
class _Side:
    """One channel: packets in the order of their places, and samples that are not written yet."""

    scale: int
    """Samples a tick."""

    samples: "array[int]" = field(default_factory=lambda: array("h"))
    _begins: int = 0
    _waiting: list[tuple[int, int, RawRecord]] = field(default_factory=list)
    _taken: int = 0
    _anchor: tuple[int, int] | None = None
    _decoder: Decoder | None = None

    def take(self, record: RawRecord) -> None:
        self._taken += 1
        heappush(self._waiting, (self._place(record), self._taken, record))

    def resume(self) -> None:
        """Let the next packet be placed by its arrival."""
        self._anchor = None

    @property
    def end(self) -> int:
        """Up to which tick there are samples."""
        return self._begins + len(self.samples) // self.scale

    def cut(self, until: int) -> "array[int]":
        """Give the samples up to a tick, with silence where nothing came."""
        self.decode(until)
        count = (until - self._begins) * self.scale
        if len(self.samples) < count:
            self._be_silent(count - len(self.samples))
        given, self.samples = self.samples[:count], self.samples[count:]
        self._begins = until
        return given

    def decode(self, until: int | None = None) -> None:
        """Decode what is placed before a tick; None: all of it."""
        while self._waiting and (until is None or self._waiting[0][0] < until):
            place, _, record = heappop(self._waiting)
            samples = self._decoded(record)
            gap = (place - self._begins) * self.scale - len(self.samples)
            if gap >= 0:
                self._be_silent(gap)
                self.samples += samples
            else:
                # It was there already, or in part.
                self.samples += samples[-gap:]

    def _place(self, record: RawRecord) -> int:
        arrival = record.arrival
        if self._anchor is not None:
            timestamp, place = self._anchor
            place += (record.timestamp - timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
            if abs(place - arrival) <= MAX_DRIFT_TICKS:
                return max(0, place)
        self._anchor = (record.timestamp, arrival)
        return arrival

    def _decoded(self, record: RawRecord) -> "array[int]":
        if self._decoder is None or self._decoder.codec is not record.codec:
            self._decoder = Decoder(record.codec)
        samples = self._decoder.decode(record.payload)
        if self.scale == 1 or record.codec is Codec.G722:
            return samples
        # The other side, or another stretch, is wide-band.
        doubled = array("h", bytes(4 * len(samples)))
        doubled[0::2] = samples
        pairs = zip(samples, samples[1:] + samples[-1:], strict=True)
        doubled[1::2] = array("h", [one + next_ >> 1 for one, next_ in pairs])
        return doubled

    def _be_silent(self, count: int) -> None:
        self.samples.frombytes(bytes(2 * count))


class _Mixer:
    """Writes both sides, tick by tick beside each other."""

    def __init__(self, writer: WavWriter, scale: int) -> None:
        self._writer = writer
        self._left = _Side(scale)
        self._right = _Side(scale)
        self._written = 0
        self._now = 0

    def take(self, record: RawRecord) -> None:
        self._now = record.arrival
        match record.kind:
            case Kind.LEFT:
                self._left.take(record)
            case Kind.RIGHT:
                self._right.take(record)
            case Kind.RESUMED:
                self._left.resume()
                self._right.resume()
        if record.arrival - LATE_TICKS - self._written >= BLOCK_TICKS:
            self._write(record.arrival - LATE_TICKS)

    def finish(self) -> None:
        """Write what is left."""
        self._left.decode()
        self._right.decode()
        self._write(max(self._left.end, self._right.end, self._now))

    def _write(self, until: int) -> None:
        left, right = self._left.cut(until), self._right.cut(until)
        self._written = until
        both = array("h", bytes(4 * len(left)))
        both[0::2] = left
        both[1::2] = right
        if sys.byteorder == "big":
            both.byteswap()
        self._writer.write(both.tobytes())
