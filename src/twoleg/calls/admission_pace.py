"""How long a batch of requests waits for others to share its cost."""

from __future__ import annotations

from typing import Final

LONELY_PER_SECOND: Final = 200.0
"""Requests a second below which nobody waits for company that does not come."""

CROWDED_PER_SECOND: Final = 400.0
"""From here on more come by themselves while the batch before is under way."""

FALL: Final = 4
"""The power of the rate by which the pause falls from there: at 700 a second nobody waits long."""

LONGEST_SECONDS: Final = 0.04
SHORTEST_SECONDS: Final = 0.005

ENOUGH_FOR_A_BATCH: Final = 16


class AdmissionPace:
    """How fast requests have been coming, as far as one batch needs to know.

    A batch costs the database as much by itself as ten calls in it. Pure: times are the caller's,
    in seconds.
    """

    def __init__(self) -> None:
        self._per_second = 0.0
        self._taken_at = 0.0

    def taken(self, count: int, now: float) -> None:
        """Note a batch of `count`, taken at `now`."""
        elapsed = max(now - self._taken_at, SHORTEST_SECONDS)
        self._per_second = (self._per_second + count / elapsed) / 2
        self._taken_at = now

    def pause(self, waiting: int) -> float:
        """Return how many seconds to wait for others, `waiting` being there."""
        if self._per_second < LONELY_PER_SECOND or waiting >= ENOUGH_FOR_A_BATCH:
            return 0.0
        needed = LONGEST_SECONDS * (CROWDED_PER_SECOND / self._per_second) ** FALL
        return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, needed))
