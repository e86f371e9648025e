"""Checks of addresses and ports."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from twoleg.cli.doctor.finding import Finding, fail, ok, warn
from twoleg.cli.listening import AddressUnusable
from twoleg.media.rtpengine import answers
from twoleg.settings import ListenAddress, PortRange, Settings

PORTS_PER_CALL = 4
"""RTP and RTCP of two legs."""
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""What stands for all of this machine's addresses, and where it is reached from itself."""
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of documentation (RFC 5737, RFC 3849); a UDP socket sends nothing when it connects."""


def check_ports(settings: Settings, *, running: bool) -> Iterator[Finding]:
    """Try to listen where the service would, or see that it does."""
    listened = [
        ("http", settings.http, (socket.SOCK_STREAM,)),
        ("sip", settings.sip, (socket.SOCK_DGRAM, socket.SOCK_STREAM)),
    ]
    for setting in ("sip_tls", "sip_ws", "sip_wss"):
        address = getattr(settings, setting)
        if address is not None:
            listened.append((setting, address, (socket.SOCK_STREAM,)))
    for setting, address, kinds in listened:
        yield _check_port(setting, address, kinds, running)


def check_rtp_range(settings: Settings) -> Iterator[Finding]:
    """Compare the RTP ports with the calls that may run at once, and with other ports."""
    ports = settings.rtp_ports
    room = (ports.high - ports.low + 1) // PORTS_PER_CALL
    inside = [
        name
        for name, address in (("sip", settings.sip), ("http", settings.http))
        if ports.low <= address.port <= ports.high
    ]
    if inside:
        yield fail(
            "rtp ports", f"{ports} holds the port of {' and '.join(inside)}", "set --rtp-ports"
        )
    elif room < settings.max_calls:
        yield warn(
            "rtp ports",
            f"{ports} has room for {room} calls at once, not for {settings.max_calls}",
            "widen --rtp-ports (TWOLEG_RTP_PORTS), or lower TWOLEG_MAX_CALLS",
        )
    elif _overlaps_ephemeral(ports):
        yield warn(
            "rtp ports",
            f"{ports} overlaps the ports that the system gives to outgoing connections",
            "choose a range below net.ipv4.ip_local_port_range",
        )
    else:
        yield ok("rtp ports", f"{ports} has room for {room} calls; open them for UDP")


def check_rtpengine(settings: Settings) -> Iterator[Finding]:
    """Ask each rtpengine node whether it is there."""
    for node in settings.rtpengine.addresses if settings.rtpengine is not None else ():
        if asyncio.run(answers(node.host, node.port)):
            yield ok("rtpengine", f"{node} answers")
        else:
            yield fail(
                "rtpengine",
                f"{node} does not answer",
                "start it, let it listen there (listen-ng), and let UDP through; or take it out of "
                "--rtpengine (TWOLEG_RTPENGINE)",
            )


def check_public_address(settings: Settings) -> Iterator[Finding]:
    """Say which address phones and trunks are told to send to, and whether that can work."""
    subject = "public address"
    mend = "set --public-address (TWOLEG_PUBLIC_ADDRESS) to the address that they reach"
    told = settings.public_address or _own_address(settings.sip)
    if told is None:
        yield warn(subject, "this machine has no way to other networks", mend)
        return
    address = ip_address(told)
    if address.is_unspecified:
        yield fail(subject, f"{told} is no address that anyone can send to", mend)
    elif address.is_loopback:
        yield warn(subject, f"phones and trunks are told {told}: only this machine", mend)
    elif address.is_private and settings.public_address is None:
        yield warn(
            subject,
            f"phones and trunks are told {told}: those beyond this network cannot reach it",
            f"{mend}, if a router translates addresses",
        )
    else:
        yield ok(subject, f"phones and trunks are told {told}")


def _check_port(
    setting: str, address: ListenAddress, kinds: tuple[socket.SocketKind, ...], running: bool
) -> Finding:
    for kind in kinds:
        error = _refusal(address, kind)
        if error is None:
            continue
        if error.errno == errno.EADDRINUSE and running:
            return ok(setting, f"{address} is in use, while twoleg runs")
        message = str(AddressUnusable(setting, str(address), error))
        _, detail, mend = message.split(": ", 2)
        return fail(setting, detail, mend)
    return ok(setting, f"{address} is free")


def _refusal(address: ListenAddress, kind: socket.SocketKind) -> OSError | None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
            if kind is socket.SOCK_STREAM:
                probe.listen(1)
        except OSError as error:
            return error
    return None


def _own_address(listen: ListenAddress) -> str | None:
    if listen.host not in EVERY_ADDRESS:
        try:
            found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_DGRAM)
        except OSError:
            return None
        return str(found[0][4][0])
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ELSEWHERE[family], 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _overlaps_ephemeral(ports: PortRange) -> bool:
    try:
        low, high = map(int, _EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        return False
    return ports.low <= high and low <= ports.high
