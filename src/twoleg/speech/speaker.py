"""Speaking texts without blocking anybody, and without trusting the library with our process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from array import array
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

from twoleg.media import Audio
from twoleg.speech.voices import Voice, Voices, voice_for

MAX_TEXT: Final = 2000
"""Characters: some two minutes of speech."""

WORDS_PER_MINUTE: Final = 150
"""Slower than espeak-ng's own 175: these are heard once, on a telephone."""

TIMEOUT_SECONDS: Final = 60.0
STOP_SECONDS: Final = 2.0
LONGEST_REPLY: Final = 5 * 60 * 16_000 * 2
"""Bytes."""

PROGRAM: Final = str(Path(__file__).with_name("program.py"))
"""Run by its path: it needs nothing of this package, and starts so much sooner."""


class SpeechFailed(Exception):
    """A text could not be spoken; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Speaker:
    """Speaks one text after another. Made by `Speaker.open`.

    espeak-ng and Piper run in a child process, which is begun with the first text and anew after a
    crash: a text that breaks a library ends one prompt, and no calls.
    """

    def __init__(self, voices: Voices) -> None:
        self.voices = voices
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, voices: Voices | None = None) -> AsyncIterator[Self]:
        """Be able to speak until the block is left; by espeak-ng alone without `voices`."""
        speaker = cls(voices or Voices())
        try:
            yield speaker
        finally:
            await speaker._stop()

    async def speak(self, text: str, language: str, *, plain: bool = False) -> Audio:
        """Return the text, spoken by the best voice of its language; by espeak-ng's if `plain`.

        Raises SpeechFailed, and UnknownLanguage.
        """
        if len(text) > MAX_TEXT:
            raise SpeechFailed(f"The text may have {MAX_TEXT} characters at most")
        if not text.strip():
            raise SpeechFailed("There is nothing to say in this text")
        voice = Voice(voice_for(language)) if plain else self.voices.best(language)
        # The library takes what stands after a NUL for something else.
        request: dict[str, Any] = {"text": text.replace("\0", " ")}
        if voice.file is None:
            request |= {"voice": voice.name, "words_per_minute": WORDS_PER_MINUTE}
        else:
            request |= {"file": str(voice.file)}
        async with self._turn:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    spoken = await self._ask(request)
            except BaseException as error:
                # What is under way in the pipe would be taken for the next text's reply.
                await self._stop()
                if isinstance(error, TimeoutError | OSError | asyncio.IncompleteReadError):
                    raise SpeechFailed("The program that speaks gave up") from error
                raise
        if not all(spoken.values()):
            raise SpeechFailed("There is nothing to say in this text")
        return Audio(spoken)

    async def _ask(self, request: dict[str, Any]) -> dict[int, array[int]]:
        process = self._process
        if process is None or process.returncode is not None:
            self._process = process = await asyncio.create_subprocess_exec(
                # -P: the modules beside the program are not what others mean by their names.
                *(sys.executable, "-P", PROGRAM),
                stdin=PIPE,
                stdout=PIPE,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        await process.stdin.drain()
        reply = json.loads(await process.stdout.readuntil(b"\n"))
        if "error" in reply:
            raise SpeechFailed(str(reply["error"]))
        spoken = {}
        for rate, size in reply["bytes"].items():
            if size > LONGEST_REPLY:
                raise SpeechFailed("The speech is too long")
            spoken[int(rate)] = samples = array("h")
            samples.frombytes(await process.stdout.readexactly(size))
        return spoken

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                # Reads what nobody wants any more, too: a pipe that is not at its end stays open.
                await process.communicate()
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()
            if not isinstance(error, TimeoutError):
                raise
