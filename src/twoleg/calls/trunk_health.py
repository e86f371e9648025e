"""Which trunks carry no calls at the moment, as one engine knows it: they are tried last."""

import time
from collections.abc import Callable
from math import inf
from typing import Final

from twoleg.calls.outcomes import is_silent
from twoleg.sip_io import LegRefused

FAILING_SECONDS: Final = 60.0
"""For so long a trunk that failed a call comes last, unless it is known by then that it works."""


class TrunkHealth:
    """What calls and OPTIONS found of an engine's trunks.

    A trunk that answers OPTIONS at times is believed when it does not. Of one that never did, which
    some carriers do not, only calls can tell. A registration that fails is believed at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers_options: set[int] = set()
        self._failing_until: dict[int, float] = {}

    def is_failing(self, trunk_id: int) -> bool:
        """Tell whether others are to be tried first."""
        until = self._failing_until.get(trunk_id)
        if until is None:
            return False
        if until > self._clock():
            return True
        del self._failing_until[trunk_id]
        return False

    def works(self, trunk_id: int) -> None:
        """Take note that a call over the trunk got somewhere."""
        if self._failing_until:
            self._failing_until.pop(trunk_id, None)

    def refused(self, trunk_id: int, refused: LegRefused) -> None:
        """Take note of how a call over the trunk failed.

        A 503 alone may be about one number; with Retry-After it is about the trunk (RFC 3261
        21.5.4).
        """
        if is_silent(refused):
            self._fails(trunk_id, FAILING_SECONDS)
        elif refused.status == 503 and refused.retry_after:
            self._fails(trunk_id, min(refused.retry_after, FAILING_SECONDS))

    def probed(self, trunk_id: int, *, is_there: bool) -> None:
        """Take note of what came of an OPTIONS."""
        if is_there:
            self._answers_options.add(trunk_id)
            self._failing_until.pop(trunk_id, None)
        elif trunk_id in self._answers_options:
            self._failing_until[trunk_id] = inf

    def registered(self, trunk_id: int, *, holds: bool) -> None:
        """Take note of how a registration stands: a trunk that refuses it carries no calls."""
        if holds:
            self._failing_until.pop(trunk_id, None)
        else:
            self._failing_until[trunk_id] = inf

    def forget(self, trunk_id: int) -> None:
        """Forget a trunk that is gone, or was changed."""
        self._answers_options.discard(trunk_id)
        self._failing_until.pop(trunk_id, None)

    def _fails(self, trunk_id: int, seconds: float) -> None:
        until = self._clock() + seconds
        self._failing_until[trunk_id] = max(until, self._failing_until.get(trunk_id, until))
