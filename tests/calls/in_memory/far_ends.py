"""How a far end behaves: what it does, and how many seconds after the INVITE."""

from array import array
from dataclasses import dataclass

from twoleg.sip import PCMU, RefusalCause
from twoleg.sip_io import Info


@dataclass(frozen=True)
class Rings:
    after: float = 0.1
    status: int = 180


@dataclass(frozen=True)
class PlaysEarly:
    """183 with a session description, and audio a moment later."""

    after: float = 0.2
    audio_after: float | None = 0.3
    body: bytes | None = None


@dataclass(frozen=True)
class Answers:
    after: float = 2.0
    formats: tuple = (PCMU,)
    body: bytes | None = None


@dataclass(frozen=True)
class Refuses:
    status: int
    after: float = 0.5
    q850: int | None = None
    reason: str = ""
    cause: RefusalCause = RefusalCause.RESPONSE


@dataclass(frozen=True)
class HangsUp:
    after: float


@dataclass(frozen=True)
class Vanishes:
    """The session is not refreshed any more."""

    after: float


@dataclass(frozen=True)
class Offers:
    """A re-INVITE: whatever `offer(session)` makes of the far end's session."""

    after: float
    offer: object


@dataclass(frozen=True)
class Sends:
    """An INFO."""

    after: float
    info: Info


@dataclass(frozen=True)
class Refers:
    """A REFER, with which a phone hands its call over."""

    after: float
    to: str = "sip:boss@example.test"


@dataclass(frozen=True)
class Presses:
    """A digit, as telephone-event."""

    after: float
    digit: str = "1"


@dataclass(frozen=True)
class Says:
    """Audio: samples of 16 bits at 8000 Hz, which come in packets of 20 ms."""

    after: float
    samples: array


@dataclass(frozen=True)
class FallsSilent:
    """No audio comes any more."""

    after: float


@dataclass(frozen=True)
class LosesAudio:
    """A browser proves to be another, or goes without a word."""

    after: float
    why: str


ANSWERS = (Rings(), Answers())
RINGS_FOR_EVER = (Rings(),)
DEAD = ()
