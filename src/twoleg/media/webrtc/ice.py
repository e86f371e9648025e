"""The lite side of ICE: checks are answered, and the browser chooses the pair (RFC 8445).

We have one address, which everybody can reach: nothing is to be found out on this side, so that no
checks leave from here (section 2.5).
"""

from typing import Final

from twoleg.media.latch import SocketAddress
from twoleg.media.webrtc.allowance import Allowance
from twoleg.media.webrtc.stun import (
    ROLE_CONFLICT,
    UNKNOWN_ATTRIBUTE,
    BindingRequest,
    MalformedMessage,
    error,
    success,
)
from twoleg.media.webrtc.terms import WebRtcTerms

CHECKS_PER_SECOND: Final = 100.0
CHECKS_AT_ONCE: Final = 200.0
"""A browser with many addresses sends some 20 a second until it has chosen, then one in 2.5."""

MAX_CHECKED: Final = 16
"""Places whose checks were right that are remembered; the oldest gives way."""


class IceLite:
    """Answers the checks of one browser. Pure.

    Who does not know the user names and the password gets no answer at all.
    """

    __slots__ = ("_allowance", "_before", "_checked", "_terms", "nominated")

    def __init__(self, terms: WebRtcTerms) -> None:
        self._terms = terms
        self._before: WebRtcTerms | None = None
        self._checked: dict[SocketAddress, None] = {}
        self._allowance = Allowance(CHECKS_PER_SECOND, CHECKS_AT_ONCE)
        self.nominated: SocketAddress | None = None
        """Where the browser has chosen to be."""

    def use(self, terms: WebRtcTerms) -> None:
        """Go on with what was settled anew; after a restart, the old is good until a nomination."""
        if _credentials(terms) != _credentials(self._terms):
            self._before = self._terms
        self._terms = terms

    def is_checked(self, source: SocketAddress) -> bool:
        """Tell whether a right check came from there."""
        return source in self._checked

    def receive(self, data: bytes, source: SocketAddress, now: float) -> bytes | None:
        """Take a STUN message; give what answers it. None: nothing does."""
        try:
            request = BindingRequest.parse(data)
        except MalformedMessage:
            return None
        terms = self._terms_for(request.username)
        if terms is None or not self._allowance.take(now):
            return None
        password = terms.password.encode()
        if not request.is_from(password):
            return None
        if request.unknown:
            return error(request, UNKNOWN_ATTRIBUTE, password)
        if request.is_controlled:
            # Lite sides never choose (RFC 8445 section 6.1.1).
            return error(request, ROLE_CONFLICT, password)
        self._note(source)
        if request.nominates:
            if terms is self._terms:
                self._before = None
            # With one address of ours all pairs differ by the browser's alone, and it has chosen
            # the last one with what it knew last.
            self.nominated = source
        return success(request, source, password)

    def _terms_for(self, username: bytes) -> WebRtcTerms | None:
        """Find what a check was made with: `ours:theirs` (section 7.2.2)."""
        for terms in (self._terms, self._before):
            if terms is not None and username == _username(terms):
                return terms
        return None

    def _note(self, source: SocketAddress) -> None:
        self._checked.pop(source, None)
        if len(self._checked) >= MAX_CHECKED:
            del self._checked[next(iter(self._checked))]
        self._checked[source] = None


def _username(terms: WebRtcTerms) -> bytes:
    return f"{terms.fragment}:{terms.remote_fragment}".encode()


def _credentials(terms: WebRtcTerms) -> tuple[str, str, str]:
    return terms.fragment, terms.password, terms.remote_fragment
