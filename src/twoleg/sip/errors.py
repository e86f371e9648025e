"""What goes wrong in SIP, told apart by whose fault it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twoleg.sip.message import Request


class SipError(Exception):
    """Anything that this package raises."""


class LocalProtocolError(SipError):
    """We were asked for something that the protocol does not allow; nothing was changed."""


class RemoteProtocolError(SipError):
    """What the far end sent breaks the protocol.

    `status` and `reason` are what to answer. `request` is the offending request as far as it
    could be read, given only when an answer can be sent: its topmost Via is sound and it is no
    ACK. Only its `method`, its `via` and its raw headers may be relied upon; use
    `Request.make_response` for the answer. Without `request` the message is to be dropped.
    """

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.request = request


class SessionRejected(SipError):
    """No session can be made of what the far end described: 488 Not Acceptable Here."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidValue(SipError, ValueError):
    """A text is no value of the kind `kind` ("SIP URI", "Via", ...).

    The text itself is not in the message of the error: it may hold a secret, and has any length.
    """

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(f"{kind}: {problem}")
        self.kind = kind
        self.problem = problem
