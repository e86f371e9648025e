"""The clock of a call that is told in virtual time."""

from datetime import UTC, datetime, timedelta


class LoopClock:
    """The loop's virtual time, as both clocks."""

    EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

    def __init__(self, loop):
        self._loop = loop

    def now(self):
        return self.EPOCH + timedelta(seconds=self._loop.time())

    def monotonic(self):
        return self._loop.time()
