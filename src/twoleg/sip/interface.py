"""What the user agent takes and gives: its settings, what it is asked for, what it sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twoleg.sip.values import immutable

if TYPE_CHECKING:
    from .digest import Credentials
    from .fields import NameAddr
    from .invite_identity import InviteIdentity
    from .transport import Address, Destination, Flow, Transport
    from .uri import SipUri

HeaderFields = tuple[tuple[str, str], ...]


@immutable(kw_only=True)
class UserAgentConfig:
    """Settings of one user agent.

    `addresses`: the advertised address for each transport, for Via and Contact. The mapping may be
    filled in until the first message of that transport.
    `session_seconds`: after how long without a refresh a dialog is over (RFC 4028); 0: never.
    `handled_methods`: requests passed to the user as `RequestReceived` (REGISTER, REFER, ...).
    INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO and OPTIONS are the core's own.
    """

    addresses: Mapping[Transport, Address]
    user_agent: str = "twoleg"
    contact_user: str = "twoleg"
    accept_invites: bool = True
    handled_methods: frozenset[str] = frozenset()
    session_seconds: int = 1800
    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0


@immutable(kw_only=True)
class Invitation:
    """A leg to be rung.

    `destinations` are tried in order, each with a new branch, on timeout, 503 or transport error,
    until one has begun to ring (RFC 3263 4.3). Empty: `flow`, else the first route or the target.
    `flow`: the registered connection to send by; in-dialog requests take it too.
    `body`: the offer; empty asks the far end for one.
    `response_seconds`: how long a destination may say nothing before it has timed out, in place of
    64*T1 (timer B), and 16*T1 where another follows. One that speaks later is cancelled, or
    acknowledged and ended.
    `secure`: descriptions of the session hold keys, and go over TLS or not at all (RFC 4568 5.1.4);
    those that come another way are refused with 488.
    `identity`: what `UserAgent.identify` gave for it, so that another process may know it before it
    leaves.
    """

    target: SipUri
    from_: NameAddr
    to: NameAddr
    destinations: tuple[Destination, ...] = ()
    flow: Flow | None = None
    routes: tuple[NameAddr, ...] = ()
    headers: HeaderFields = ()
    body: bytes = field(default=b"", repr=False)
    secure: bool = False
    content_type: str = "application/sdp"
    credentials: Credentials | None = field(default=None, repr=False)
    follow_redirects: int = 0
    response_seconds: float | None = None
    call_id: str | None = None
    identity: InviteIdentity | None = None
    contact_parameters: str = ""


@immutable(kw_only=True)
class OutOfDialogRequest:
    """A request outside any dialog: OPTIONS, REGISTER, MESSAGE.

    A Contact header is the caller's to give (`headers`). `call_id` and `cseq` are given where
    they must rise from request to request, as REGISTER's do.
    """

    method: str
    target: SipUri
    from_: NameAddr
    to: NameAddr
    destinations: tuple[Destination, ...] = ()
    flow: Flow | None = None
    routes: tuple[NameAddr, ...] = ()
    headers: HeaderFields = ()
    body: bytes = b""
    credentials: Credentials | None = field(default=None, repr=False)
    call_id: str | None = None
    cseq: int | None = None


@immutable()
class ResponseSpec:
    """A response to a request that was passed to the user. An empty reason: the standard one."""

    status: int
    reason: str = ""
    headers: HeaderFields = ()
    body: bytes = b""
    content_type: str = "application/sdp"


@immutable()
class Outgoing:
    """Bytes to send: by `flow` if it is given and still open, else to `destination`.

    `token` names the exchange; hand the object back to transport_failed() if it cannot be sent,
    and to resolved() where the destination's host is a name. None: nobody waits for what comes of
    it. `turn` is how often an ACK was sent before, in vain: where the name stands for several
    addresses, it is another's turn.
    """

    data: bytes
    destination: Destination
    flow: Flow | None
    token: tuple[str, str] | None
    turn: int = 0


@dataclass(slots=True)
class Counters:
    """What was received and not acted upon, and what was turned away."""

    malformed: int = 0  # not a SIP message, and no reply was possible
    malformed_answered: int = 0  # answered with 400 or what the error says
    stray_responses: int = 0  # matched no transaction of ours
    stray_acks: int = 0  # matched no transaction and no dialog
    retransmissions_received: int = 0
    retransmissions_sent: int = 0
    undelivered: int = 0  # requests of ours that reached nobody, as ICMP says
    refused_for_load: int = 0  # a bound was reached: answered 503 or dropped
