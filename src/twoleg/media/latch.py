"""Symmetric RTP: whose packets a port takes, and where it sends (RFC 4961).

A phone behind a NAT signals an address that nobody can reach; its real one is where its packets
come from. Once learned it stays, so that whoever finds the port out cannot take the stream over.
"""

from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

SocketAddress = tuple[Any, ...]
"""As sockets give it: (host, port), with flow and scope after them for IPv6."""

PACKETS_TO_LEARN: Final = 3
"""So many packets in order, with one SSRC, prove a source that was not signalled."""

MAX_CANDIDATES: Final = 4
"""Sources that are being learned at once; a flood of others cannot grow it."""

_REMEMBERED: Final = 1024
"""Addresses of far ends that need not be read again."""

RELATCH_SILENCE_SECONDS: Final = 2.0
"""The latched source must be silent for so long before its stream may come from elsewhere."""


class Latch:
    """Decides by source address and SSRC. Pure: the caller has checked the payload type.

    The signalled address counts at its first packet, and outranks a learned one; any other must
    send PACKETS_TO_LEARN in order, and only before something is latched. Afterwards another address
    is taken only once the latched one is silent, and then only with the same SSRC (a NAT that gave
    the phone a new port) or after `open`, which stands for a new offer or answer.
    """

    __slots__ = ("_candidates", "_opened", "destination", "signalled", "source", "ssrc")

    def __init__(self) -> None:
        self.signalled: SocketAddress | None = None
        self.source: SocketAddress | None = None
        self.destination: SocketAddress | None = None
        """Where to send: the learned address, else the signalled one."""

        self.ssrc: int | None = None
        self._opened = False
        # Next sequence number and packets in order so far, by source and SSRC; None: nobody tries.
        self._candidates: dict[tuple[SocketAddress, int], tuple[int, int]] | None = None

    def open(self, signalled: SocketAddress | None) -> None:
        """Learn again. What is latched stays, if the signalled address did, until it is silent."""
        if signalled != self.signalled:
            self.source = None
            self.ssrc = None
        self.signalled = signalled
        self.destination = self.source or signalled
        self._opened = True
        self._candidates = None

    def accepts(
        self, source: SocketAddress, ssrc: int, sequence: int, *, silent_seconds: float
    ) -> bool:
        """Whether a packet belongs to the stream; latches its source if it does.

        `silent_seconds` is the time since the last packet that was accepted.
        """
        if source == self.source:
            # Its address is proof enough: a phone may begin a new stream at any time.
            self.ssrc = ssrc
            return True
        if source == self.signalled:
            self._latch(source, ssrc)
            return True
        silent = silent_seconds >= RELATCH_SILENCE_SECONDS
        may_learn = self.source is None or (silent and (self._opened or ssrc == self.ssrc))
        if may_learn and self._proves(source, ssrc, sequence):
            self._latch(source, ssrc)
            return True
        return False

    def _latch(self, source: SocketAddress, ssrc: int) -> None:
        self.source = self.destination = source
        self.ssrc = ssrc
        self._opened = False
        self._candidates = None

    def _proves(self, source: SocketAddress, ssrc: int, sequence: int) -> bool:
        candidates = self._candidates
        if candidates is None:
            candidates = self._candidates = {}
        expected, count = candidates.pop((source, ssrc), (sequence, 0))
        count = count + 1 if sequence == expected else 1
        if len(candidates) >= MAX_CANDIDATES:
            del candidates[next(iter(candidates))]
        candidates[source, ssrc] = ((sequence + 1) & 0xFFFF, count)
        return count >= PACKETS_TO_LEARN


def socket_address(host: str, port: int) -> SocketAddress | None:
    """Return an address to send to; None where nothing can or may be sent.

    A name is none (it would be looked up on each packet), nor is the unspecified address (an old
    form of hold, RFC 2543), nor a group of receivers, nor port 0.
    """
    literal = _reachable(host)
    if literal is None or not 0 < port < 65536:
        return None
    return (literal, port, 0, 0) if ":" in literal else (literal, port)


@lru_cache(_REMEMBERED)
def _reachable(host: str) -> str | None:
    """Return an address as sockets write it; None where nothing can or may be sent."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return None if address.is_unspecified or address.is_multicast else str(address)
