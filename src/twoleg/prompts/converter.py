"""Converting files without blocking anybody, and without trusting a file with our process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from twoleg.prompts.sound import PromptSound, UnplayableSound

AT_ONCE: Final = 2
"""Conversions that run at a time; others wait, each with its file still on disk."""

TIMEOUT_SECONDS: Final = 120.0

PROGRAM: Final = str(Path(__file__).with_name("conversion.py"))
"""Run by its path: it needs nothing of this package, and starts so much sooner."""

log = structlog.get_logger(__name__)


class FileProblem(StrEnum):
    """Why a file is no prompt."""

    UNREADABLE = "unreadable"
    TOO_LONG = "too_long"
    EMPTY = "empty"


class UnusableFile(Exception):
    """A file that cannot be played; `problem` says why."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem)
        self.problem = problem


class Converter:
    """Makes of files what calls play, each in a process of its own."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def convert(self, read: Callable[[], Awaitable[bytes]]) -> PromptSound:
        """Return the sound of the file that `read` gives, when its turn comes.

        Raises UnusableFile.
        """
        async with self._turns:
            return await _convert(await read())


async def _convert(data: bytes) -> PromptSound:
    if not data:
        raise UnusableFile(FileProblem.EMPTY)
    process = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            replied, _ = await process.communicate(data)
    except TimeoutError as error:
        raise UnusableFile(FileProblem.UNREADABLE) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        log.warning("a file ended its conversion", status=process.returncode, size=len(data))
        raise UnusableFile(FileProblem.UNREADABLE)
    return _sound(replied)


def _sound(replied: bytes) -> PromptSound:
    line, _, rest = replied.partition(b"\n")
    reply = json.loads(line)
    if "error" in reply:
        raise UnusableFile(FileProblem(reply["error"]))
    payloads = {}
    for codec, size in reply["bytes"].items():
        payloads[codec], rest = rest[:size], rest[size:]
    try:
        return PromptSound.of(payloads)
    except UnplayableSound as error:
        raise UnusableFile(FileProblem.EMPTY) from error
