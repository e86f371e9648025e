"""Pairs of an even RTP and the next, odd RTCP port (RFC 3550 section 11), and who has them."""

import random
from collections import deque
from typing import Final

QUARANTINE_SECONDS: Final = 3.0
"""A released pair rests, so that an old call's late packets do not reach a new one.

None is under way for longer.
"""

IN_USE_SECONDS: Final = 30.0
"""A pair that another process holds is tried again after so long."""

OPEN_TO_CHOOSE_FROM: Final = 64
"""Pairs that were left open are taken again from so many: a port is not to be foreseen."""


class NoPortsLeft(Exception):
    """Every pair of the range is taken, resting, or in use by another process."""

    def __init__(self, ports: range) -> None:
        super().__init__(f"no RTP ports left from {ports.start} to {ports.stop - 1}")
        self.ports = ports


class PortPairs:
    """Hands out pairs from a range. Pure: sockets and time are the caller's.

    In random order at first, so that the ports of a call cannot be guessed from another's. Pairs
    whose sockets were left open when they were released come first, once there are enough of them
    to choose from.
    """

    def __init__(self, ports: range, quarantine_seconds: float = QUARANTINE_SECONDS) -> None:
        self._range = ports
        self._quarantine_seconds = quarantine_seconds
        first = ports.start + ports.start % 2
        pairs = list(range(first, ports.stop - 1, 2))
        random.shuffle(pairs)
        self._closed = deque(pairs)
        self._open: list[int] = []
        self._not_needed = 0
        """So many of those nobody has needed since `close_unneeded`."""

        self._resting: deque[tuple[float, int, bool]] = deque()
        self._in_use: deque[tuple[float, int]] = deque()

    def take(self, now: float) -> int:
        """Hand out an even port. Raises NoPortsLeft."""
        self._wake(now)
        left_open = self._open
        if len(left_open) > OPEN_TO_CHOOSE_FROM or (left_open and not self._closed):
            chosen = int(random.random() * len(left_open))
            left_open[chosen], left_open[-1] = left_open[-1], left_open[chosen]
            port = left_open.pop()
            self._not_needed = min(self._not_needed, len(left_open))
            return port
        if not self._closed:
            raise NoPortsLeft(self._range)
        return self._closed.popleft()

    def release(self, port: int, now: float, *, left_open: bool = False) -> None:
        """Take a pair back; `left_open` says that its sockets are still there for the next leg."""
        self._resting.append((now + self._quarantine_seconds, port, left_open))

    def found_in_use(self, port: int, now: float) -> None:
        """Leave the pair just taken alone for a while: somebody else holds it."""
        self._in_use.append((now + IN_USE_SECONDS, port))

    def free(self, now: float) -> int:
        """How many pairs could be taken now."""
        self._wake(now)
        return len(self._closed) + len(self._open)

    def close_unneeded(self, now: float) -> list[int]:
        """Say which pairs are to be closed now: they were left open, and nobody needed as many.

        That is, there were as many that were free whenever one was taken since this was last asked.
        """
        closing = [self._open.pop() for _ in range(self._not_needed)]
        self._closed.extend(closing)
        self._wake(now)
        self._not_needed = len(self._open)
        return closing

    def _wake(self, now: float) -> None:
        resting, in_use = self._resting, self._in_use
        while resting and resting[0][0] <= now:
            _, port, left_open = resting.popleft()
            (self._open if left_open else self._closed).append(port)
        while in_use and in_use[0][0] <= now:
            self._closed.append(in_use.popleft()[1])
