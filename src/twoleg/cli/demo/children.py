"""The demo's processes: the service, and a simulated phone each for agent and contact."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from twoleg.settings import PREFIX

STOP_SECONDS = 60.0
"""The service ends its parts within 10 s, and then its database; only a hung one is killed."""
LOG_LINES = 20
LOG_SUFFIX = ".log"


class ChildEnded(Exception):
    """A process of the demo ended before it should have; its log says why."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the {name} ended too early")
        self.name = name


def logged(directory: Path) -> str:
    """Return what the processes of `directory` logged last."""
    lines = []
    for log in sorted(directory.glob(f"*{LOG_SUFFIX}")):
        last = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        lines += [f"{log.stem}: {line}" for line in last]
    return "\n".join(lines)


class Child:
    """A process that ends when we do: its standard input is its lifeline."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(
        cls, name: str, arguments: Sequence[str], directory: Path
    ) -> AsyncIterator[Child]:
        """Run `python -m ARGUMENTS` in `directory`, without our settings; end it at the end."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        with (directory / f"{name}{LOG_SUFFIX}").open("ab") as errors:
            # A session of its own: Ctrl-C reaches us alone, and we end the others in order.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *arguments,
                stdin=PIPE, stdout=PIPE, stderr=errors, cwd=directory, env=environment,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield cls(name, process)
        finally:
            await _end(process)

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())

    async def line(self) -> str:
        """Read the next line of its standard output. Raises ChildEnded."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise ChildEnded(self.name)
        return line.decode(errors="replace").strip()


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
