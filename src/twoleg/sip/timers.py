"""Time as data: RFC 3261's timers, and the one list of deadlines that the user agent keeps."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

COMPACT_ABOVE = 256
"""A heap with more cancelled entries than this, and than live ones, is rebuilt."""


class Timer(Enum):
    """Every timer of the core; A to M are those of RFC 3261 table 4 and RFC 6026."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    A = "A"  # INVITE request retransmit, unreliable transports
    B = "B"  # INVITE client transaction timeout
    D = "D"  # wait for retransmitted 300-699
    E = "E"  # non-INVITE request retransmit, unreliable transports
    F = "F"  # non-INVITE client transaction timeout
    G = "G"  # INVITE 300-699 retransmit, unreliable transports
    H = "H"  # wait for the ACK
    I = "I"  # noqa: E741 - RFC 3261's name: wait for ACK retransmits
    J = "J"  # wait for non-INVITE request retransmits
    K = "K"  # wait for non-INVITE response retransmits
    L = "L"  # wait for INVITE retransmits after our 2xx (RFC 6026)
    M = "M"  # wait for further 2xx (RFC 6026)
    GIVE_UP = "give up"  # CANCEL brought no final response within 64*T1 (RFC 3261 9.1)
    SUCCESS_RETRANSMIT = "2xx retransmit"  # our 2xx until its ACK (RFC 3261 13.3.1.4)
    SUCCESS_TIMEOUT = "2xx timeout"  # our 2xx was never acknowledged
    RELIABLE_RETRANSMIT = "reliable 1xx retransmit"  # until its PRACK (RFC 3262 3)
    RELIABLE_TIMEOUT = "reliable 1xx timeout"
    GLARE = "glare"  # our offer met the peer's: try again (RFC 3261 14.1)
    SESSION_REFRESH = "session refresh"  # RFC 4028: time to refresh
    SESSION_EXPIRY = "session expiry"  # RFC 4028: the peer is gone


@dataclass(frozen=True, slots=True)
class Intervals:
    """How long each timer runs, in seconds, on unreliable and on reliable transports."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def patience(self) -> float:
        """64*T1: how long anything is waited for."""
        return 64 * self.t1

    def durations(self, *, reliable: bool) -> dict[Timer, float | None]:
        """First duration of each transaction timer; None: it does not run, 0: fires at once."""
        patience = self.patience
        return {
            Timer.A: None if reliable else self.t1,
            Timer.B: patience,
            Timer.D: 0.0 if reliable else max(32.0, patience),
            Timer.E: None if reliable else self.t1,
            Timer.F: patience,
            Timer.G: None if reliable else self.t1,
            Timer.H: patience,
            Timer.I: 0.0 if reliable else self.t4,
            Timer.J: 0.0 if reliable else patience,
            Timer.K: 0.0 if reliable else self.t4,
            Timer.L: patience,
            Timer.M: patience,
        }


class TimerOwner(Protocol):
    """Whoever set a deadline."""

    def timer_fired(self, timer: Timer) -> None:
        """Take note: the deadline has passed and was not cancelled. Called once."""


class Deadline:
    """One entry of the heap. Cancelling only marks it; the heap drops it later."""

    __slots__ = ("owner", "sequence", "timer", "when")

    def __init__(self, when: float, sequence: int, owner: TimerOwner, timer: Timer) -> None:
        self.when = when
        self.sequence = sequence
        self.owner: TimerOwner | None = owner
        self.timer = timer


class Deadlines:
    """A heap with lazy deletion. Amortised O(log n) to set, O(1) to cancel and to ask."""

    __slots__ = ("_cancelled", "_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Deadline]] = []
        self._sequence = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def set(self, when: float, owner: TimerOwner, timer: Timer) -> Deadline:
        """Have `owner.timer_fired(timer)` called once `when` has come."""
        self._sequence = sequence = self._sequence + 1
        deadline = Deadline(when, sequence, owner, timer)
        heapq.heappush(self._heap, (when, sequence, deadline))
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Forget a deadline. One that has fired, or was cancelled before, is left alone."""
        if deadline.owner is None:
            return
        deadline.owner = None
        self._cancelled += 1
        if self._cancelled > COMPACT_ABOVE and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].owner is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next(self) -> float | None:
        """Return the earliest deadline, None if there is none."""
        heap = self._heap
        while heap and heap[0][2].owner is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def due(self, now: float) -> Iterator[tuple[TimerOwner, Timer]]:
        """Take out, in order, what is due; what is set meanwhile and due is taken out too."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            deadline = heapq.heappop(heap)[2]
            owner = deadline.owner
            if owner is None:
                self._cancelled -= 1
                continue
            deadline.owner = None
            yield owner, deadline.timer
            heap = self._heap
