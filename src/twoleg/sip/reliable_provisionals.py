"""Reliable provisional responses of ours: each is repeated until its PRACK (RFC 3262 3)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final
from weakref import ref

from twoleg.sip.errors import InvalidValue
from twoleg.sip.grammar import parse_integer
from twoleg.sip.message import Request
from twoleg.sip.server_transaction import ServerTransaction
from twoleg.sip.timers import Deadline, Timer

if TYPE_CHECKING:
    from twoleg.sip.incoming_leg import IncomingLeg

MAX_WAITING: Final = 8
"""Responses that wait for the PRACK of another; what is said beyond them is not sent."""

_MAX_FIRST: Final = 2**31 - 1
_MAX_NUMBER: Final = 2**32 - 1


class ReliableProvisionals:
    """The reliable responses to one INVITE, of which one at a time is without its PRACK.

    `IncomingLeg.send_provisional` sends one, `IncomingLeg.never_pracked` is told of one whose
    PRACK did not come within 64*T1.
    """

    __slots__ = (
        "_deadlines",
        "_interval",
        "_leg_reference",
        "_number",
        "_stopped",
        "_transaction",
        "_unacknowledged",
        "_waiting",
        "described",
    )

    def __init__(self, leg: IncomingLeg, transaction: ServerTransaction) -> None:
        self._leg_reference = ref(leg)
        self._transaction = transaction
        self._number = int(leg.endpoint.tokens(4)[:8], 16) % _MAX_FIRST
        self._unacknowledged: bytes | None = None
        """The body of the response that has no PRACK yet; None: each has."""

        self._waiting: deque[tuple[int, bytes]] = deque()
        self._stopped = False
        self._interval = 0.0
        self._deadlines: dict[Timer, Deadline] = {}
        self.described = b""
        """Our session description, once one was sent: no later response has one (3261 13.2.1)."""

    @property
    def awaits_description(self) -> bool:
        """Whether a description of ours has no PRACK yet: no 2xx may be sent (RFC 3262 3)."""
        return bool(self._unacknowledged)

    @property
    def is_described(self) -> bool:
        """Whether a description of ours has its PRACK."""
        return bool(self.described) and not self._unacknowledged

    def send(self, status: int, body: bytes) -> None:
        """Send a response, once each before it has its PRACK."""
        if self._unacknowledged is None:
            self._send(status, body)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append((status, body))

    def acknowledge(self, prack: Request) -> bool:
        """Take a PRACK; False if it is for none that has no PRACK yet. Raises InvalidValue."""
        invite = self._transaction.request.cseq
        if self._unacknowledged is None or acknowledged_by(prack) != (
            self._number,
            invite.number,
            "INVITE",
        ):
            return False
        self._unacknowledged = None
        self._stop_timers()
        return True

    def go_on(self) -> None:
        """Send what waited for the PRACK that has come."""
        if self._waiting and not self._stopped:
            self._send(*self._waiting.popleft())

    def stop(self) -> None:
        """Repeat nothing, and send nothing more: the final response leaves."""
        self._stopped = True
        self._waiting.clear()
        self._stop_timers()

    def timer_fired(self, timer: Timer) -> None:
        del self._deadlines[timer]
        if timer is Timer.PROVISIONAL_RETRANSMIT:
            self._transaction.repeat()
            self._interval *= 2
            self._start(timer, self._interval)
            return
        self.stop()
        leg = self._leg_reference()
        if leg is not None:
            leg.never_pracked()

    def _send(self, status: int, body: bytes) -> None:
        leg = self._leg_reference()
        if leg is None:
            return
        if self.described:
            body = b""
        self._number += 1
        self._unacknowledged = body
        self.described = self.described or body
        leg.send_provisional(status, body, (("Require", "100rel"), ("RSeq", str(self._number))))
        intervals = leg.endpoint.intervals
        self._interval = intervals.t1
        self._start(Timer.PROVISIONAL_RETRANSMIT, self._interval)
        self._start(Timer.PROVISIONAL_TIMEOUT, intervals.patience)

    def _start(self, timer: Timer, seconds: float) -> None:
        self._deadlines[timer] = self._transaction.endpoint.timer(seconds, self, timer)

    def _stop_timers(self) -> None:
        for deadline in self._deadlines.values():
            self._transaction.endpoint.deadlines.cancel(deadline)
        self._deadlines.clear()


def wants_reliability(invite: Request) -> bool:
    """Tell whether every response above 100 must be reliable (RFC 3262 3)."""
    if "Require" not in invite.headers:
        return False
    try:
        return invite.headers.has_token("Require", "100rel")
    except InvalidValue:
        return False


def acknowledged_by(prack: Request) -> tuple[int, int, str]:
    """Read RAck: the number of a response, and CSeq's of its request (RFC 3262 7.2).

    Raises InvalidValue.
    """
    words = (prack.headers.get("RAck") or "").split()
    if len(words) != 3:
        raise InvalidValue("RAck", "it is not two numbers and a method")
    number = parse_integer(words[0], _MAX_NUMBER, "RAck")
    return number, parse_integer(words[1], _MAX_NUMBER, "RAck"), words[2]
