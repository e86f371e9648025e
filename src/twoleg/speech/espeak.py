"""The program that speaks: espeak-ng in a process of its own.

It reads a JSON object a line, `{"text": ..., "voice": ..., "words_per_minute": ...}`, and answers
each with a line `{"bytes": N}` and N bytes of 16-bit mono samples at 16 kHz, or with a line
`{"error": ...}`. It ends with its standard input.
"""

from __future__ import annotations

import ctypes
import json
import sys
from array import array
from typing import IO, Any, Final

import espeakng_loader

from twoleg.media.resample import resample

RATE: Final = 16_000

_RETRIEVAL: Final = 1  # AUDIO_OUTPUT_RETRIEVAL: samples go to the callback
_CHARACTERS_UTF8: Final = 1
_POSITION_CHARACTER: Final = 1
_RATE_PARAMETER: Final = 1
_CHUNK_MILLISECONDS: Final = 200

_Callback: Final = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Voice:
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

    def speak(self, text: str, voice: str, words_per_minute: int) -> array[int]:
        """Return what was spoken, at `RATE`. Raises ValueError for a voice that there is not."""
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
        return resample(self._spoken, self._rate, RATE) if self._spoken else self._spoken

    def _hear(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._spoken.frombytes(ctypes.string_at(samples, 2 * count))
        return 0


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    voice = Voice()
    for line in requests:
        try:
            samples = voice.speak(**json.loads(line)).tobytes()
        except (ValueError, TypeError) as error:
            replies.write(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            replies.write(json.dumps({"bytes": len(samples)}).encode() + b"\n" + samples)
        replies.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
