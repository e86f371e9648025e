"""The user agent: bytes, user requests and the time in; datagrams, events and a deadline out."""

from .interface import (
    Counters,
    Invitation,
    Outgoing,
    OutOfDialogRequest,
    ResponseSpec,
    UserAgentConfig,
)

__all__ = [
    "Counters",
    "Invitation",
    "OutOfDialogRequest",
    "Outgoing",
    "ResponseSpec",
    "UserAgentConfig",
]
