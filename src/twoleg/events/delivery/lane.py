"""What is due at one receiver: the order of each call or appointment, and how much at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from twoleg.events.delivery.messages import Message
from twoleg.events.delivery.posting import Poster, Reply

FIRST_AT_ONCE: Final = 4
MOST_AT_ONCE: Final = 32
"""Messages on their way to one receiver at once. It begins low, rises with each that is taken,
and falls to one where none is answered: a dead receiver holds one place, not all."""

WINDOW: Final = 64
"""Messages that are kept at hand for one receiver."""


@dataclass(slots=True, eq=False)
class Lane:
    """The messages of one receiver that this worker has."""

    receiver_id: int
    webhook_id: int | None
    failing_since: datetime | None
    poster: Poster
    idle_since: float
    known: set[int] = field(default_factory=set)
    """Deliveries that are at hand, on their way, or whose result is not written yet."""

    lost: bool = False
    """Another worker has the receiver by now."""

    more: bool = False
    """There is more due than was at hand."""

    takes: bool = False
    """It took the last message that was sent to it."""

    flying: int = 0
    at_once: int = FIRST_AT_ONCE
    paused_until: float = 0.0
    _waiting: deque[Message] = field(default_factory=deque)
    _subjects: set[tuple[str, int]] = field(default_factory=set)

    @property
    def room(self) -> int:
        """How many more messages may be brought to hand."""
        return max(0, WINDOW - len(self._waiting))

    @property
    def idle(self) -> bool:
        return not self.known

    def add(self, messages: Sequence[Message], asked: int) -> None:
        """Bring messages to hand that were found due, `asked` at the most, in order."""
        self.known.update(message.id for message in messages)
        self._waiting.extend(messages)
        self.more = len(messages) >= asked

    def take(self, now: float, most: int) -> list[Message]:
        """Return up to `most` messages that may be sent at `now`: of each subject one at a time."""
        taken: list[Message] = []
        if now < self.paused_until:
            return taken
        held: deque[Message] = deque()
        while self._waiting and self.flying < self.at_once and len(taken) < most:
            message = self._waiting.popleft()
            if message.subject in self._subjects:
                held.append(message)
                continue
            if message.subject is not None:
                self._subjects.add(message.subject)
            self.flying += 1
            taken.append(message)
        self._waiting.extendleft(reversed(held))
        return taken

    def landed(self, message: Message, reply: Reply | None) -> None:
        """Note that `message` is on its way no more; `reply` None: it was not sent."""
        self.flying -= 1
        if message.subject is not None:
            self._subjects.discard(message.subject)
        if reply is not None:
            self.takes = reply.taken
        if reply is not None and reply.taken:
            self.at_once = min(MOST_AT_ONCE, self.at_once + 1)
        elif reply is not None and not reply.answered:
            self.at_once = 1

    def drop(self) -> None:
        """Forget what is only at hand: it is another worker's now."""
        self.lost = True
        for message in self._waiting:
            self.known.discard(message.id)
        self._waiting.clear()
