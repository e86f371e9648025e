"""The digits that a far end presses: one for each press, in however many ways it tells of it.

Phones may send telephone-events and SIP INFO for the same press ("RFC 2833 and INFO"), and gateways
may leave the tones in the audio beside an INFO.
"""

from collections import deque
from enum import Enum, auto
from typing import Final, NamedTuple

SAME_PRESS_SECONDS: Final = 5.0
"""A telephone-event is heard as a key goes down, an INFO is sent when it comes up."""

MAX_DIGITS: Final = 64
"""Digits kept for a reader that does not come; further ones are dropped."""

MAX_REMEMBERED: Final = 16
"""Presses of which another way may still tell; nobody presses faster."""


class Way(Enum):
    """How a far end tells of a digit."""

    EVENT = auto()
    INFO = auto()
    TONES = auto()


class _Press(NamedTuple):
    digit: str
    at: float
    ways: set[Way]


class KeyPresses:
    """The presses of one far end; times are the caller's, in seconds."""

    __slots__ = ("_presses",)

    def __init__(self) -> None:
        self._presses: deque[_Press] = deque(maxlen=MAX_REMEMBERED)

    def is_new(self, digit: str, way: Way, now: float) -> bool:
        """Tell whether that is a press of its own, and none that another way has told of.

        The same way tells of each press once: a digit that comes by it again was pressed again.
        """
        for press in self._presses:
            if (
                press.digit == digit
                and way not in press.ways
                and now - press.at < SAME_PRESS_SECONDS
            ):
                press.ways.add(way)
                return False
        self._presses.append(_Press(digit, now, {way}))
        return True


class PressedDigits:
    """The digits of one far end, until somebody reads them."""

    __slots__ = ("_presses", "_unread")

    def __init__(self) -> None:
        self._presses = KeyPresses()
        self._unread: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._unread)

    def press(self, digit: str, way: Way, now: float) -> bool:
        """Keep a digit for whoever reads it; False: another way has told of that press."""
        if not self._presses.is_new(digit, way, now):
            return False
        if len(self._unread) < MAX_DIGITS:
            self._unread.append(digit)
        return True

    def read(self) -> str:
        """Give the oldest that nobody has read. Raises IndexError."""
        return self._unread.popleft()
