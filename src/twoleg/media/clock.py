"""One 20 ms clock for everything that plays: one timer, no drift, no bursts."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

FRAME_SECONDS: Final = 0.020
"""How often each subscriber is called."""

SLOTS: Final = 5
"""A frame's time is cut into so many slots; subscribers are spread over them.

Five hundred prompts then leave as five bursts of a hundred, 4 ms apart, rather than as one that
fills a far end's socket buffer and delays whatever else the loop has to do.
"""

SLOT_SECONDS: Final = FRAME_SECONDS / SLOTS

MAX_FRAMES_BEHIND: Final = 5
"""A loop that was held up makes up for so many frames at once; older ones are not made up for.

100 ms is what a telephone's jitter buffer still smooths out.
"""

_EARLY_SECONDS: Final = 0.001
"""uvloop rounds timers to the millisecond, and may fire one that much before its time."""

_logger = logging.getLogger(__name__)


class Subscription:
    """A place on the clock, given back by `cancel`."""

    __slots__ = ("_callback", "_clock", "_slot")

    def __init__(self, clock: "FrameClock", slot: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._slot = slot
        self._callback: Callable[[], None] | None = callback

    @property
    def active(self) -> bool:
        """Whether the callback will be called again."""
        return self._callback is not None

    def cancel(self) -> None:
        """Call the callback no more. Idempotent, and allowed within any callback."""
        if self._callback is not None:
            self._callback = None
            self._clock._remove(self, self._slot)  # noqa: SLF001

    def _run(self) -> None:
        callback = self._callback
        if callback is None:
            return
        try:
            callback()
        except Exception:
            _logger.exception("a player failed and was taken off the clock")
            self.cancel()


class FrameClock:
    """Calls each subscriber every 20 ms, in the event loop in which the first one is subscribed.

    Deadlines are counted from the start, so that lateness never adds up. The timer runs only while
    something is subscribed.
    """

    def __init__(self) -> None:
        self._slots: tuple[dict[Subscription, None], ...] = tuple({} for _ in range(SLOTS))
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._start = 0.0
        self._turn = 0  # slots since the start; turn n is due at start + n * SLOT_SECONDS
        self._wakes_at = 0  # the turn for which the timer is set
        self._running = False

    def subscribe(self, callback: Callable[[], None]) -> Subscription:
        """Call `callback` every 20 ms, first within the next 20 ms, until it is cancelled.

        A callback that raises is logged and taken off the clock. When the loop was held up,
        a callback is called several times in a row, to make up for what it missed.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        if not self._count:
            self._start = self._loop.time()
            self._turn = 1
        slots, turn = self._slots, self._turn
        fewest = min(map(len, slots))
        while len(slots[turn % SLOTS]) > fewest:
            turn += 1
        slot = turn % SLOTS
        subscription = Subscription(self, slot, callback)
        slots[slot][subscription] = None
        self._count += 1
        if not self._running and (self._timer is None or turn < self._wakes_at):
            self._set_timer()
        return subscription

    def __len__(self) -> int:
        """How many are subscribed."""
        return self._count

    def _remove(self, subscription: Subscription, slot: int) -> None:
        del self._slots[slot][subscription]
        self._count -= 1
        if not self._count and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        """Wake at the next slot that has subscribers; a wake-up for an empty one would be waste."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is None or not self._count:
            return
        turn = self._turn
        while not self._slots[turn % SLOTS]:
            turn += 1
        self._wakes_at = turn
        self._timer = self._loop.call_at(self._start + turn * SLOT_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._loop is None:
            return
        now = self._loop.time()
        due = int((now + _EARLY_SECONDS - self._start) / SLOT_SECONDS)
        turns = range(max(self._turn, due + 1 - MAX_FRAMES_BEHIND * SLOTS), due + 1)
        self._running = True
        try:
            for turn in turns:
                # Before its subscribers run: one that subscribes anew comes to a later turn.
                self._turn = turn + 1
                for subscription in tuple(self._slots[turn % SLOTS]):
                    subscription._run()  # noqa: SLF001
        finally:
            self._running = False
            self._set_timer()
