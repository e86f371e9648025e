"""What client and server transactions have in common: a state, and the timers that it starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from twoleg.sip.endpoint import Endpoint
from twoleg.sip.timers import Deadline, Timer
from twoleg.sip.transactions import TIMER_INPUTS, Input, Machine
from twoleg.sip.transport import Transport

_RETRANSMITS: Final = frozenset({Timer.A, Timer.E, Timer.G})
_A: Final = Timer.A


class Transaction(ABC):
    """A machine of `transactions.py` in one of its states.

    A state has at most two timers: one that retransmits, and one that ends it. Only the one that
    is due first has a deadline.
    """

    __slots__ = (
        "_deadline",
        "_ends_at",
        "_interval",
        "_last",
        "_timings",
        "endpoint",
        "machine",
        "state",
    )

    def __init__(self, endpoint: Endpoint, machine: Machine, transport: Transport) -> None:
        self.endpoint = endpoint
        self.machine = machine
        self.state = machine.start
        self._timings = endpoint.timings[transport.reliable][machine.name]
        self._deadline: Deadline | None = None
        self._ends_at = 0.0
        self._last: Timer | None = None
        """The timer that ends the state, while another has the deadline."""

        self._interval = 0.0
        """Seconds from the last transmission to the next."""

    @abstractmethod
    def step(self, happened: Input) -> None:
        """Enter the next state, and do what the table says."""

    def timer_fired(self, timer: Timer) -> None:
        self._deadline = None
        before = self.state
        self.step(TIMER_INPUTS[timer])
        if timer in _RETRANSMITS and self.state is before:
            self._retransmit_later(timer)

    def start_timers(self, lasts: float | None = None) -> None:
        """Start the timers of the state that was entered, in the place of those that ran.

        The state ends after `lasts` seconds; None: as its timer has it.
        """
        if self._deadline is not None:
            self.stop_timers()
        timing = self._timings.get(self.state)
        if timing is None:
            return
        repeats, interval, last, usual = timing
        endpoint = self.endpoint
        now = endpoint.now
        if lasts is None:
            lasts = usual
        if repeats is None:
            self._deadline = endpoint.deadlines.set(now, lasts, self, last)
        else:
            self._ends_at, self._last, self._interval = now + lasts, last, interval
            self._deadline = endpoint.deadlines.set(now, interval, self, repeats)

    def stop_timers(self) -> None:
        deadline = self._deadline
        if deadline is not None:
            self._deadline = None
            self.endpoint.deadlines.cancel(deadline)

    def _retransmit_later(self, timer: Timer) -> None:
        # RFC 3261 17.1.1.2: timer A doubles without bound; 17.1.2.2, 17.2.1: E and G up to T2.
        endpoint = self.endpoint
        interval = 2 * self._interval
        if timer is not _A:
            interval = min(interval, endpoint.intervals.t2)
        self._interval = interval
        left = self._ends_at - endpoint.now
        if interval < left or self._last is None:
            self._deadline = endpoint.timer(interval, self, timer)
        else:
            self._deadline = endpoint.timer(max(left, 0.0), self, self._last)
