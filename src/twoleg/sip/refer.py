"""Blind transfer: what a REFER asks for, and what its NOTIFYs say (RFC 3515)."""

from __future__ import annotations

from typing import Final

from twoleg.sip.errors import InvalidValue
from twoleg.sip.fields import NameAddr
from twoleg.sip.interface import HeaderFields
from twoleg.sip.message import Request, reason_phrase
from twoleg.sip.uri import SipUri, TelUri
from twoleg.sip.values import immutable

SIPFRAG: Final = "message/sipfrag;version=2.0"

EXPIRES_SECONDS: Final = 180
"""How long the peer is told to expect news of one REFER."""


@immutable()
class Refer:
    """A wish to have somebody else called. `number` names it in NOTIFYs: the REFER's CSeq."""

    number: int
    target: SipUri | TelUri

    @property
    def wanted(self) -> str:
        """The user, group or number that is to be called."""
        target = self.target
        return target.number if isinstance(target, TelUri) else target.user or ""


def refer_of(request: Request) -> Refer | None:
    """Read a REFER; None: it does not have exactly one Refer-To that can be read (2.4.1).

    A Refer-To with header fields asks for more than a call, an attended transfer say: None too.
    """
    lines = request.headers.lines("Refer-To")
    if len(lines) != 1:
        return None
    try:
        target = NameAddr.parse(lines[0]).uri
    except InvalidValue:
        return None
    if isinstance(target, TelUri):
        return Refer(request.cseq.number, target)
    if not isinstance(target, SipUri) or target.headers or not target.user:
        return None
    return Refer(request.cseq.number, target)


def refer_news(refer: Refer, status: int) -> tuple[HeaderFields, bytes]:
    """Give header fields and body of the NOTIFY that tells how far the call is (2.4.4, 2.4.5).

    A final status ends the subscription.
    """
    state = f"active;expires={EXPIRES_SECONDS}"
    if status >= 200:
        state = "terminated;reason=noresource"
    headers = (("Event", f"refer;id={refer.number}"), ("Subscription-State", state))
    return headers, f"SIP/2.0 {status} {reason_phrase(status)}\r\n".encode()
