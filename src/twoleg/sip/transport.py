"""Where a message came by and where it goes."""

from __future__ import annotations

from enum import Enum

from twoleg.sip.values import immutable

_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061, "WS": 80, "WSS": 443}


class Transport(Enum):
    """A transport that we speak; the value is its name in Via and in NAPTR order of writing."""

    __hash__ = object.__hash__  # members are single; the hash of their name is slow

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"
    WS = "WS"
    WSS = "WSS"

    def __init__(self, name: str) -> None:
        self.reliable = name != "UDP"
        """Whether transactions need no retransmissions on it."""

        self.secure = name in ("TLS", "WSS")
        """Whether a `sips:` hop may use it."""

        self.by_websocket = name in ("WS", "WSS")
        """Whether only the far end can open a connection (RFC 7118)."""

        self.parameter = "ws" if self.by_websocket else name.lower()
        """The `transport` of a URI; that of both kinds of WebSocket is one (RFC 7118 5.2)."""

        self.default_port = _PORTS[name]
        """The port where none is given (RFC 3261 19.1.2, RFC 7118 5.1)."""

    @classmethod
    def from_name(cls, name: str) -> Transport | None:
        """The transport of a Via or a `transport` parameter in any case; None for one unknown."""
        return _BY_NAME.get(name) or _BY_NAME.get(name.upper())


_BY_NAME = {member.value: member for member in Transport} | {
    member.value.lower(): member for member in Transport
}


@immutable()
class Address:
    """An IP address (a literal, IPv6 without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@immutable()
class Flow:
    """The way a message came or goes: a pair of addresses and, if any, the connection's number."""

    transport: Transport
    local: Address
    remote: Address
    connection: int | None = None


@immutable()
class Destination:
    """A next hop, whose host may still be a name. No port: RFC 3263 decides.

    `domain` is the SIP domain that the host was found for, and that a TLS certificate must name
    (RFC 5922); None stands for the host itself. Without `verify` no certificate is checked.
    `others`: the domain stands, with this port, for further addresses.
    """

    transport: Transport
    host: str
    port: int | None = None
    domain: str | None = None
    verify: bool = True
    others: bool = False

    def leads_where(self, other: Destination) -> bool:
        """Tell whether a message goes to the same place, for whatever domain."""
        return (self.transport, self.host, self.port) == (other.transport, other.host, other.port)
