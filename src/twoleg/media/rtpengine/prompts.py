"""Audio as rtpengine plays it: WAV files that fit into a request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from twoleg.media.codec import Codec
from twoleg.media.decoding import Decoder
from twoleg.media.pure_tone import level_of
from twoleg.media.wav import WavEncoding, wav_header

FRAME_SECONDS: Final = 0.02

MAX_FRAMES: Final = 320
"""6.4 seconds in 51 kB. The longest cadence of a country's ringback is 6 seconds."""

LOOK_BACK_FRAMES: Final = 50
"""Longer audio is cut at the quietest moment of the last second that fits."""

_ENCODINGS: Final = {Codec.PCMU: WavEncoding.PCMU, Codec.PCMA: WavEncoding.PCMA}


@dataclass(frozen=True, slots=True)
class Piece:
    """A WAV file, and how many frames of 20 ms it holds."""

    wav: bytes
    frames: int

    @property
    def seconds(self) -> float:
        return self.frames * FRAME_SECONDS


def played_as(codec: Codec) -> Codec:
    """Name the codec in which a leg's audio is handed over: its own, or what a node translates."""
    return codec if codec in _ENCODINGS else Codec.PCMU


def pieces(frames: Sequence[bytes], codec: Codec) -> Iterator[Piece]:
    """Cut frames of 20 ms into files that fit into a request, each made when it is asked for."""
    at = 0
    while at < len(frames):
        size = min(MAX_FRAMES, len(frames) - at)
        together = [frames[index] for index in range(at, at + size)]
        if at + size < len(frames):
            del together[_quietest(together, codec) :]
        at += len(together)
        data = b"".join(together)
        header = wav_header(_ENCODINGS[codec], codec.sample_rate, 1, len(data))
        yield Piece(header + data, len(together))


def _quietest(frames: Sequence[bytes], codec: Codec) -> int:
    decoder = Decoder(codec)
    late = range(len(frames) - LOOK_BACK_FRAMES, len(frames))
    return min(late, key=lambda index: level_of(decoder.decode(frames[index])))
