"""Runs the parts of twoleg as child processes, keeps them up, and ends them together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence

import structlog

from twoleg.cli.exit_codes import ExitCode

READY = "ready "
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0
STEADY_SECONDS = 30.0
"""A part that ran for so long starts again after the first pause, not after a longer one."""

log = structlog.get_logger()


class PartFailed(Exception):
    """A part ended in a way that starting it again will not mend (its own log says why)."""

    def __init__(self, part: str, exit_code: int) -> None:
        super().__init__(f"{part} ended with exit code {exit_code}")
        self.part = part
        self.exit_code = exit_code


class Supervisor:
    """Starts parts, starts one again that fell over, and passes a stop on to all."""

    def __init__(
        self,
        parts: Sequence[str],
        *,
        environment: Mapping[str, str],
        stop_seconds: float,
        on_ready: Callable[[Mapping[str, str]], Mapping[str, str]],
    ) -> None:
        """Take the `parts` by their command's name.

        `environment` is added to our own. `on_ready` is called once, when each has printed its
        first `ready ...` line, with the words that followed; what it returns is added for parts
        that are started again. A part that has not ended `stop_seconds` after it was told to is
        killed.
        """
        self._parts = parts
        self._environment = {**os.environ, **environment}
        self._stop_seconds = stop_seconds
        self._on_ready = on_ready
        self._said: dict[str, str] = {}
        self._announced = False

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the parts up until `stop` is set; return when all have ended.

        Raises PartFailed, after the others were ended, when a part says that its configuration
        keeps it from running.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts:
                    group.create_task(self._keep(part, stop), name=f"keep {part}")
        except ExceptionGroup as several:
            # What `except*` raises some versions of Python put into a group again.
            failures, others = several.split(PartFailed)
            if failures is None or others is not None:
                raise
            raise failures.exceptions[0] from None

    async def _keep(self, part: str, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while not stop.is_set():
            started_at = loop.time()
            exit_code = await self._run_once(part, stop)
            if stop.is_set():
                return
            if exit_code == ExitCode.CONFIG:
                raise PartFailed(part, exit_code)
            if loop.time() - started_at >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log.error("part ended by itself", part=part, exit_code=exit_code, again_in=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _run_once(self, part: str, stop: asyncio.Event) -> int:
        """Start `part`, and return its exit code once it has ended, told to or not."""
        # A session of its own: Ctrl-C in a terminal reaches us alone, and we end it in order.
        # Our end of its standard input is its lifeline (see stopping.py).
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "twoleg", part, "--supervised",
            stdin=PIPE, stdout=PIPE, env=self._environment, start_new_session=True,
        )  # fmt: skip
        stopping = asyncio.ensure_future(stop.wait())
        listening = asyncio.ensure_future(self._listen(part, process))
        try:
            await asyncio.wait({stopping, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                return await process.wait()
        finally:
            stopping.cancel()
            await self._end(process)
            await listening
        return await process.wait()

    async def _listen(self, part: str, process: Process) -> None:
        """Read what `part` prints, until it ends."""
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode(errors="replace").strip()
            if text.startswith(READY):
                self._said[part] = text.removeprefix(READY)
                log.debug("part ready", part=part)
            if not self._announced and len(self._said) == len(self._parts):
                self._announced = True
                self._environment |= self._on_ready(self._said)

    async def _end(self, process: Process) -> None:
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._stop_seconds)
        except TimeoutError:
            log.error("part did not end in time and is killed", pid=process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
