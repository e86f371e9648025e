"""Running the core: its messages are sent, its events told, and it is woken when it asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from twoleg.sip import Event, Outgoing, UserAgent
from twoleg.sip_io.counters import Counters
from twoleg.sip_io.pace import Pace

TIMER_GRAIN: Final = 0.001
"""Seconds that the timer may be late, so that deadlines close together are met in one go."""

_log = logging.getLogger(__name__)


class CoreLoop:
    """The one timer of a phone, and the way out of its core.

    Whoever gives the core anything calls `turn` after it: what the core then wants sent leaves
    within that call. Under load it leaves in the next go, a few milliseconds later: what is read,
    told, sent and due together costs less.
    """

    def __init__(self, core: UserAgent, tell: Callable[[Event], None], counters: Counters) -> None:
        self.core = core
        self._tell = tell
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self._loop.time
        """Gives the time as the core is told it."""

        self._send: Callable[[Outgoing], None] | None = None
        self._pace = Pace()
        self._pause = 0.0
        """Seconds between two goes; 0 while each thing is done as it comes."""

        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._following: asyncio.Handle | None = None
        """What comes right after a go, while it is not over."""

        self._turning = False
        self._goes_on = False
        """Whether the core was given something that no turn has asked it about yet."""

        self._idle: asyncio.Future[None] | None = None

    def start(self, send: Callable[[Outgoing], None]) -> None:
        """Send by `send` from now on, until `stop`."""
        self._send = send

    def turn(self) -> None:
        """Send what the core wants sent, tell what it tells, and set the timer.

        Called from within a turn or a go, it has that go on.
        """
        self._goes_on = True
        if self._turning or self._following is not None:
            return
        if self._pause and self._send is not None:
            self._set_timer(self.now())
        else:
            self._turn()

    def go(self, received: int) -> float:
        """Turn after so many datagrams; say for how many seconds none should be read now.

        Where that is not 0, whoever reads them calls this again after it, whatever has come.
        """
        if self._send is None or not self._pace.is_busy(received, self.now()):
            self._pause = 0.0
            self._turn()
            return 0.0
        self._pause = self._pace.seconds
        if self._timer is not None:
            self._timer.cancel()
        self._on_timer()
        if self._following is None:
            self._following = self._loop.call_soon(self._follow)
        return self._pause

    async def drain(self, seconds: float) -> None:
        """Wait until the core has nothing left to send or to wait for, but no longer than that."""
        self._idle = self._loop.create_future()
        self._turn()
        await asyncio.wait((self._idle,), timeout=seconds)
        self._idle.cancel()

    def stop(self) -> None:
        """Send nothing any more."""
        self._send = None
        for handle in (self._timer, self._following):
            if handle is not None:
                handle.cancel()
        self._timer = self._following = None

    def _follow(self) -> None:
        """Turn again for those whom the go has woken, until they ask for nothing more."""
        if self._goes_on:
            self._turn()
            self._following = self._loop.call_soon(self._follow)
        else:
            self._following = None

    def _turn(self) -> None:
        send = self._send
        if send is None:
            return
        self._turning = True
        core, tell = self.core, self._tell
        deadline: float | None = None
        try:
            self._goes_on = True
            while self._goes_on:
                self._goes_on = False
                outgoing, events, deadline = core.take()
                for sent in outgoing:
                    try:
                        send(sent)
                    except Exception:  # noqa: BLE001
                        # It is lost, as on any network; what else is to be done is done.
                        self._counters.internal_errors += 1
                        _log.exception("sending failed")
                for event in events:
                    try:
                        tell(event)
                    except Exception:  # noqa: BLE001
                        # A callback of whoever uses us; the stack itself must go on.
                        self._counters.callback_errors += 1
                        _log.exception("callback failed", extra={"event": type(event).__name__})
        finally:
            self._turning = False
        if deadline is not None:  # else a timer that is still set finds nothing to do
            self._set_timer(deadline)
        if self._idle is not None and core.is_idle and not self._idle.done():
            self._idle.set_result(None)

    def _set_timer(self, deadline: float) -> None:
        if self._pause:
            # The next go comes before it, unless nobody reads any more.
            deadline = max(deadline, self.now() + 2 * self._pause)
        if self._timer is not None:
            if self._timer_at <= deadline + TIMER_GRAIN:
                return  # it comes first, and is set anew then
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self.core.handle_timeout(self.now())
        except Exception:  # noqa: BLE001
            # One exchange is lost by it; without its timer the phone would lose all of them.
            self._counters.internal_errors += 1
            _log.exception("timer failed")
        self._turn()
