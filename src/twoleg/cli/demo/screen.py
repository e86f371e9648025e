"""What the demo shows: a line for each thing that happens, and what it waits for."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

STYLES = {"agent": "cyan", "contact": "magenta", "twoleg": "blue", "demo": "dim"}
NAME_WIDTH = 8


class Screen:
    """Prints as things happen; on a terminal the last line says what is waited for."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._started_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def waiting(self, what: str) -> None:
        """Say what happens next."""
        if self._status is not None:
            self._status.update(Text(what, style="dim"))

    def happened(self, who: str, what: str, style: str = "") -> None:
        """Print a line with the seconds since the beginning."""
        line = Text(f"{time.monotonic() - self._started_at:6.2f} s  ", style="dim")
        line.append(f"{who:{NAME_WIDTH}}", style=STYLES.get(who, ""))
        line.append(what, style=style)
        self._console.print(line)

    def result(self, name: str, text: str, *, good: bool) -> None:
        """Print a line of the outcome."""
        line = Text(f"{name:16}", style="bold")
        line.append(text, style="green" if good else "bold red")
        self._console.print(line)

    def quote(self, text: str) -> None:
        """Print what others said, as it is."""
        self._console.print(Text(text, style="dim"))

    def space(self) -> None:
        self._console.print()
