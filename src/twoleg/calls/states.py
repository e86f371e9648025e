"""What state a call is in while it lasts, and which state may follow which."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """A call's `status`, as the database, the API and the events have it."""

    QUEUED = "queued"
    AGENT_RINGING = "agent_ringing"
    AGENT_CONNECTED = "agent_connected"
    CONTACT_RINGING = "contact_ringing"
    BRIDGED = "bridged"
    ENDED = "ended"

    # Equal to its text, and so in one place with it; Enum's own hash is several times the work.
    __hash__ = str.__hash__


TRANSITIONS: Final = frozenset(
    {
        (Status.QUEUED, Status.AGENT_RINGING),
        # The account wants the contact rung first.
        (Status.QUEUED, Status.CONTACT_RINGING),
        (Status.QUEUED, Status.ENDED),
        (Status.AGENT_RINGING, Status.AGENT_CONNECTED),
        (Status.AGENT_RINGING, Status.ENDED),
        (Status.AGENT_CONNECTED, Status.CONTACT_RINGING),
        (Status.AGENT_CONNECTED, Status.ENDED),
        (Status.CONTACT_RINGING, Status.BRIDGED),
        # The contact, rung first, is on the line.
        (Status.CONTACT_RINGING, Status.AGENT_RINGING),
        (Status.AGENT_RINGING, Status.BRIDGED),
        (Status.CONTACT_RINGING, Status.ENDED),
        (Status.BRIDGED, Status.ENDED),
        # Its engine died before the contact was attempted: another engine places the call.
        (Status.AGENT_RINGING, Status.QUEUED),
        (Status.AGENT_CONNECTED, Status.QUEUED),
    }
)
"""Every allowed change; the database's trigger `guard_call_status` says the same."""


class ForbiddenTransition(Exception):
    """A call was to go from one state to another that may not follow it."""

    def __init__(self, call_id: int, current: Status, wanted: Status) -> None:
        super().__init__(f"call {call_id}: {current} to {wanted}")
        self.call_id = call_id
        self.current = current
        self.wanted = wanted
