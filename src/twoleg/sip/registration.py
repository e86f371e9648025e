"""Registering with somebody else's registrar, and staying registered (RFC 3261 10.2).

No I/O and no clock: `next_request` says what to send, `next_deadline` when to call
`handle_timeout`, and each request's end comes back by `complete`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING

from twoleg.sip.errors import InvalidValue, LocalProtocolError
from twoleg.sip.events import RefusalCause
from twoleg.sip.fields import NameAddr
from twoleg.sip.interface import HeaderFields, OutOfDialogRequest
from twoleg.sip.transport import Destination, Flow
from twoleg.sip.uri import SipUri
from twoleg.sip.values import immutable

if TYPE_CHECKING:
    from twoleg.sip.digest import Credentials
    from twoleg.sip.headers import Headers
    from twoleg.sip.message import Response

MAX_EXPIRES = 7 * 24 * 3600
"""The longest Min-Expires or granted time that we go along with, in seconds."""

MAX_RETRY_AFTER = 3600.0
"""The longest pause that a registrar may ask of us, in seconds."""

MAX_FAILURES_COUNTED = 64
"""As far as failures in a row are counted."""

# How far the CSeq of requests that nobody answered may have risen by challenges on the way.
_CSEQ_MARGIN = 16

# Refusals that will be the same again until somebody changes an account or a password.
_LASTING_REFUSALS = frozenset({400, 401, 403, 404, 405, 407, 420, 604, 606})


class RegistrationState(Enum):
    """How things stand; REGISTERED also while a refresh is on its way."""

    UNREGISTERED = "unregistered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"


@immutable(kw_only=True)
class RegistrationConfig:
    """Where to register, who, and how to reach us.

    `registrar` is the Request-URI: the domain, without user. `expires` is what we ask for. A
    registration is refreshed after `refresh_fraction` of what was granted, give or take a tenth
    of that. After a failure we wait `first_pause`, then twice as long each time, up to
    `longest_pause`; after a lasting refusal never less than `refused_pause`. All in seconds.
    """

    registrar: SipUri
    address_of_record: SipUri
    contact: SipUri
    display_name: str = ""
    credentials: Credentials | None = field(default=None, repr=False)
    destinations: tuple[Destination, ...] = ()
    flow: Flow | None = None
    routes: tuple[NameAddr, ...] = ()
    headers: HeaderFields = ()
    expires: int = 600
    refresh_fraction: float = 0.75
    first_pause: float = 5.0
    refused_pause: float = 120.0
    longest_pause: float = 1800.0


@immutable()
class RegistrationFailure:
    """Why the last attempt came to nothing; `status` is None if nobody answered."""

    cause: RefusalCause
    status: int | None = None
    reason: str = ""


class Registration:
    """One registration with one registrar.

    Call start(), and after it and after each handle_timeout(), complete(), renew() and stop()
    send what next_request() gives. `random` gives numbers from 0 to below 1.
    """

    def __init__(
        self, config: RegistrationConfig, call_id: str, random: Callable[[], float]
    ) -> None:
        self.config = config
        self.state = RegistrationState.UNREGISTERED
        self.failure: RegistrationFailure | None = None
        self.failures_in_a_row = 0
        self.registered_until: float | None = None
        self._call_id = call_id
        self._random = random
        self._cseq = 0
        self._expires = config.expires
        self._to_send: OutOfDialogRequest | None = None
        self._in_flight = False
        self._deregistering = False
        self._stopping = False
        self._again = False
        self._attempt_at: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing is on its way and nothing will be, unless start() is called."""
        return self._attempt_at is None and self._to_send is None and not self._in_flight

    def start(self, now: float) -> None:
        """Begin to register. Once begun, do nothing."""
        if not self._stopping and not self.stopped:
            return
        self._stopping = False
        if not self._in_flight:
            self._attempt(now)

    def stop(self, now: float) -> None:
        """Deregister, as soon as what is on its way has come to its end."""
        self._expire(now)
        self._stopping = True
        self._again = False
        self._attempt_at = None
        if not self._in_flight and not self._deregistering:
            self._deregister()

    def renew(self, now: float) -> None:
        """Register again at once: the connection is lost, or our address has changed."""
        if self._stopping or self.stopped:
            return
        if self._in_flight:
            self._again = True
        else:
            self._attempt(now)

    def next_request(self) -> OutOfDialogRequest | None:
        """Return the request to send now, if any, once. Its end is for complete()."""
        request, self._to_send = self._to_send, None
        if request is not None:
            self._in_flight = True
        return request

    def next_deadline(self) -> float | None:
        """Return when handle_timeout() is to be called; None for never."""
        times = (self._attempt_at, self.registered_until)
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        self._expire(now)
        if self._attempt_at is not None and self._attempt_at <= now:
            self._attempt(now)

    def complete(self, response: Response | None, cause: RefusalCause, now: float) -> None:
        """Take in how the request ended: its final response, or None and the cause.

        Challenges have been met before, as far as the credentials allow.

        Raises LocalProtocolError if no request was on its way.
        """
        if not self._in_flight:
            raise LocalProtocolError("no REGISTER is on its way")
        self._expire(now)
        self._in_flight = False
        # The core sends challenged requests again, each with the next CSeq.
        if response is None:
            self._cseq += _CSEQ_MARGIN
        else:
            self._cseq = max(self._cseq, response.cseq.number)
        if self._deregistering:
            self._deregistering = False
            self.registered_until = None
            self.state = RegistrationState.UNREGISTERED
            self._again = not self._stopping
        else:
            self._conclude(response, cause, now)
            if self._stopping:
                self._deregister()
        if self._again:
            self._attempt(now)

    def _conclude(self, response: Response | None, cause: RefusalCause, now: float) -> None:
        if response is not None:
            granted = self._granted(response.headers) if 200 <= response.status < 300 else 0
            if granted > 0:
                self._registered(granted, now)
                return
            if response.status == 423 and self._ask_for_longer(response.headers):
                self._attempt(now)
                return
        self._failed(response, cause, now)

    def _attempt(self, now: float) -> None:
        self._expire(now)
        self._again = self._deregistering = False
        self._attempt_at = None
        if self.state is not RegistrationState.REGISTERED:
            self.state = RegistrationState.REGISTERING
        self._to_send = self._request(self._expires)

    def _deregister(self) -> None:
        """Ask to be unbound, if we are bound."""
        self._attempt_at = self._to_send = None
        if self.registered_until is None:
            self.state = RegistrationState.UNREGISTERED
        else:
            self._deregistering = True
            self._to_send = self._request(0)

    def _request(self, expires: int) -> OutOfDialogRequest:
        config = self.config
        self._cseq += 1
        return OutOfDialogRequest(
            method="REGISTER",
            target=config.registrar,
            from_=NameAddr(config.address_of_record, config.display_name),
            to=NameAddr(config.address_of_record, config.display_name),
            destinations=config.destinations,
            flow=config.flow,
            routes=config.routes,
            headers=(
                ("Contact", str(NameAddr(config.contact))),
                ("Expires", str(expires)),
                *config.headers,
            ),
            credentials=config.credentials,
            call_id=self._call_id,
            cseq=self._cseq,
        )

    def _registered(self, granted: int, now: float) -> None:
        self.state = RegistrationState.REGISTERED
        self.failure = None
        self.failures_in_a_row = 0
        self.registered_until = now + granted
        spread = 0.9 + 0.2 * self._random()
        self._attempt_at = now + granted * self.config.refresh_fraction * spread

    def _failed(self, response: Response | None, cause: RefusalCause, now: float) -> None:
        config = self.config
        lasting = response is not None and response.status in _LASTING_REFUSALS
        if response is None:
            self.failure = RegistrationFailure(cause)
        else:
            self.failure = RegistrationFailure(cause, response.status, response.reason)
        if lasting:
            self.registered_until = None
        if self.registered_until is None:
            self.state = RegistrationState.FAILED
        longest = min(config.longest_pause, config.first_pause * 2.0**self.failures_in_a_row)
        if lasting:
            longest = max(longest, 2 * config.refused_pause)
        # Many that failed together, with the registrar, must not come back together.
        pause = longest * (0.5 + 0.5 * self._random())
        if response is not None:
            pause = max(pause, _retry_after(response.headers))
        self.failures_in_a_row = min(self.failures_in_a_row + 1, MAX_FAILURES_COUNTED)
        self._attempt_at = now + pause

    def _expire(self, now: float) -> None:
        if self.registered_until is None or self.registered_until > now:
            return
        self.registered_until = None
        if self._stopping:
            self.state = RegistrationState.UNREGISTERED
        elif self._in_flight or self._to_send is not None:
            self.state = RegistrationState.REGISTERING
        else:
            self.state = RegistrationState.FAILED

    def _ask_for_longer(self, headers: Headers) -> bool:
        """Whether a 423 asks for a time that we can ask for next (RFC 3261 10.2.8)."""
        wanted = _seconds(headers.get("Min-Expires"))
        if wanted is None or not self._expires < wanted <= MAX_EXPIRES:
            return False
        self._expires = wanted
        return True

    def _granted(self, headers: Headers) -> int:
        """Return for how long we are bound: by our own Contact, Expires, or as we had asked.

        A registrar behind a session border controller may give our Contact back rewritten; if it
        is the only one, it is ours.
        """
        contacts = _contacts(headers)
        own = [c for c in contacts if self.config.contact.equivalent(c.uri)]
        if not own and len(contacts) == 1:
            own = contacts
        granted = _seconds(own[0].parameter("expires")) if own else None
        if granted is None:
            granted = _seconds(headers.get("Expires"))
        return min(self._expires if granted is None else granted, MAX_EXPIRES)


def _contacts(headers: Headers) -> list[NameAddr]:
    try:
        return [NameAddr.parse(text) for text in headers.get_all("Contact")]
    except InvalidValue:
        return []


def _retry_after(headers: Headers) -> float:
    """Return the pause that is asked for (RFC 3261 20.33), 0 for none, within our bound."""
    text = (headers.get("Retry-After") or "").partition(";")[0].partition("(")[0]
    return min(float(_seconds(text) or 0), MAX_RETRY_AFTER)


def _seconds(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
