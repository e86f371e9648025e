"""SRTP: what keeps a leg's RTP and RTCP from being heard and forged on the way (RFC 3711).

The cipher is libsrtp's, which keeps the rollover counters and the replay windows too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from pylibsrtp import Error, Policy, Session

from twoleg.media.latch import SocketAddress
from twoleg.media.rtp import MAX_PACKET_BYTES, is_rtcp

REPLAY_WINDOW: Final = 128
"""Packets that may be late, which is more than `reception.MAX_MISORDER` (RFC 3711 3.3.2)."""

MAX_SOURCES: Final = 64
"""SSRCs that a far end may use under one key; those of further ones are refused.

A phone takes a new one when it resumes, some of them. The cipher keeps each.
"""

_RTP_SSRC: Final = slice(8, 12)
_RTCP_SSRC: Final = slice(4, 8)


class SrtpSuite(Enum):
    """Cipher and authentication; the value is libsrtp's name of both (RFC 3711 8.2, RFC 4568 6.2).

    RTCP has the tag of 80 bits with either.
    """

    AES_CM_128_HMAC_SHA1_80 = Policy.SRTP_PROFILE_AES128_CM_SHA1_80
    AES_CM_128_HMAC_SHA1_32 = Policy.SRTP_PROFILE_AES128_CM_SHA1_32


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt, 30 octets, of what we send and of what we receive. Never shown."""

    suite: SrtpSuite
    ours: bytes = field(repr=False)
    theirs: bytes = field(repr=False)


class Srtp:
    """Protects what one leg sends, and takes only what its far end has protected.

    A key that is in use goes on with its counters when it is agreed on again; another begins with
    new ones (RFC 4568 7.1.4). The sender of what we receive may change to its new key a little
    after we have learnt it: until then its old one is good.
    """

    __slots__ = ("_keys", "_receiving", "_receiving_before", "_senders", "_sending", "rejected")

    def __init__(self, keys: SrtpKeys) -> None:
        self._senders: dict[tuple[SrtpSuite, bytes], Session] = {}
        self._sending = self._sender(keys)
        self._receiving = _Receiver(keys)
        self._receiving_before: _Receiver | None = None
        self._keys = keys
        self.rejected = 0
        """Packets that were not the far end's, or came before."""

    def use(self, keys: SrtpKeys) -> None:
        """Go on as was agreed anew."""
        before, self._keys = self._keys, keys
        self._sending = self._sender(keys)
        if (keys.suite, keys.theirs) != (before.suite, before.theirs):
            self._receiving_before = self._receiving
            self._receiving = _Receiver(keys)

    def sending(self, send: Callable[[bytes], int]) -> Callable[[Any], int]:
        """Give a `send` of plain packets, which sends them protected."""

        def protected(packet: bytes | bytearray | memoryview) -> int:
            try:
                data = self._sending.protect(bytes(packet))
            except (Error, ValueError):
                # Too late for the replay window, or too long: lost, as on any wire.
                return 0
            return send(data)

        return protected

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect a compound packet of ours."""
        return self._sending.protect_rtcp(packet)

    def open(self, buffer: bytearray, size: int, source: SocketAddress) -> int:
        """Make the datagram of `size` bytes in `buffer` plain, RTP or RTCP; give its size then.

        0 for what is not the far end's, wherever it is from: nothing may be made of it.
        """
        del source
        plain = self.opened(bytes(memoryview(buffer)[:size]))
        buffer[: len(plain)] = plain
        return len(plain)

    def opened(self, data: bytes) -> bytes:
        """Give the plain RTP or RTCP packet; empty for what is not the far end's."""
        plain = self._receiving.opened(data)
        if plain:
            self._receiving_before = None
        elif self._receiving_before is not None:
            plain = self._receiving_before.opened(data)
        if not plain:
            self.rejected += 1
        return plain

    def _sender(self, keys: SrtpKeys) -> Session:
        # At most one for each suite: a session has no more keys of ours. None is ever begun anew,
        # since the same key with the same counters twice would give away what it protects.
        key = (keys.suite, keys.ours)
        if key not in self._senders:
            self._senders[key] = Session(_policy(*key, Policy.SSRC_ANY_OUTBOUND))
        return self._senders[key]


class _Receiver:
    """What one key of the far end protects."""

    __slots__ = ("_session", "_sources")

    def __init__(self, keys: SrtpKeys) -> None:
        self._session = Session(_policy(keys.suite, keys.theirs, Policy.SSRC_ANY_INBOUND))
        self._sources: set[bytes] = set()

    def opened(self, data: bytes) -> bytes:
        if is_rtcp(data):
            unprotect, source = self._session.unprotect_rtcp, data[_RTCP_SSRC]
        else:
            unprotect, source = self._session.unprotect, data[_RTP_SSRC]
        is_new = source not in self._sources
        if len(data) > MAX_PACKET_BYTES or (is_new and len(self._sources) >= MAX_SOURCES):
            return b""
        try:
            plain = unprotect(data)
        except Error:
            return b""
        if is_new:
            self._sources.add(source)
        return plain


def _policy(suite: SrtpSuite, key: bytes, ssrc_type: int) -> Policy:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=suite.value)
    policy.window_size = REPLAY_WINDOW
    return policy
