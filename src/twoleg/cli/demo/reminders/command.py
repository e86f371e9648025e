"""The morning: starts the service, has everybody reminded, and judges how it ended."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console

from twoleg.calls.background import background
from twoleg.cli.demo.children import logged
from twoleg.cli.demo.reminders.board import Board
from twoleg.cli.demo.reminders.cast import DEADLINE_SECONDS, MINUTE_SECONDS
from twoleg.cli.demo.reminders.clinic import all_are_over, appointments, furnish
from twoleg.cli.demo.reminders.verdict import Morning, judge
from twoleg.cli.demo.running import DemoFailed, within
from twoleg.cli.demo.screen import Screen
from twoleg.cli.demo.service import Service
from twoleg.cli.exit_codes import ExitCode

LOOK_SECONDS = 0.5


async def remind_and_judge() -> ExitCode:
    """Have the morning's reminders called, and say whether each ended as it must."""
    console = Console(highlight=False, soft_wrap=True)
    screen = Screen(console)
    with tempfile.TemporaryDirectory(prefix="twoleg-demo-") as directory:
        try:
            with Board(console) as board:
                morning = await within(DEADLINE_SECONDS, _remind(board, Path(directory)))
        except DemoFailed as failure:
            screen.result("demo", str(failure), good=False)
            screen.quote(logged(Path(directory)))
            return ExitCode.FAILED
        if judge(screen, morning):
            return ExitCode.OK
        screen.quote(logged(Path(directory)))
        return ExitCode.FAILED


async def _remind(board: Board, directory: Path) -> Morning:
    board.waiting("starting the service and its simulator")
    minute = ("--reminder-minute-seconds", str(MINUTE_SECONDS))
    async with Service.start(directory, *minute, simulator=True) as service:
        visits = await furnish(service)
        board.open(visits)
        async with background(board.follow(service)):
            found = await appointments(service)
            while not all_are_over(list(found.values())):
                await asyncio.sleep(LOOK_SECONDS)
                found = await appointments(service)
        report = await service.get("/reports/reminders", group_by="outcome")
        ended = [(visit, found[visit.id]) for visit in visits]
    return Morning(ended, report)
