"""Where the audio of a section goes, and in what packets."""

from __future__ import annotations

from enum import Enum
from ipaddress import ip_address
from typing import Final

from twoleg.sip.remembered import remembered
from twoleg.sip.sdp import Direction, Media, SessionDescription, parse_number

MAX_PORT: Final = 65_535

_SHORTEST_PTIME: Final = 10
_LONGEST_PTIME: Final = 60


class Reach(Enum):
    """Whom an IP address reaches."""

    ONE = "one host"
    MANY = "multicast"
    NOWHERE = "unspecified"


@remembered
def reach_of(text: str) -> Reach | None:
    """Tell whom an IP address reaches; None for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if address.is_unspecified:
        return Reach.NOWHERE
    return Reach.MANY if address.is_multicast else Reach.ONE


def rtcp_of(media: Media, address: str) -> tuple[str, int] | None:
    """Where RTCP goes: the port above, or what a=rtcp says (RFC 3605)."""
    if {"RS:0", "RR:0"} <= set(media.bandwidths):
        return None
    words = (media.attribute("rtcp") or "").split()
    port = parse_number(words[0], MAX_PORT) if words else None
    if not port:
        return (address, media.port + 1) if media.port < MAX_PORT else None
    if len(words) < 4:
        return address, port
    if reach_of(words[3]) is not Reach.ONE:
        return address, port
    if (":" in words[3]) != (":" in address):
        return address, port
    return words[3], port


def direction_of(description: SessionDescription, media: Media) -> Direction:
    """Return the direction as the far end sees it; who gives no address receives nothing."""
    direction = description.direction_of(media)
    if description.address_of(media) in ("0.0.0.0", "::"):  # noqa: S104  # held, not bound to
        return direction.within(Direction.SENDONLY)
    return direction


def ptime_of(description: SessionDescription, media: Media, ours: int) -> int:
    """Return the packet time to send with: what the far end would like, if it is a usual one."""
    for name in ("ptime", "maxptime"):
        text = media.attribute(name) or description.attribute(name) or ""
        wanted = parse_number(text, _LONGEST_PTIME)
        if wanted is None or wanted < _SHORTEST_PTIME or wanted % 10:
            continue
        if name == "ptime" or wanted < ours:
            return wanted
    return ours
