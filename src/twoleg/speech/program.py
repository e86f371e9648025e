"""The program that speaks: espeak-ng, and Piper where it has voices, in a process of their own.

It reads a JSON object a line, `{"text": ..., "voice": ..., "words_per_minute": ...}` for espeak-ng,
`{"text": ..., "file": ...}` for a voice file of Piper, and answers each with a line
`{"bytes": {"8000": N, "16000": M}}` and so many bytes of 16-bit mono samples at each rate, or with
a line `{"error": ...}`. It ends with its standard input.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from array import array
from typing import IO, Any, Final

import av
import espeakng_loader

RATES: Final = (8_000, 16_000)

NICENESS: Final = 5

_RETRIEVAL: Final = 1  # AUDIO_OUTPUT_RETRIEVAL: samples go to the callback
_CHARACTERS_UTF8: Final = 1
_POSITION_CHARACTER: Final = 1
_RATE_PARAMETER: Final = 1
_CHUNK_MILLISECONDS: Final = 200

_Callback: Final = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Espeak:
    """espeak-ng, whose library is one to a process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self._rate = self._library.espeak_Initialize(_RETRIEVAL, _CHUNK_MILLISECONDS, data, 0)
        if self._rate <= 0:
            raise OSError("espeak-ng cannot be initialised")
        self._spoken = array("h")
        # Kept, or the library would call what is gone.
        self._callback = _Callback(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, words_per_minute: int) -> dict[int, bytes]:
        """Return what was spoken, at each of `RATES`. Raises ValueError for an unknown voice."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"no voice {voice!r}")
        self._library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)
        self._spoken = array("h")
        encoded = text.encode() + b"\0"
        failed = self._library.espeak_Synth(
            encoded, len(encoded), 0, _POSITION_CHARACTER, 0, _CHARACTERS_UTF8, None, None
        )
        if failed:
            raise ValueError("espeak-ng would not speak")
        self._library.espeak_Synchronize()
        return at_rates(self._spoken.tobytes(), self._rate)

    def _hear(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._spoken.frombytes(ctypes.string_at(samples, 2 * count))
        return 0


class Piper:
    """Piper with one voice file."""

    def __init__(self, file: str) -> None:
        """Load the file, which takes a second. Raises whatever is wrong with it."""
        # An extra, which is not there where no voice is configured.
        from piper import PiperVoice

        self._voice = PiperVoice.load(file)

    def speak(self, text: str) -> dict[int, bytes]:
        """Return what was spoken, at each of `RATES`."""
        chunks = list(self._voice.synthesize(text))
        samples = b"".join([chunk.audio_int16_bytes for chunk in chunks])
        return at_rates(samples, chunks[0].sample_rate if chunks else RATES[0])


class Speech:
    """Whatever speaks, begun once it is asked for."""

    def __init__(self) -> None:
        self._espeak: Espeak | None = None
        self._pipers: dict[str, Piper] = {}

    def speak(self, text: str, file: str | None = None, **how: Any) -> dict[int, bytes]:
        """Return what was spoken, by the voice file if there is one. Raises ValueError."""
        if file is None:
            self._espeak = self._espeak or Espeak()
            return self._espeak.speak(text, **how)
        try:
            if file not in self._pipers:
                self._pipers[file] = Piper(file)
            return self._pipers[file].speak(text)
        # What a file that is none of Piper's has it raise is nowhere listed.
        except Exception as error:
            raise ValueError(f"Piper cannot use {file}: {error}") from error


def at_rates(samples: bytes, rate: int) -> dict[int, bytes]:
    """Return 16-bit mono samples of one rate at each of `RATES`."""
    return {wanted: _resampled(samples, rate, wanted) for wanted in RATES}


def _resampled(samples: bytes, rate: int, wanted: int) -> bytes:
    if not samples:
        return b""
    spoken = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
    spoken.sample_rate = rate
    spoken.planes[0].update(samples)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=wanted)
    frames = [*resampler.resample(spoken), *resampler.resample(None)]
    return b"".join([bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames])


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    # Speech may wait; the audio of calls on the same processor may not.
    os.nice(NICENESS)
    speech = Speech()
    for line in requests:
        try:
            spoken = speech.speak(**json.loads(line))
        except (ValueError, TypeError) as error:
            replies.write(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            sizes = {rate: len(samples) for rate, samples in spoken.items()}
            replies.write(json.dumps({"bytes": sizes}).encode() + b"\n")
            replies.writelines(spoken.values())
        replies.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
