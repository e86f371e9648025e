"""Running a demo: until it is over, somebody stops it, or nothing more comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import httpx

from twoleg.cli.demo.children import ChildEnded
from twoleg.cli.demo.service import UnexpectedReply
from twoleg.cli.demo.simulated import RegistrationRefused
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.stopping import stop_requested

Played = TypeVar("Played")

_FAILURES: Final = (ChildEnded, RegistrationRefused, UnexpectedReply, httpx.TransportError)


class DemoFailed(Exception):
    """It came to no end that could be judged; the message says why."""


def run(play: Callable[[], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
    """Run a demo to its end, or until a signal; whatever it started has ended then."""
    return asyncio.run(_until_stopped(play))


async def within(seconds: float, playing: Awaitable[Played]) -> Played:
    """Return what `playing` comes to. Raises DemoFailed."""
    try:
        async with asyncio.timeout(seconds):
            return await playing
    except TimeoutError as error:
        raise DemoFailed(f"nothing more came within {seconds:.0f} s") from error
    except (*_FAILURES, ExceptionGroup) as error:
        # What runs beside something else fails in a group.
        first = _first(error)
        if not isinstance(first, _FAILURES):
            raise
        raise DemoFailed(str(first) or repr(first)) from error


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until_stopped(play: Callable[[], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
    async with stop_requested() as stop:
        playing = asyncio.create_task(play())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            playing.cancel()  # all that it started is ended before it ends
            with contextlib.suppress(asyncio.CancelledError):
                await playing
        return ExitCode.FAILED if playing.cancelled() else playing.result()
