"""How a phone goes about its work: each thing as it comes, or many together."""

from typing import Final

BUSY: Final = 1500
"""Datagrams a second, at which all is done in goes from now on."""

QUIET: Final = 750
"""Datagrams a second, at which each is taken when it comes again."""

LOOK_SECONDS: Final = 0.1
"""How often is looked which it is."""


class Pace:
    """Says whether so much comes that it costs less in goes. Pure: time is the caller's.

    To be woken costs as much as a message does, and the same step of many takes a third of the
    time that each takes between other work. A few milliseconds more are nothing to SIP's timers,
    and nobody waits them where little comes.
    """

    __slots__ = ("_busy", "_counted", "_since")

    seconds: Final = 0.016
    """The pause between two goes."""

    def __init__(self) -> None:
        self._busy = False
        self._counted = 0
        self._since = 0.0

    def is_busy(self, received: int, now: float) -> bool:
        """Take note of what was just received, and say whether to wait before more is."""
        self._counted += received
        passed = now - self._since
        if passed >= LOOK_SECONDS:
            least = QUIET if self._busy else BUSY
            self._busy = self._counted >= least * passed
            self._since, self._counted = now, 0
        return self._busy
