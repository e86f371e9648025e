"""Digits as telephone-events (RFC 4733 section 2)."""

from struct import Struct
from typing import Final

DIGITS: Final = "0123456789*#ABCD"
"""Event codes 0 to 15 (RFC 4733 section 3.2); other events are not digits."""

MAX_DURATION: Final = 0xFFFF
"""A longer event goes on as a further segment (RFC 4733 section 2.5.1.3)."""

_EVENT = Struct("!BBH")


class DigitReceiver:
    """Finds each digit once among the many packets that carry it.

    A digit counts at the first packet seen of it, so that neither a lost start nor a lost end
    matters; all packets of one event have its start as their timestamp.
    """

    __slots__ = ("_code", "_duration", "_timestamp")

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._code = -1
        self._duration = 0

    def receive(self, payload: bytes | bytearray | memoryview, timestamp: int) -> str | None:
        """Return the digit, if this packet is the first of one. Never raises."""
        if len(payload) < _EVENT.size:
            return None
        code, _, duration = _EVENT.unpack_from(payload)
        if self._belongs_to_last(code, timestamp):
            self._duration = max(self._duration, duration)
            return None
        if self._is_next_segment(code, timestamp):
            self._timestamp, self._duration = timestamp, duration
            return None
        self._timestamp, self._code, self._duration = timestamp, code, duration
        return DIGITS[code] if code < len(DIGITS) else None

    def _belongs_to_last(self, code: int, timestamp: int) -> bool:
        if self._timestamp is None:
            return False
        # A late packet of an event before the last one is no new digit either.
        older = 0 < (self._timestamp - timestamp) & 0xFFFFFFFF < MAX_DURATION
        return older or (timestamp == self._timestamp and code == self._code)

    def _is_next_segment(self, code: int, timestamp: int) -> bool:
        if self._timestamp is None or code != self._code:
            return False
        ahead = (timestamp - self._timestamp) & 0xFFFFFFFF
        # 20 ms of grace, both ways: senders differ on where a segment of full length ends.
        return abs(ahead - MAX_DURATION) <= 160 and self._duration > MAX_DURATION // 2


def event_payload(digit: str, duration: int, *, end: bool = False, volume: int = 10) -> bytes:
    """Build the payload of one packet of an event. `duration` is in RTP ticks of 1/8000 s."""
    return _EVENT.pack(DIGITS.index(digit), (0x80 if end else 0) | volume & 0x3F, duration)
