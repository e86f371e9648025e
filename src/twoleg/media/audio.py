"""Audio that can be played on a call: prompts and tones."""

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, overload

from twoleg.media.codec import Codec
from twoleg.media.g711 import encode_alaw, encode_ulaw
from twoleg.media.g722 import G722Encoder
from twoleg.media.resample import Resampler, resample
from twoleg.media.wav import MAX_SECONDS, MAX_WAV_BYTES, TOO_LONG, UnusableAudio, read_wav

SAMPLE_RATES: Final = frozenset(
    {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000}
)

NARROW_BAND: Final = 8000
WIDE_BAND: Final = 16000

FRAMES_PER_SECOND: Final = 50


class Audio:
    """Immutable mono audio, ready in frames of 20 ms for each codec."""

    __slots__ = ("_frames", "_pcm", "seconds")

    def __init__(self, pcm: Mapping[int, "array[int]"]) -> None:
        """Keep the same sound at 8000 or 16000 Hz, or both; what is missing is made from the other.

        Take `from_pcm` or `from_wav`, which check what they get.
        """
        self._pcm = pcm
        self._frames: dict[Codec, _Frames] = {}
        rate, samples = next(iter(pcm.items()))
        self.seconds = len(samples) / rate

    @classmethod
    def from_pcm(cls, samples: "array[int]", rate: int) -> "Audio":
        """From 16-bit mono samples, in an `array("h")`, at one of `SAMPLE_RATES`.

        Other rates than 8000 and 16000 are changed here, which takes about 0.1 s of CPU for a
        second of audio. Raises UnusableAudio when it is empty, longer than `MAX_SECONDS`, or of
        another rate.
        """
        if samples.typecode != "h":
            raise TypeError('samples are in an array("h")')
        if rate not in SAMPLE_RATES:
            rates = ", ".join(map(str, sorted(SAMPLE_RATES)))
            raise UnusableAudio(f"A sample rate of {rate} Hz is not among {rates} Hz")
        if not samples:
            raise UnusableAudio("There is no sound in this recording", "Use another recording")
        if len(samples) > MAX_SECONDS * rate:
            raise UnusableAudio(TOO_LONG, "Use a shorter recording")
        if rate in {NARROW_BAND, WIDE_BAND}:
            return cls({rate: array("h", samples)})
        codec_rate = NARROW_BAND if rate < WIDE_BAND else WIDE_BAND
        return cls({codec_rate: resample(samples, rate, codec_rate)})

    @classmethod
    def from_wav(cls, source: Path | bytes) -> "Audio":
        """From a WAV file or its bytes; see `read_wav` for what it may hold.

        Raises UnusableAudio, and OSError for a file that cannot be read.
        """
        if isinstance(source, Path):
            with source.open("rb") as file:
                # One byte more than is allowed is enough to be refused.
                source = file.read(MAX_WAV_BYTES + 1)
        wav = read_wav(source)
        return cls.from_pcm(wav.samples, wav.rate)

    def samples(self, rate: int) -> "array[int]":
        """Return 16-bit mono samples at 8000 or 16000 Hz; made anew where it has only the other."""
        if rate in self._pcm:
            return self._pcm[rate]
        ((own_rate, samples),) = self._pcm.items()
        return resample(samples, own_rate, rate)

    def frames(self, codec: Codec) -> Sequence[bytes]:
        """Return its frames of 20 ms, the last one filled up with silence.

        Each is encoded when it is first asked for, by whoever plays it first, and kept for all:
        0.02 ms of CPU for a frame of G.711, 2 ms for one of G.722, 2 ms more where the rate has to
        be changed. `tuple(audio.frames(codec))` makes all of them at once.
        """
        frames = self._frames.get(codec)
        if frames is None:
            rate = codec.sample_rate
            if rate in self._pcm:
                frames = _Frames(codec, self._pcm[rate], None)
            else:
                ((own_rate, samples),) = self._pcm.items()
                frames = _Frames(codec, samples, Resampler(own_rate, rate))
            self._frames[codec] = frames
        return frames.complete or frames


class _Frames(Sequence[bytes]):
    """Frames that are encoded one after another, up to the last one that was asked for."""

    __slots__ = ("_codec", "_encoder", "_length", "_made", "_resampler", "_samples", "complete")

    def __init__(self, codec: Codec, samples: "array[int]", resampler: Resampler | None) -> None:
        self._codec = codec
        self._samples = samples
        self._resampler = resampler
        self._encoder = G722Encoder()
        count = resampler.length(len(samples)) if resampler else len(samples)
        self._length = -(-count // (codec.sample_rate // FRAMES_PER_SECOND))
        self._made: list[bytes] = []
        self.complete: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return tuple(self)[index]
        if index < 0:
            index += self._length
        if not 0 <= index < self._length:
            raise IndexError(index)
        while len(self._made) <= index:
            self._make_next()
        return self._made[index]

    def _make_next(self) -> None:
        size = self._codec.sample_rate // FRAMES_PER_SECOND
        start = len(self._made) * size
        if self._resampler is None:
            samples = self._samples[start : start + size]
        else:
            samples = self._resampler.part(self._samples, start, start + size)
        if len(samples) < size:
            samples.extend([0] * (size - len(samples)))
        self._made.append(self._encode(samples))
        if len(self._made) == self._length:
            self.complete = tuple(self._made)

    def _encode(self, samples: "array[int]") -> bytes:
        match self._codec:
            case Codec.PCMU:
                return encode_ulaw(samples)
            case Codec.PCMA:
                return encode_alaw(samples)
            case Codec.G722:
                return self._encoder.encode(samples)
