"""How a phone is set up."""

import socket
from dataclasses import field, replace

from twoleg.sip import DigestAlgorithm, RegistrarRules, Transport
from twoleg.sip.values import immutable
from twoleg.sip_io.connections import ConnectionLimits
from twoleg.sip_io.gatekeeper import ShutOutRules
from twoleg.sip_io.resolver import ResolverConfig
from twoleg.sip_io.tls import TlsConfig


@immutable()
class Listen:
    """An address to listen on; port 0 takes a free one."""

    transport: Transport
    host: str = "0.0.0.0"  # noqa: S104
    port: int = 0


@immutable(kw_only=True)
class PhoneConfig:
    """How a phone listens, what it says of itself, and its bounds.

    `public_address` is what Via and Contact name; None: the address listened on, or, when that is
    every address, the one that the system sends from.
    `accept_calls` lets incoming calls reach `Phone.incoming`; otherwise they are refused.
    `digest_algorithms` are those that phones are asked for.
    `dialog_methods` are those beside the core's own that a leg's `take_request` takes (REFER).
    `t1` and `t2` are RFC 3261's, in seconds: a network of known short round trips may have less.
    `drain_seconds` bounds how long closing waits for the last BYE and CANCEL to be answered.
    """

    listen: tuple[Listen, ...] = (Listen(Transport.UDP),)
    public_address: str | None = None
    user_agent: str = "twoleg"
    realm: str = "twoleg"
    dialog_methods: frozenset[str] = frozenset()
    digest_algorithms: tuple[DigestAlgorithm, ...] = (DigestAlgorithm.MD5,)
    registrar_rules: RegistrarRules = field(default_factory=RegistrarRules)
    accept_calls: bool = False
    max_incoming: int = 32
    t1: float = 0.5
    t2: float = 4.0
    drain_seconds: float = 2.0
    max_resolving: int = 1024
    max_registering: int = 64
    tls: TlsConfig = field(default_factory=TlsConfig)
    resolver: ResolverConfig = field(default_factory=ResolverConfig)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    shut_out: ShutOutRules = field(default_factory=ShutOutRules)


def reachable_kinds(config: PhoneConfig) -> ResolverConfig:
    """Have the resolver ask for those addresses alone that there is a socket for."""
    by_ipv6 = {":" in listen.host for listen in config.listen}
    resolver = config.resolver
    return replace(
        resolver, ipv4=resolver.ipv4 and False in by_ipv6, ipv6=resolver.ipv6 and True in by_ipv6
    )


def advertised_host(config: PhoneConfig, bound: str) -> str:
    """The host that peers reach us by at a bound address."""
    if config.public_address is not None:
        return config.public_address
    if bound == "0.0.0.0":  # noqa: S104
        return _sending_address(socket.AF_INET, "192.0.2.1") or "127.0.0.1"
    if bound == "::":
        return _sending_address(socket.AF_INET6, "2001:db8::1") or "::1"
    return bound


def _sending_address(family: socket.AddressFamily, towards: str) -> str | None:
    """The address that the system would send from; connecting a UDP socket sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])
