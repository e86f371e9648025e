"""What the system hears by ICMP of datagrams that reached nobody (RFC 3261 18.4)."""

import contextlib
import errno
import socket
import struct
from typing import Final

MAX_AT_ONCE: Final = 64
"""Reports that are read in one go; further ones come up again."""

_BEGINNING_BYTES: Final = 2048
"""Of a datagram; ICMP quotes no more than that of it."""

_CONTROL_BYTES: Final = 512
_UNREACHABLE: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EACCES,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EPROTO,
    }
)
"""Of host, network, port or protocol; others, as of sizes or of time exceeded, change nothing."""

# From <linux/in.h>, <linux/in6.h> and <linux/errqueue.h>; `socket` has no names for these.
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_EXTENDED_ERROR: Final = struct.Struct("=IBBBBII")
_FROM_ICMP: Final = frozenset({2, 3})
_REPORTS: Final = frozenset({
    (socket.IPPROTO_IP, _IP_RECVERR),
    (socket.IPPROTO_IPV6, _IPV6_RECVERR),
})  # fmt: skip


def report_undelivered(opened: socket.socket) -> None:
    """Have the system keep such reports for `undelivered`; where it cannot, there are none."""
    level, option = socket.IPPROTO_IP, _IP_RECVERR
    if opened.family == socket.AF_INET6:
        level, option = socket.IPPROTO_IPV6, _IPV6_RECVERR
    with contextlib.suppress(OSError):
        opened.setsockopt(level, option, 1)


def undelivered(opened: socket.socket) -> list[bytes]:
    """Give how those datagrams began that found nobody.

    A report of something else is given as b"", so that an empty list means that there was none.
    """
    found: list[bytes] = []
    with contextlib.suppress(OSError):
        while len(found) < MAX_AT_ONCE:
            beginning, control, _, _ = opened.recvmsg(
                _BEGINNING_BYTES, _CONTROL_BYTES, socket.MSG_ERRQUEUE
            )
            found.append(beginning if any(map(_is_unreachable, control)) else b"")
    return found


def _is_unreachable(control: tuple[int, int, bytes]) -> bool:
    level, kind, data = control
    if (level, kind) not in _REPORTS or len(data) < _EXTENDED_ERROR.size:
        return False
    number, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
    return origin in _FROM_ICMP and number in _UNREACHABLE
