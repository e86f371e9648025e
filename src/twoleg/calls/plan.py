"""Everything that is decided about a call before it is placed, as plain data."""

from collections.abc import Iterator
from dataclasses import field
from enum import StrEnum
from typing import Final

from twoleg.directory.accounts import Announcement, Screening
from twoleg.media import Codec
from twoleg.sip import Credentials, Destination, Flow, NameAddr, SipUri
from twoleg.sip.values import immutable

AGENT_RING_SECONDS: Final = 30.0
CONTACT_RING_SECONDS: Final = 60.0
MAX_CALL_SECONDS: Final = 4 * 3600.0

RESPONSE_SECONDS: Final = 8.0
"""How long a trunk may say nothing before the next one is tried: by then it was asked five times.

A trunk that is there says 100 within 200 ms (RFC 3261 17.2.1).
"""

DEFAULT_CODECS: Final = (Codec.PCMU, Codec.PCMA)


class OnMachine(StrEnum):
    """What becomes of a call that a machine answers for the contact."""

    CONTINUE = "continue"
    """It goes on; its record says so."""

    HANG_UP = "hang_up"


@immutable(kw_only=True)
class LegPlan:
    """One way to reach someone: a registered phone, or a number over a trunk.

    `from_` carries the caller ID that the far end sees. `destinations` empty: the first route, or
    the target, is looked up when it is rung (RFC 3263).
    """

    target: SipUri
    from_: NameAddr
    to: NameAddr
    destinations: tuple[Destination, ...] = ()
    routes: tuple[NameAddr, ...] = ()
    flow: Flow | None = None
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = field(default=None, repr=False)
    max_redirects: int = 0
    codecs: tuple[Codec, ...] = DEFAULT_CODECS
    """What may be offered, the preferred one first."""

    encrypted: bool = False
    """Its audio is SRTP, or there is none; the way to it is secure."""

    is_browser: bool = False
    """It is a web page: its audio comes by ICE, DTLS and SRTP."""

    trunk_id: int | None = None
    """None: a registered phone."""

    is_limited: bool = False
    """The trunk takes so many calls only."""

    otherwise: "LegPlan | None" = None
    """The same over another trunk, for an agent whose trunk is full or fails."""

    response_seconds: float | None = None
    """How long nothing at all may come back, where another trunk is tried then; None: 64*T1."""

    def ways(self) -> "Iterator[LegPlan]":
        """Give this, and what is tried behind it, in turn."""
        way: LegPlan | None = self
        while way is not None:
            yield way
            way = way.otherwise


@immutable(kw_only=True)
class AgentPlan:
    """One agent: all of its endpoints ring together."""

    endpoints: tuple[LegPlan, ...]
    user_id: int | None = None
    screening: Screening = Screening.TRUNK_ONLY
    """On which of the endpoints whoever answers must press 1."""


@immutable(kw_only=True)
class AgentRound:
    """Agents that are rung together, for so long; the first to answer has the call."""

    agents: tuple[AgentPlan, ...]
    ring_seconds: float = AGENT_RING_SECONDS


@immutable(kw_only=True)
class ContactPlan:
    """How the contact is reached: each trunk in turn, until one rings."""

    trunks: tuple[LegPlan, ...]
    ring_seconds: float = CONTACT_RING_SECONDS
    """For all trunks together."""

    country: str | None = None
    """The line's country (ISO 3166), whose tones the agent hears."""

    language: str | None = None
    """What the contact speaks (ISO 639-1), if that is known."""


@immutable(kw_only=True)
class CallPlan:
    """One claimed call, from its row to whom it rings.

    `rounds` are rung one after another until somebody answers; who is rung after them is found
    when it comes to that.
    """

    call_id: int
    account_id: int
    rounds: tuple[AgentRound, ...]
    contact: ContactPlan
    ring_group_id: int | None = None
    max_seconds: float = MAX_CALL_SECONDS
    sequence: int = 1
    """Number of the last event that is already written; `call.queued` is 1."""

    queued_seconds: float = 0.0
    """From acceptance to the claim, by the database's clock."""

    hangup_requested: bool = False
    """The API asked for the end before the claim."""

    expired: bool = False
    """It waited for an engine for too long: nobody is rung any more."""

    contact_first: bool = False
    """The contact is rung before any agent."""

    contact_name: str | None = None
    """What a whispered text may name."""

    whisper_prompt_id: int | None = None
    """What the agent hears before it is joined to the contact."""

    record: bool = False
    """Record what is said."""

    announcement: Announcement = Announcement.BOTH
    """Who hears that first."""

    on_machine: OnMachine | None = None
    """None: nobody listens for who answered."""

    agents_busy: bool = False
    """Whoever was meant has another call, or is away."""
