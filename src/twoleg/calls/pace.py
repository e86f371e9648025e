"""How fast calls may leave the queue, so that an engine takes no more than it can serve well.

An engine without a moment to spare is late with everything at once: far ends send again what waits
to be read, agents hear silence, and each call costs more than it would have. Calls in the
database's queue cost nothing, and another engine may take them.
"""

from __future__ import annotations

import asyncio
from typing import Final

SAMPLE_SECONDS: Final = 0.05
"""How often it is measured how late the event loop is."""

CALM_SECONDS: Final = 0.04
"""Lateness up to which the pace rises."""

LATE_SECONDS: Final = 0.1
"""Lateness from which on the engine is overloaded."""

FASTEST: Final = 2_000.0
"""Calls a second; more than any engine places."""

SLOWEST: Final = 5.0
"""Calls a second even when overloaded: what makes the machine slow may be none of ours."""

RISE_PER_SECOND: Final = 40.0
"""By how many calls a second the pace rises within a second of calm."""

FALL: Final = 0.7
"""What is left of the pace once it was too fast."""

BURST_SECONDS: Final = 0.1
"""So much of the pace may be used at once."""

_SMOOTHING: Final = 0.3
"""The weight of the newest measurement."""


class Pace:
    """A rate of claims that rises while the event loop keeps up, and falls when it does not.

    Pure: times are the caller's, in seconds.
    """

    def __init__(self, now: float) -> None:
        self.lateness = 0.0
        """How late the event loop is, smoothed, in seconds."""

        self.rate = FASTEST
        """Calls a second."""

        self._claims = FASTEST * BURST_SECONDS
        self._refilled_at = now
        self._measured_at = now
        self.claims_per_second = 0.0
        """Of late: what the pace falls from, if it was not used to the full."""

    @property
    def overloaded(self) -> bool:
        return self.lateness > LATE_SECONDS

    def measured(self, late: float, now: float) -> None:
        """Take note that the event loop came `late` seconds late to something."""
        was_overloaded = self.overloaded
        self.lateness += (late - self.lateness) * _SMOOTHING
        elapsed, self._measured_at = now - self._measured_at, now
        self._refill(now)
        if self.overloaded:
            if not was_overloaded:
                self.rate = max(
                    SLOWEST, FALL * min(self.rate, max(self.claims_per_second, SLOWEST))
                )
        elif self.lateness <= CALM_SECONDS:
            self.rate = min(FASTEST, self.rate + RISE_PER_SECOND * elapsed)
        self.claims_per_second -= self.claims_per_second * min(1.0, elapsed)

    def allowance(self, now: float) -> int:
        """How many calls may be claimed now."""
        self._refill(now)
        return max(0, int(self._claims))

    def claimed(self, calls: int) -> None:
        """Take note of claims."""
        self._claims -= calls
        self.claims_per_second += calls

    def _refill(self, now: float) -> None:
        elapsed, self._refilled_at = now - self._refilled_at, now
        rate = SLOWEST if self.overloaded else self.rate
        most = max(1.0, rate * BURST_SECONDS)
        self._claims = min(most, self._claims + rate * elapsed)


async def keep_pace(pace: Pace) -> None:
    """Measure how late this event loop is, for as long as it runs."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + SAMPLE_SECONDS
        await asyncio.sleep(SAMPLE_SECONDS)
        now = loop.time()
        pace.measured(max(0.0, now - due), now)
