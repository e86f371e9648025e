"""An event loop whose clock jumps to the next timer, and which can shuffle what is ready."""

import asyncio
import random
import selectors


class Deadlock(Exception):
    """Everything waits, and no timer will ever fire."""


class _NeverWaits(selectors.DefaultSelector):
    """Looks for what is ready, and lets the loop's clock jump where it would have waited."""

    def __init__(self):
        super().__init__()
        self.jump = None

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            self.jump(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Deterministic: the same seed gives the same run.

    `seed` None keeps asyncio's order; a seed shuffles whatever is ready in a turn, as the order in
    which packets and timers come is nobody's to rely on. `interrupt(step, callback)` calls back
    at the beginning of that turn of the loop.
    """

    def __init__(self, seed=None):
        selector = _NeverWaits()
        selector.jump = self._jump
        self._virtual_now = 0.0
        self._order = None if seed is None else random.Random(seed)
        self._interruptions = {}
        self.steps = 0
        super().__init__(selector)

    def time(self):
        return self._virtual_now

    def interrupt(self, step, callback):
        self._interruptions[step] = callback

    def hold_up(self, seconds):
        """Run nothing for so long, as where the processor is somebody else's."""
        self._virtual_now += seconds

    def timers(self):
        """What is still to fire."""
        return [handle for handle in self._scheduled if not handle.cancelled()]

    def _jump(self, timeout):
        if timeout is None:
            raise Deadlock
        self._virtual_now += timeout

    def _run_once(self):
        interruption = self._interruptions.pop(self.steps, None)
        if interruption is not None:
            interruption()
        self.steps += 1
        if self._order is not None and len(self._ready) > 1:
            ready = list(self._ready)
            self._order.shuffle(ready)
            self._ready.clear()
            self._ready.extend(ready)
        super()._run_once()


def run(main, *, seed=None):
    """Run the coroutine that `main(loop)` gives, in virtual time; nothing may be left after it."""
    loop = VirtualTimeLoop(seed)
    try:
        asyncio.set_event_loop(loop)
        result = loop.run_until_complete(main(loop))
        assert not asyncio.all_tasks(loop), "tasks are left"
        assert not loop.timers(), "timers are left"
        return result
    finally:
        asyncio.set_event_loop(None)
        loop.close()
