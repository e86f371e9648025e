"""How much of something may come."""


class Allowance:
    """So many a second, and so many at once that were saved up. Pure: time is the caller's."""

    __slots__ = ("_left", "_most", "_per_second", "_seen_at")

    def __init__(self, per_second: float, most: float) -> None:
        self._per_second = per_second
        self._most = self._left = most
        self._seen_at: float | None = None

    def take(self, now: float) -> bool:
        """Use one; False: there is none left now."""
        if self._seen_at is not None:
            self._left = min(self._most, self._left + (now - self._seen_at) * self._per_second)
        self._seen_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
