"""Time as data: RFC 3261's timers, and the one list of deadlines that the user agent keeps."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Protocol

from twoleg.sip.values import immutable

COMPACT_ABOVE = 256
"""With more cancelled deadlines than this, and than live ones, the list is made anew."""


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
    PROVISIONAL_RETRANSMIT = "1xx retransmit"  # our reliable 1xx until its PRACK (RFC 3262 3)
    PROVISIONAL_TIMEOUT = "1xx timeout"  # our reliable 1xx never had its PRACK
    GLARE = "glare"  # our offer met the peer's: try again (RFC 3261 14.1)
    SESSION_REFRESH = "session refresh"  # RFC 4028: time to refresh
    SESSION_EXPIRY = "session expiry"  # RFC 4028: the peer is gone


@immutable()
class Intervals:
    """How long each timer runs, in seconds, on unreliable and on reliable transports."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def patience(self) -> float:
        """64*T1: how long anything is waited for."""
        return 64 * self.t1

    @property
    def silence(self) -> float:
        """16*T1: how long an address may say nothing where another is left to be tried.

        By then it was asked five times. RFC 3263 4.3 has 64*T1 pass, half a minute for each.
        """
        return 16 * self.t1

    def usual(self) -> frozenset[float]:
        """Return the durations that nearly all deadlines have."""
        doublings = {self.t1 * 2**step for step in range(7)}
        fixed = {seconds for seconds in self.durations(reliable=False).values() if seconds}
        return frozenset(doublings | fixed | {0.0, self.t2, self.t4, self.patience})

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
    """One entry of the list. Cancelling only marks it; the list drops it later."""

    __slots__ = ("owner", "timer", "when")

    def __init__(self, when: float, owner: TimerOwner, timer: Timer) -> None:
        self.when = when
        self.owner: TimerOwner | None = owner
        self.timer = timer


class Deadlines:
    """All deadlines, in queues: one for each usual duration, of one deadline for what is unusual.

    Time never goes back, so that of two deadlines with the same duration the later set is the
    later due. A heap holds each queue that is not empty by its first deadline: whatever is done
    costs the same, amortised, however many there are.
    """

    __slots__ = ("_cancelled", "_heap", "_length", "_queues", "_sequence")

    def __init__(self, usual: Iterable[float] = ()) -> None:
        self._queues: dict[float, deque[Deadline]] = {seconds: deque() for seconds in usual}
        self._heap: list[tuple[float, int, deque[Deadline]]] = []
        self._sequence = 0
        self._length = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return self._length - self._cancelled

    def set(self, now: float, seconds: float, owner: TimerOwner, timer: Timer) -> Deadline:
        """Have `owner.timer_fired(timer)` called once `seconds` have passed."""
        when = now + seconds
        deadline = Deadline(when, owner, timer)
        self._length += 1
        queue = self._queues.get(seconds)
        if queue and queue[-1].when <= when:
            queue.append(deadline)
            return deadline
        if queue is None or queue:
            queue = deque()
        queue.append(deadline)
        self._sequence = sequence = self._sequence + 1
        heapq.heappush(self._heap, (when, sequence, queue))
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Forget a deadline. One that has fired, or was cancelled before, is left alone."""
        if deadline.owner is None:
            return
        deadline.owner = None
        self._cancelled += 1
        if self._cancelled > COMPACT_ABOVE and self._cancelled * 2 > self._length:
            self._compact()

    def next(self) -> float | None:
        """Return the earliest deadline, None if there is none."""
        heap = self._heap
        while heap:
            when, _, queue = heap[0]
            if queue[0].owner is not None:
                return when
            self._advance(queue)
        return None

    def due(self, now: float) -> Iterator[tuple[TimerOwner, Timer]]:
        """Take out, in order, what is due; what is set meanwhile and due is taken out too."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            queue = heap[0][2]
            deadline = queue[0]
            owner = deadline.owner
            if owner is not None:
                queue.popleft()
                self._length -= 1
                deadline.owner = None
            self._advance(queue)
            if owner is not None:
                yield owner, deadline.timer
                heap = self._heap

    def _advance(self, queue: deque[Deadline]) -> None:
        """Drop what was cancelled of the first queue's beginning, and give it its new place."""
        while queue and queue[0].owner is None:
            queue.popleft()
            self._length -= 1
            self._cancelled -= 1
        if queue:
            heapq.heapreplace(self._heap, (queue[0].when, self._heap[0][1], queue))
        else:
            heapq.heappop(self._heap)

    def _compact(self) -> None:
        """Drop all that were cancelled."""
        heap: list[tuple[float, int, deque[Deadline]]] = []
        for _, sequence, queue in self._heap:
            left = [each for each in queue if each.owner is not None]
            queue.clear()
            queue.extend(left)
            if queue:
                heap.append((queue[0].when, sequence, queue))
        heapq.heapify(heap)
        self._heap = heap
        self._length -= self._cancelled
        self._cancelled = 0
