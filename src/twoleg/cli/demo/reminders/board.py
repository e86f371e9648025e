"""What the demo shows: a table of appointments that changes, or a line for each change."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from twoleg.cli.demo.reminders.clinic import Visit
from twoleg.cli.demo.service import Service

_NAME_WIDTH: Final = 12
_HAPPENINGS: Final = {
    "call.queued": "is to be called",
    "call.contact_ringing": "rings",
    "call.contact_answered": "is on the line",
    "call.agent_ringing": "waits for staff",
    "call.bridged": "talks to staff",
}
_ENDINGS: Final = {
    "connected": "call is over",
    "contact_busy": "is busy",
    "contact_no_answer": "did not answer",
    "contact_voicemail": "a machine was there",
}
_STYLES: Final = {
    "scheduled": "dim",
    "confirmed": "green",
    "unreachable": "red",
    "cancelled": "yellow",
    "opted_out": "yellow",
}


class Board:
    """Shows what becomes of visits, as events tell it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console) if console.is_terminal else None
        self._started_at = time.monotonic()
        self._visits: dict[int, Visit] = {}
        self._of_contact: dict[int, int] = {}
        self._of_call: dict[int, int] = {}
        self._happening: dict[int, str] = {}
        self._status: dict[int, str] = {}

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def waiting(self, what: str) -> None:
        """Say what happens next."""
        if self._live is not None:
            self._live.update(Text(what, style="dim"))
        else:
            self._print("demo", what)

    def open(self, visits: Sequence[Visit]) -> None:
        """Show the visits."""
        self._visits = {visit.id: visit for visit in visits}
        self._of_contact = {visit.contact_id: visit.id for visit in visits}
        self._status = dict.fromkeys(self._visits, "scheduled")
        self._draw()

    async def follow(self, service: Service) -> None:
        """Show each event as it comes; ends never."""
        async for event in service.events():
            if "appointment_id" in event:
                self._appointment(event)
            else:
                await self._call(service, event)

    def _appointment(self, event: Mapping[str, Any]) -> None:
        visit_id, status = event["appointment_id"], event["data"]["appointment"]["status"]
        if visit_id in self._visits and status != self._status[visit_id]:
            self._status[visit_id] = status
            self._changed(visit_id, f"is {status.replace('_', ' ')}")

    async def _call(self, service: Service, event: Mapping[str, Any]) -> None:
        call_id = event["call_id"]
        if call_id not in self._of_call:
            call = await service.get(f"/calls/{call_id}")
            self._of_call[call_id] = self._of_contact[call["contact_id"]]
        visit_id = self._of_call[call_id]
        told = _HAPPENINGS.get(event["type"])
        if event["type"] == "call.ended":
            outcome = event["data"]["outcome"]
            told = _ENDINGS.get(outcome, outcome.replace("_", " "))
        if told is not None:
            self._happening[visit_id] = told
            self._changed(visit_id, told)

    def _changed(self, visit_id: int, what: str) -> None:
        if self._live is not None:
            self._draw()
        else:
            self._print(self._visits[visit_id].visitor.name, what)

    def _print(self, who: str, what: str) -> None:
        line = Text(f"{time.monotonic() - self._started_at:6.2f} s  ", style="dim")
        line.append(f"{who:{_NAME_WIDTH}}{what}", style="not dim")
        self._console.print(line)

    def _draw(self) -> None:
        if self._live is None:
            return
        table = Table("at", "contact", "does", "call", "appointment", box=None, pad_edge=False)
        for id_, visit in self._visits.items():
            status = self._status[id_]
            table.add_row(
                visit.time,
                visit.visitor.name,
                visit.visitor.does,
                self._happening.get(id_, ""),
                Text(status.replace("_", " "), style=_STYLES.get(status, "cyan")),
            )
        self._live.update(table)
