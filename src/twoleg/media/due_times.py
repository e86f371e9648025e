"""When which port has something to do next."""

from heapq import heappop, heappush
from typing import Final

NEVER: Final = float("inf")
"""When that is due which has nothing to do."""


class DueTimes:
    """The due times of many ports, by their numbers, so that only those that are due are touched.

    What was noted once comes up at its time, even if the port has closed, or is due at another time
    by then: that is for the port itself to say.
    """

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[tuple[float, int]] = []

    def note(self, due: float, number: int) -> None:
        """Have a port come up at that time."""
        heappush(self._entries, (due, number))

    def passed(self, now: float) -> set[int]:
        """Give those whose time has come since this was last asked."""
        entries = self._entries
        numbers = set()
        while entries and entries[0][0] <= now:
            numbers.add(heappop(entries)[1])
        return numbers
