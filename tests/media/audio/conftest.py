"""A clock's event loop in virtual time."""

import asyncio
import heapq
from collections.abc import Iterator

import pytest


class VirtualLoop:
    """The two methods of an event loop that `FrameClock` uses, in a time that the test moves."""

    def __init__(self):
        self.now = 1000.0
        self.timers = []
        self.most_timers = 0

    def time(self):
        return self.now

    def call_at(self, when, callback):
        handle = VirtualTimer(when, callback)
        heapq.heappush(self.timers, handle)
        self.most_timers = max(self.most_timers, self.timers_set)
        return handle

    @property
    def timers_set(self):
        return sum(1 for timer in self.timers if not timer.canceled)

    def advance(self, seconds, lateness=0.0):
        """Pass time, firing each timer `lateness` after its time."""
        end = self.now + seconds
        while self.timers and max(self.now, self.timers[0].when + lateness) <= end:
            timer = heapq.heappop(self.timers)
            if not timer.canceled:
                self.now = max(self.now, timer.when + lateness)
                timer.callback()
        self.now = max(self.now, end)


class VirtualTimer:
    def __init__(self, when, callback):
        self.when = when
        self.callback = callback
        self.canceled = False

    def __lt__(self, other):
        return self.when < other.when

    def cancel(self):
        self.canceled = True


@pytest.fixture
def virtual_loop(monkeypatch) -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop
