"""Bound pairs of sockets for legs: opened when they are needed, and kept for a later leg.

Opening and closing a pair takes a dozen calls of the kernel. Those that a leg gives back are
therefore left open, and drained, while they rest like any other.
"""

import errno
import resource
import time
from collections.abc import Callable
from math import inf
from typing import Final

from twoleg.media.ports import QUARANTINE_SECONDS, PortPairs
from twoleg.media.relay import ControlRelay, Relay
from twoleg.media.socket_pair import SocketPair

MAX_KEPT: Final = 8192
"""Pairs left open at most; each takes 4 kB of kernel memory."""

SHARE_OF_RANGE: Final = 0.5
"""How much of the range they may take, at most: the other half is for whoever shares it."""

SHARE_OF_DESCRIPTORS: Final = 0.5
"""How much of the limit of open files they may take, at most; a pair takes two.

They are closed before a leg has to go without.
"""

LOOK_SECONDS: Final = 30.0
"""How often those are closed that nobody needed since the last time."""

HELD_UP_SECONDS: Final = 1.0
"""Who has not looked for so long was held up: the relays may have drained nothing meanwhile."""

_OUT_OF_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})


class SocketPairs:
    """Hands out the pairs of a range as sockets that the relays drain."""

    def __init__(
        self,
        ports: range,
        host: str,
        relay: Relay,
        control: ControlRelay,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ports = PortPairs(ports)
        self._clock = clock
        self._host = host
        self._relay = relay
        self._control = control
        self._most = most_kept(self.free, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._kept: dict[int, SocketPair] = {}
        self._look_at = 0.0
        self._looked_at = self._held_up_at = -inf

    @property
    def free(self) -> int:
        """How many could be taken now."""
        return self._ports.free(self._clock())

    @property
    def kept(self) -> int:
        """How many are open although no leg has them."""
        return len(self._kept)

    def take(self) -> SocketPair:
        """Give a pair that nobody else has. Raises NoPortsLeft, or OSError."""
        now = self._clock()
        while True:
            port = self._ports.take(now)
            pair = self._kept.pop(port, None)
            if pair is not None:
                if not self._drained(now):
                    pair.discard_waiting()
                return pair
            try:
                return self._opened(port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    self._ports.release(port, now)
                    raise
                self._ports.found_in_use(port, now)

    def give_back(self, pair: SocketPair) -> None:
        """Let a pair rest, and others have it then."""
        pair.stream = pair.control = pair.protection = None
        keep = len(self._kept) < self._most
        if keep:
            self._kept[pair.port] = pair
        else:
            self._close(pair)
        self._ports.release(pair.port, self._clock(), left_open=keep)

    def look(self, now: float) -> None:
        """Close what is kept and was not needed for some time; to be called every now and then."""
        if now - self._looked_at >= HELD_UP_SECONDS:
            self._held_up_at = now
        self._looked_at = now
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        for port in self._ports.close_unneeded(now):
            pair = self._kept.pop(port, None)
            if pair is not None:
                self._close(pair)

    def close(self) -> None:
        """Close all that is kept."""
        while self._kept:
            self._close(self._kept.popitem()[1])

    def _drained(self, now: float) -> bool:
        """Whether the relays have drained what rests all the time that it has rested.

        Otherwise what came for the leg before may still wait in the kernel; to ask it takes two
        system calls a pair, each of which ends with an exception.
        """
        return (
            now - self._looked_at < HELD_UP_SECONDS and now - self._held_up_at >= QUARANTINE_SECONDS
        )

    def _opened(self, port: int) -> SocketPair:
        while True:
            try:
                pair = SocketPair(self._host, port)
                break
            except OSError as error:
                if error.errno not in _OUT_OF_FILES or not self._kept:
                    raise
            self._close(self._kept.pop(next(iter(self._kept))))
        self._relay.add(pair)
        self._control.add(pair)
        return pair

    def _close(self, pair: SocketPair) -> None:
        self._relay.remove(pair.rtp)
        self._control.remove(pair)
        pair.close()


def most_kept(pairs: int, descriptors: int) -> int:
    """Say how many of so many pairs may be kept by who may open so many files."""
    most = min(MAX_KEPT, int(pairs * SHARE_OF_RANGE))
    if descriptors == resource.RLIM_INFINITY:
        return most
    return min(most, round(descriptors * SHARE_OF_DESCRIPTORS / 2))
