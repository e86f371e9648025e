"""Session timers (RFC 4028): a dialog whose far end vanished does not last for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import ref

from twoleg.sip.dialog_request import DialogRequest
from twoleg.sip.errors import InvalidValue
from twoleg.sip.events import RefusalCause
from twoleg.sip.grammar import find_parameter, parse_integer, parse_parameters
from twoleg.sip.interface import HeaderFields
from twoleg.sip.message import Message, Request, Response
from twoleg.sip.timers import Timer

if TYPE_CHECKING:
    from twoleg.sip.leg import Leg

MIN_SECONDS: Final = 90
"""The least interval that we take (RFC 4028 4: not below 90)."""

MAX_SECONDS: Final = 86_400
"""A longer interval is taken for this one."""

_AGAIN_SECONDS: Final = 4.0
"""A refresh that met an offer of the peer's is sent again after so long."""

_UNKNOWN_METHOD: Final = frozenset({405, 501})


class SessionTimer:
    """Refreshes the dialog, or waits for the peer to do so, and ends it where nobody does.

    No interval: no timer runs.
    """

    __slots__ = ("_by_invite", "_interval", "_leg_reference", "_refreshes")

    def __init__(self, leg: Leg) -> None:
        self._leg_reference = ref(leg)
        self._interval = 0
        self._refreshes = False
        self._by_invite = False
        """Whether the peer knows no UPDATE, so that a re-INVITE refreshes."""

    @property
    def _leg(self) -> Leg:
        # The leg holds this, and all that it held goes with it, without a garbage collector.
        leg = self._leg_reference()
        assert leg is not None
        return leg

    # Requests of ours.

    def request_lines(self) -> str:
        """Give the lines for a re-INVITE or UPDATE of ours: the interval goes on as it is."""
        if not self._interval:
            return ""
        refresher = "uac" if self._refreshes else "uas"
        return f"Supported: timer\r\nSession-Expires: {self._interval};refresher={refresher}\r\n"

    def accepted(self, response: Response) -> None:
        """Take what a 2xx to an INVITE or UPDATE of ours says (RFC 4028 7.2)."""
        asked = session_expires(response)
        if asked is None:
            self._set(0, refreshes=False)
        else:
            seconds, refresher = asked
            self._set(max(seconds, MIN_SECONDS), refreshes=refresher != "uas")

    # Requests of the peer's.

    def taken(self, request: Request) -> HeaderFields:
        """Take what an INVITE or UPDATE says, and give the headers of its 2xx (RFC 4028 9)."""
        asked = session_expires(request)
        if asked is None or not _knows_timers(request):
            self._set(0, refreshes=False)
            return ()
        seconds, refresher = asked
        refresher = refresher or "uac"
        self._set(seconds, refreshes=refresher == "uas")
        headers = (("Session-Expires", f"{seconds};refresher={refresher}"),)
        return (*headers, ("Require", "timer")) if refresher == "uac" else headers

    # Time.

    def refresh(self) -> None:
        """Half the interval is over: tell the peer that we are there."""
        leg = self._leg
        if not leg.is_confirmed:
            return
        if self._by_invite:
            if not leg.offers.refresh(self._refreshed):
                leg.start_timer(Timer.SESSION_REFRESH, _AGAIN_SECONDS)
            return
        dialog = leg.require_dialog()
        lines = f"Contact: {leg.endpoint.contact(dialog.transport)}\r\n{self.request_lines()}"
        DialogRequest(dialog, leg.digest, "UPDATE", lines, b"", self._refreshed).send()

    def _refreshed(self, response: Response | None, cause: RefusalCause) -> None:
        del cause
        leg = self._leg_reference()
        if leg is None or not leg.is_confirmed:
            return  # It ended while this was under way.
        if response is None:
            leg.check_gone(None)
        elif response.status < 300:
            self.accepted(response)
        elif response.status in _UNKNOWN_METHOD and not self._by_invite:
            self._by_invite = True
            self.refresh()
        elif response.status == 491:
            leg.start_timer(Timer.SESSION_REFRESH, _AGAIN_SECONDS)
        else:
            # The session goes on until it expires, unless that says that there is none.
            leg.check_gone(response)

    def _set(self, interval: int, *, refreshes: bool) -> None:
        leg = self._leg
        self._interval = interval
        self._refreshes = refreshes
        if not interval:
            leg.stop_timers(Timer.SESSION_REFRESH, Timer.SESSION_EXPIRY)
            return
        if refreshes:
            leg.start_timer(Timer.SESSION_REFRESH, interval / 2)
        else:
            leg.stop_timers(Timer.SESSION_REFRESH)
        # RFC 4028 10: a little before, so that both sides end it at about the same time.
        leg.start_timer(Timer.SESSION_EXPIRY, interval - min(32.0, interval / 3))


def _knows_timers(request: Request) -> bool:
    try:
        return request.headers.has_token("Supported", "timer")
    except InvalidValue:
        return False


def session_expires(message: Message) -> tuple[int, str] | None:
    """Read the interval in seconds and who refreshes, "" where it is not said; None without."""
    value = message.headers.get("Session-Expires")
    if value is None:
        return None
    digits, _, tail = value.partition(";")
    try:
        seconds = parse_integer(digits.strip(), 2**32 - 1, "Session-Expires")
        refresher = find_parameter(parse_parameters(tail, "Session-Expires"), "refresher") or ""
    except InvalidValue:
        return None
    return min(seconds, MAX_SECONDS), refresher.lower()


def is_too_short(request: Request) -> bool:
    """Tell whether a request asks for an interval below what we take: 422 (RFC 4028 9)."""
    asked = session_expires(request)
    return asked is not None and asked[0] < MIN_SECONDS


def least_interval(response: Response) -> int | None:
    """Read what a 422 asks for; None where it cannot be met (RFC 4028 7.4)."""
    value = response.headers.get("Min-SE")
    try:
        seconds = parse_integer((value or "").partition(";")[0].strip(), MAX_SECONDS, "Min-SE")
    except InvalidValue:
        return None
    return max(seconds, MIN_SECONDS)
