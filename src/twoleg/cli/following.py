"""Shows a call as it goes, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from twoleg.cli.client import Client, Json, RequestRefused, ServiceUnreachable

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 30.0
"""A service that is restarted meanwhile is waited for; the call does not mind."""


def follow_to_its_end(client: Client, call: Json, *, quiet: bool = False) -> Json:
    """Watch `call` until it has ended, and return it then; Ctrl-C hangs it up.

    Shows what happens on standard error, unless `quiet`.
    """
    path = f"/calls/{call['id']}"
    with _Display(Console(stderr=True, quiet=quiet)) as display:
        display.update(call)
        while call["status"] != "ended":
            try:
                time.sleep(POLL_SECONDS)
                call = _patiently(client, path)
            except KeyboardInterrupt:
                client.delete(path)
            display.update(call)
    return call


def _patiently(client: Client, path: str) -> Json:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return client.get(path)
        except (ServiceUnreachable, RequestRefused) as error:
            passing = not isinstance(error, RequestRefused) or (
                error.status == httpx.codes.SERVICE_UNAVAILABLE
            )
            if not passing or time.monotonic() >= give_up:
                raise
        time.sleep(POLL_SECONDS)


class _Display:
    """On a terminal the events so far and what is waited for; elsewhere a line an event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console) if console.is_terminal and not console.quiet else None
        self._printed = 0

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

    def update(self, call: Json) -> None:
        lines = list(_lines(call))
        if self._live is None:
            for line in lines[self._printed :]:
                self._console.print(line)
            self._printed = len(lines)
        elif call["status"] == "ended":
            self._live.update(Group(*lines))
        else:
            waiting = Spinner("dots", Text(call["status"].replace("_", " "), style="dim"))
            self._live.update(Group(*lines, waiting))


def _lines(call: Json) -> Iterator[Text]:
    """Give the call's events, with the seconds since it was placed, and its outcome."""
    placed_at = datetime.fromisoformat(call["created_at"])
    for event in call.get("events", ()):
        after = (datetime.fromisoformat(event["at"]) - placed_at).total_seconds()
        line = Text(f"{after:7.2f} s  ", style="dim")
        line.append(event["type"].removeprefix("call.").replace("_", " "), style="not dim")
        if event.get("answered_by"):
            line.append(f" {event['answered_by']}", style="not dim")
        yield line
    if call["status"] == "ended":
        style = "green" if call["outcome"] == "connected" else "red"
        talked = f", talked {call['talk_seconds']} s" if call.get("talk_seconds") else ""
        yield Text(f"{call['outcome']}, ended by {call['ended_by']}{talked}", style=style)
