"""How a call ended, in one word, and what the far ends' answers say about it."""

from enum import Enum, StrEnum, auto
from typing import Final

from twoleg.sip import RefusalCause
from twoleg.sip_io import LegEnd, LegRefused


class Outcome(StrEnum):
    """A call's `outcome`: set once, when it ends."""

    CONNECTED = "connected"
    AGENT_NO_ANSWER = "agent_no_answer"
    AGENT_BUSY = "agent_busy"
    AGENT_DECLINED = "agent_declined"
    AGENT_UNREACHABLE = "agent_unreachable"
    AGENT_NOT_CONFIRMED = "agent_not_confirmed"
    NO_AGENT_AVAILABLE = "no_agent_available"
    CONTACT_NO_ANSWER = "contact_no_answer"
    CONTACT_BUSY = "contact_busy"
    CONTACT_DECLINED = "contact_declined"
    CONTACT_UNREACHABLE = "contact_unreachable"
    CONTACT_INVALID_NUMBER = "contact_invalid_number"
    CONTACT_VOICEMAIL = "contact_voicemail"
    AGENT_HUNG_UP = "agent_hung_up"
    """Before the contact answered."""
    CANCELED = "canceled"
    EXPIRED = "expired"
    """Waited too long."""
    BLOCKED = "blocked"
    """By limits or consent, when it was to be dialled."""
    FAILED = "failed"
    """Ours; the call's `failure` says why."""


class EndedBy(StrEnum):
    """Who ended a call."""

    AGENT = "agent"
    CONTACT = "contact"
    API = "api"
    SYSTEM = "system"


def ended_by(end: LegEnd, who: EndedBy) -> EndedBy:
    """Say who ended a call with `who`'s leg: who vanished has not hung up."""
    return EndedBy.SYSTEM if end.vanished else who


class Refusal(Enum):
    """Why somebody who was rung did not take the call."""

    NO_ANSWER = auto()
    BUSY = auto()
    DECLINED = auto()
    UNREACHABLE = auto()
    INVALID_NUMBER = auto()
    BLOCKED = auto()
    """By us: every trunk is full."""
    NOT_CONFIRMED = auto()
    """Answered, but did not press 1."""


class Tone(Enum):
    """What the agent hears when the contact was not reached."""

    BUSY = auto()
    CONGESTION = auto()
    SPECIAL_INFORMATION = auto()


_BY_CAUSE: Final = {
    1: Refusal.INVALID_NUMBER,  # unallocated number
    17: Refusal.BUSY,  # user busy
    18: Refusal.NO_ANSWER,  # no user responding
    19: Refusal.NO_ANSWER,  # alerted, no answer
    20: Refusal.UNREACHABLE,  # subscriber absent
    21: Refusal.DECLINED,  # call rejected
    22: Refusal.INVALID_NUMBER,  # number changed
    28: Refusal.INVALID_NUMBER,  # invalid number format
}
"""By ITU-T Q.850 cause, which says more than the status that a gateway made of it."""

_BY_STATUS: Final = {
    404: Refusal.INVALID_NUMBER,
    410: Refusal.INVALID_NUMBER,
    414: Refusal.INVALID_NUMBER,
    416: Refusal.INVALID_NUMBER,
    484: Refusal.INVALID_NUMBER,
    486: Refusal.BUSY,
    600: Refusal.BUSY,
    603: Refusal.DECLINED,
    604: Refusal.INVALID_NUMBER,
    607: Refusal.DECLINED,  # RFC 8197: unwanted
    608: Refusal.DECLINED,  # RFC 8688: rejected by an analysis on the callee's behalf
}

_GAVE_UP_RINGING: Final = frozenset({408, 480})


def refusal_of(refused: LegRefused, *, rang: bool) -> Refusal:
    """Tell why a leg was refused; `rang` says whether the far end had begun to ring."""
    if refused.cause is not RefusalCause.RESPONSE:
        return Refusal.NO_ANSWER if rang else Refusal.UNREACHABLE
    if refused.q850 is not None and refused.q850 in _BY_CAUSE:
        return _BY_CAUSE[refused.q850]
    if refused.status in _GAVE_UP_RINGING and rang:
        return Refusal.NO_ANSWER
    return _BY_STATUS.get(refused.status, Refusal.UNREACHABLE)


def is_silent(refused: LegRefused) -> bool:
    """Tell whether nothing at all came back: a timeout, or a transport error."""
    return refused.cause in (RefusalCause.TIMEOUT, RefusalCause.TRANSPORT)


def is_trunk_failure(refused: LegRefused) -> bool:
    """Tell whether the trunk, and not whom it was to reach, is why: another trunk may do better.

    That is a timeout, a transport error, or a 5xx (RFC 3261 21.5) with no Q.850 cause that speaks
    of the person.
    """
    return is_silent(refused) or (500 <= refused.status < 600 and refused.q850 not in _BY_CAUSE)


def is_for_all_phones(refused: LegRefused) -> bool:
    """Tell whether the person, and not one phone, refused: a 6xx (RFC 3261 21.6)."""
    return refused.cause is RefusalCause.RESPONSE and refused.status >= 600


AGENT_OUTCOMES: Final = {
    Refusal.NO_ANSWER: Outcome.AGENT_NO_ANSWER,
    Refusal.BUSY: Outcome.AGENT_BUSY,
    Refusal.DECLINED: Outcome.AGENT_DECLINED,
    Refusal.UNREACHABLE: Outcome.AGENT_UNREACHABLE,
    Refusal.INVALID_NUMBER: Outcome.AGENT_UNREACHABLE,
    Refusal.BLOCKED: Outcome.BLOCKED,
    Refusal.NOT_CONFIRMED: Outcome.AGENT_NOT_CONFIRMED,
}

CONTACT_OUTCOMES: Final = {
    Refusal.NO_ANSWER: Outcome.CONTACT_NO_ANSWER,
    Refusal.BUSY: Outcome.CONTACT_BUSY,
    Refusal.DECLINED: Outcome.CONTACT_DECLINED,
    Refusal.UNREACHABLE: Outcome.CONTACT_UNREACHABLE,
    Refusal.INVALID_NUMBER: Outcome.CONTACT_INVALID_NUMBER,
    Refusal.BLOCKED: Outcome.BLOCKED,
}

FAILURES: Final = {Refusal.BLOCKED: "every trunk of the line carries as many calls as it may"}
"""What a call's `failure` says where the outcome does not say it all."""

TONES: Final = {
    Refusal.NO_ANSWER: Tone.CONGESTION,
    Refusal.BUSY: Tone.BUSY,
    Refusal.DECLINED: Tone.BUSY,
    Refusal.UNREACHABLE: Tone.CONGESTION,
    Refusal.INVALID_NUMBER: Tone.SPECIAL_INFORMATION,
    Refusal.BLOCKED: Tone.CONGESTION,
}

ENDS_ITSELF: Final = frozenset({Refusal.BUSY, Refusal.DECLINED})
"""Where whoever was rung ended the call; the others are the network's doing, or ours."""

_MOST_TELLING: Final = (
    Refusal.NOT_CONFIRMED,
    Refusal.DECLINED,
    Refusal.BUSY,
    Refusal.NO_ANSWER,
    Refusal.BLOCKED,
    Refusal.UNREACHABLE,
    Refusal.INVALID_NUMBER,
)


def most_telling(refusals: set[Refusal]) -> Refusal:
    """Choose what stands for several phones that did not take a call; none at all: unreachable."""
    return next((one for one in _MOST_TELLING if one in refusals), Refusal.UNREACHABLE)
