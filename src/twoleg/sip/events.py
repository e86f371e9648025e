"""What the user agent tells its user: one value for each kind of event.

A leg's events end with exactly one of `Refused` (it was never answered, as its user saw it) or
`Ended` (it had been answered, accepted or adopted). Nothing follows it for that leg.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from twoleg.sip.values import immutable

if TYPE_CHECKING:
    from .dialogs import DialogIdentity
    from .fields import NameAddr
    from .message import Request, Response
    from .transport import Destination, Flow


class RefusalCause(Enum):
    """Why a leg was never answered, or a request got no good answer."""

    RESPONSE = "response"  # the far end said so: `status` is its final response
    TIMEOUT = "timeout"  # nothing came from any destination (408 stands in), or no PRACK (504)
    TRANSPORT = "transport"  # no destination could be reached (503 stands in for it)
    CANCELED = "canceled"  # we or, for an incoming leg, the caller gave up
    REDIRECTS = "redirects"  # redirected in a circle, to nowhere usable, or too often


@immutable()
class Progress:
    """A provisional response above 100. `reliable` ones have been acknowledged by PRACK."""

    leg: int
    status: int
    reason: str
    body: bytes
    reliable: bool
    response: Response


@immutable()
class Answered:
    """The first 2xx of an outgoing leg. Its ACK leaves with `UserAgent.acknowledge`.

    `body` is the answer, or the offer where the INVITE had none; the ACK must then carry the
    answer.
    """

    leg: int
    status: int
    body: bytes
    identity: DialogIdentity
    response: Response


@immutable()
class Refused:
    """The leg is over without having been answered.

    `q850` is the cause of an incoming Reason header (RFC 3326), `retry_after` is in seconds,
    `contacts` are those of a 3xx that was not followed.
    """

    leg: int
    status: int
    reason: str
    cause: RefusalCause
    q850: int | None = None
    retry_after: float | None = None
    contacts: tuple[NameAddr, ...] = ()
    response: Response | None = None


@immutable()
class Established:
    """The ACK of our 2xx has come: an incoming leg is confirmed.

    `body` is the answer, where our 2xx, or a reliable response before it, carried the offer.
    """

    leg: int
    body: bytes
    identity: DialogIdentity


@immutable()
class Ended:
    """The leg, once answered, is over and its last exchange is complete.

    `by_remote`: the far end sent BYE, or is gone. `status` is the SIP cause of its Reason header,
    or the response that ended the dialog (481, 408), else None. `vanished`: it sent no BYE.
    """

    leg: int
    by_remote: bool
    status: int | None = None
    q850: int | None = None
    reason: str = ""
    vanished: bool = False


@immutable()
class Offered:
    """The peer offers a new session description: answer_offer() or refuse_offer().

    `method` is INVITE, UPDATE or PRACK (RFC 3262 5).
    """

    leg: int
    body: bytes
    method: str


@immutable()
class OfferWanted:
    """A re-INVITE without an offer: answer_offer() with our offer; `OfferAnswered` follows."""

    leg: int


@immutable()
class OfferAnswered:
    """Our offer was accepted."""

    leg: int
    body: bytes


@immutable()
class OfferRefused:
    """Our offer was refused; the session goes on as it was."""

    leg: int
    status: int


@immutable()
class InfoReceived:
    """An INFO in the dialog. It has been answered with 200."""

    leg: int
    content_type: str
    body: bytes


@immutable()
class Invited:
    """An INVITE for a new dialog: ring_back(), accept() or reject()."""

    leg: int
    request: Request
    flow: Flow


@immutable()
class RequestReceived:
    """A request that is the user's to answer with respond(). `leg`: the dialog it came in."""

    transaction: int
    request: Request
    flow: Flow
    leg: int | None = None


@immutable()
class RequestCompleted:
    """A request of ours outside or inside a dialog is over.

    `response` is the final one; None where `cause` is TIMEOUT or TRANSPORT.
    """

    request: int
    response: Response | None
    cause: RefusalCause


@immutable()
class DestinationFailed:
    """A destination did not answer, could not be reached or said 503 (RFC 3263 4.3)."""

    destination: Destination
    cause: RefusalCause


Event: TypeAlias = (
    Progress
    | Answered
    | Refused
    | Established
    | Ended
    | Offered
    | OfferWanted
    | OfferAnswered
    | OfferRefused
    | InfoReceived
    | Invited
    | RequestReceived
    | RequestCompleted
    | DestinationFailed
)
