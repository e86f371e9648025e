"""Where a 3xx points, tried one after another and never twice (RFC 3261 8.1.3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from twoleg.sip.errors import InvalidValue
from twoleg.sip.fields import NameAddr
from twoleg.sip.message import Response
from twoleg.sip.uri import SipUri

MAX_WAITING: Final = 16
"""Targets that wait for their turn; further ones are left out."""

_FOLLOWED: Final = frozenset({300, 301, 302, 305})


class Redirects:
    """The target set of one INVITE: what was visited, what waits, how many may be followed."""

    __slots__ = ("_left", "_visited", "_waiting", "met_any")

    def __init__(self, target: SipUri, limit: int) -> None:
        self._left = limit
        self._visited: list[SipUri] = [target]
        self._waiting: list[SipUri] = []
        self.met_any = False
        """Whether a 3xx came that was to be followed, even if it led nowhere."""

    def add(self, response: Response, usable: Callable[[SipUri], bool]) -> None:
        """Take over the targets of a 3xx, the most wanted first."""
        if response.status not in _FOLLOWED or self._left == 0:
            return
        self.met_any = True
        known = [*self._visited, *self._waiting]
        for target in redirect_targets(response):
            is_new = not any(target.equivalent(seen) for seen in known)
            if is_new and usable(target) and len(self._waiting) < MAX_WAITING:
                known.append(target)
                self._waiting.append(target)

    def next(self) -> SipUri | None:
        """Give the next target, and count it; None if there is none, or too many were."""
        if not self._waiting or self._left == 0:
            return None
        self._left -= 1
        target = self._waiting.pop(0)
        self._visited.append(target)
        return target


def redirect_targets(response: Response) -> list[SipUri]:
    """Give where a 3xx points, as Request-URIs, the most wanted first (RFC 3261 20.10)."""
    targets = []
    for contact in sorted(usable_contacts(response), key=_quality, reverse=True):
        uri = contact.uri
        if isinstance(uri, SipUri):
            # RFC 3261 19.1.1: neither has a place in a Request-URI.
            kept = tuple([(name, value) for name, value in uri.parameters if name != "method"])
            targets.append(replace(uri, parameters=kept, headers=()))
    return targets


def usable_contacts(response: Response) -> tuple[NameAddr, ...]:
    """Give the contacts of a 3xx; none for another response, or where they cannot be read."""
    try:
        return response.contacts if 300 <= response.status < 400 else ()
    except InvalidValue:
        return ()


def _quality(contact: NameAddr) -> float:
    try:
        quality = float(contact.parameter("q") or 1.0)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
