"""The demo's end of a simulated phone: starts it, and hears what happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from twoleg.cli.demo.children import Child, ChildEnded
from twoleg.cli.demo.reports import Happening, PhoneScript, Report

PROGRAM = "twoleg.cli.demo.phone"

OnReport = Callable[[str, Report], None]


class RegistrationRefused(Exception):
    """The service did not let the agent's phone register; `status` is None for no answer."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the phone was not registered: {status or 'no answer'}")
        self.status = status


class SimulatedPhone:
    """A phone in a process of its own."""

    def __init__(self, child: Child, on_report: OnReport) -> None:
        self._child = child
        self._on_report = on_report
        loop = asyncio.get_running_loop()
        self._seen: dict[Happening, asyncio.Future[dict[str, Any]]] = {
            happening: loop.create_future() for happening in Happening
        }

    @classmethod
    @asynccontextmanager
    async def start(
        cls, name: str, directory: Path, on_report: OnReport
    ) -> AsyncIterator[SimulatedPhone]:
        """Start it, to wait for its script; `on_report` gets every report with its `name`."""
        async with Child.start(name, [PROGRAM], directory) as child:
            phone = cls(child, on_report)
            listening = asyncio.create_task(phone._listen())
            try:
                yield phone
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    def begin(self, script: PhoneScript) -> None:
        """Say how it is to behave: it listens, and registers, from now on."""
        self._child.tell(script.to_line())

    async def until(self, happening: Happening) -> dict[str, Any]:
        """Wait for the first report of `happening`, and give its facts.

        Raises ChildEnded, RegistrationRefused.
        """
        return await asyncio.shield(self._seen[happening])

    async def _listen(self) -> None:
        try:
            while True:
                self._take(Report.from_line(await self._child.line()))
        except (ChildEnded, RegistrationRefused) as error:
            for waiting in self._seen.values():
                if not waiting.done():
                    waiting.set_exception(error)
                    # It is no fault that nobody waits for most of them.
                    waiting.exception()

    def _take(self, report: Report) -> None:
        self._on_report(self._child.name, report)
        if report.happening is Happening.REFUSED:
            raise RegistrationRefused(report.facts["status"])
        seen = self._seen[report.happening]
        if not seen.done():
            seen.set_result(report.facts)
