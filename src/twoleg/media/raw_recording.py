"""The raw file of a recording: packets as they came, written while the call goes on.

All numbers are little-endian. The file begins with a header of 32 bytes: the magic `2LEGRAW1`, the
ids of the call and of its account (64 bits each), and the time of its beginning as seconds since
1970 (64-bit float). Then come records, each of them 12 bytes and a payload:

====== ===== ===============================================================================
offset bytes meaning
====== ===== ===============================================================================
0      1     kind: 1 audio of the left channel, 2 of the right, 3 the recording went on after
             a pause, 4 nothing but the time, 5 the end
1      1     the audio's codec, by its static payload type: 0 PCMU, 8 PCMA, 9 G722; else 0
2      2     bytes of payload, at most 1488; 0 where it is no audio
4      4     when it came, in ticks of 1/8000 s of recorded time: pauses do not count
8      4     the packet's RTP timestamp; 0 where it is no audio
====== ===== ===============================================================================

Times never fall, and rise by at most a minute from one record to the next. A file may end anywhere,
as it does when its engine is killed: it holds what stands before the first record that is cut short
or breaks a rule. Only one with the end (kind 5) is complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import BinaryIO, Final

from twoleg.media.codec import Codec

TICKS_PER_SECOND: Final = 8000
"""RTP's clock for all codecs that are carried; a byte of each of them lasts one tick."""

MAX_PAYLOAD_BYTES: Final = 1488
MAX_STEP_TICKS: Final = 60 * TICKS_PER_SECOND
MAX_TICKS: Final = 24 * 3600 * TICKS_PER_SECOND
"""No call lasts longer."""

HEADER: Final = Struct("<8sQQd")
RECORD: Final = Struct("<BBHII")
MAGIC: Final = b"2LEGRAW1"

_CODECS: Final = {codec.payload_type: codec for codec in Codec}


class UnreadableRecording(Exception):
    """A raw file holds nothing that can be heard; says why."""


class Kind(IntEnum):
    """What a record is."""

    LEFT = 1
    RIGHT = 2
    RESUMED = 3
    TIME = 4
    END = 5


@dataclass(frozen=True, slots=True)
class RawHeader:
    """Whose recording it is, and when it began (seconds since 1970)."""

    call_id: int
    account_id: int
    started_at: float

    def to_bytes(self) -> bytes:
        return HEADER.pack(MAGIC, self.call_id, self.account_id, self.started_at)


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record; `codec` is of use only with audio."""

    kind: Kind
    codec: Codec
    arrival: int
    timestamp: int
    payload: bytes


def read_header(raw: BinaryIO) -> RawHeader:
    """Read the header from the file's beginning. Raises UnreadableRecording, OSError."""
    data = raw.read(HEADER.size)
    if len(data) < HEADER.size:
        raise UnreadableRecording("the raw recording ends within its header")
    magic, call_id, account_id, started_at = HEADER.unpack(data)
    if magic != MAGIC:
        raise UnreadableRecording("this is not a raw recording")
    return RawHeader(call_id, account_id, started_at)


def read_records(raw: BinaryIO) -> Iterator[RawRecord]:
    """Read what follows the header, up to the end or the first record that is none."""
    before = 0
    while len(head := raw.read(RECORD.size)) == RECORD.size:
        number, codec_number, size, arrival, timestamp = RECORD.unpack(head)
        codec = _CODECS.get(codec_number)
        if codec is None or not Kind.LEFT <= number <= Kind.END:
            return
        is_audio = number <= Kind.RIGHT
        if not (0 < size <= MAX_PAYLOAD_BYTES if is_audio else size == 0):
            return
        if not 0 <= arrival - before <= MAX_STEP_TICKS or arrival > MAX_TICKS:
            return
        payload = raw.read(size)
        if len(payload) < size:
            return
        before = arrival
        yield RawRecord(Kind(number), codec, arrival, timestamp, payload)
        if number == Kind.END:
            return
