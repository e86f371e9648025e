"""What goes wrong at the edge of the network."""

from __future__ import annotations

from twoleg.sip import RefusalCause


class PhoneClosed(Exception):
    """The phone was closed before the far end had answered a request."""


class RequestFailed(Exception):
    """A request outside of a call got no response at all."""

    def __init__(self, cause: RefusalCause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class AddressInUse(OSError):
    """An address cannot be listened on. `address` is HOST:PORT, `transport` its name."""

    def __init__(self, transport: str, address: str, problem: str) -> None:
        super().__init__(f"sip: {address} cannot be listened on over {transport}: {problem}")
        self.transport = transport
        self.address = address
        self.problem = problem
