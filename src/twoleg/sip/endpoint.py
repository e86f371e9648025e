"""What all parts of one user agent share: the time, what is to be sent, what is to be told."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Final

from twoleg.sip.errors import LocalProtocolError
from twoleg.sip.interface import Counters, Outgoing, UserAgentConfig
from twoleg.sip.timers import Deadline, Deadlines, Intervals, Timer, TimerOwner
from twoleg.sip.transactions import MACHINES
from twoleg.sip.transport import Address, Destination, Flow, Transport

if TYPE_CHECKING:
    from twoleg.sip.client_transaction import ClientTransaction
    from twoleg.sip.events import Event
    from twoleg.sip.server_transaction import ServerTransaction

MAX_TRANSACTIONS: Final = 400_000
"""Of each kind. A transaction lingers 32 s: room for 6,000 two-legged calls a second."""

MAX_LEGS: Final = 100_000

MAGIC_COOKIE: Final = "z9hG4bK"
"""A branch that begins so is unique (RFC 3261 8.1.1.7)."""

BRANCH_BYTES: Final = 9
TAG_BYTES: Final = 6
CALL_ID_BYTES: Final = 12

MAX_UDP_REQUEST: Final = 1300
"""A larger request goes by TCP, if we have it (RFC 3261 18.1.1)."""

ALLOWED: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK")
SUPPORTED: Final = ("100rel", "timer")
"""Option tags for Supported: what we understand in the answers to our requests too."""

REQUIRABLE: Final = frozenset(SUPPORTED)
"""Option tags that a request to us may require."""


class Endpoint:
    """The time, the outbox, the events and the transactions of one user agent."""

    def __init__(self, config: UserAgentConfig, tokens: Callable[[int], str]) -> None:
        self.config = config
        self.tokens = tokens
        self.now = 0.0
        self.intervals = Intervals(config.t1, config.t2, config.t4)
        self.deadlines = Deadlines(self.intervals.usual())
        self.timings = {
            reliable: {
                machine.name: machine.timings(self.intervals.durations(reliable=reliable))
                for machine in MACHINES
            }
            for reliable in (True, False)
        }
        self.outbox: list[Outgoing] = []
        self.events: list[Event] = []
        """What the user is to be told."""

        self.counters = Counters()
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        self.servers: dict[tuple[object, ...], ServerTransaction] = {}
        self.busy = 0
        """Transactions that still have something to send, or wait for a final response."""

        self.allow = ", ".join((*ALLOWED, *sorted(config.handled_methods)))
        self.capability_lines = f"Allow: {self.allow}\r\nSupported: {', '.join(SUPPORTED)}\r\n"
        if config.user_agent:
            self.capability_lines += f"User-Agent: {config.user_agent}\r\n"
        self.contact: Callable[[Transport], str] = cache(self._written_contact)
        """Gives the value of our Contact. Raises LocalProtocolError as `address` does."""

        self.via: Callable[[Transport], str] = cache(self._written_via)
        """Gives our Via without its branch. Raises LocalProtocolError as `address` does."""

        self.number: Callable[[], int] = count(1).__next__
        """Gives a number that was never given before."""

    def branch(self) -> str:
        return MAGIC_COOKIE + self.tokens(BRANCH_BYTES)

    def tag(self) -> str:
        return self.tokens(TAG_BYTES)

    def send(self, data: bytes, destination: Destination, flow: Flow | None, turn: int = 0) -> None:
        self.outbox.append(Outgoing(data, destination, flow, None, turn))

    def timer(self, seconds: float, owner: TimerOwner, timer: Timer) -> Deadline:
        """Have `owner` told once `seconds` have passed."""
        return self.deadlines.set(self.now, seconds, owner, timer)

    def address(self, transport: Transport) -> Address:
        """Give what Via and Contact name. Raises LocalProtocolError without that transport."""
        try:
            return self.config.addresses[transport]
        except KeyError:
            raise LocalProtocolError(f"there is no address for {transport.value}") from None

    def usable(
        self, destinations: tuple[Destination, ...], *, secure: bool = False
    ) -> tuple[Destination, ...]:
        """Give those that we have a transport for, of those that are secure if they must be.

        Raises LocalProtocolError if none is left.
        """
        addresses = self.config.addresses
        if secure:
            addresses = {each: addresses[each] for each in addresses if each.secure}
        for there in destinations:
            if there.transport not in addresses:
                break
        else:
            return destinations
        usable = tuple([there for there in destinations if there.transport in addresses])
        if not usable:
            raise LocalProtocolError("there is no address for the transport of any destination")
        return usable

    def _written_contact(self, transport: Transport) -> str:
        kind = "" if transport is Transport.UDP else f";transport={transport.parameter}"
        return f"<sip:{self.config.contact_user}@{self.address(transport)}{kind}>"

    def _written_via(self, transport: Transport) -> str:
        return f"SIP/2.0/{transport.value} {self.address(transport)}"
