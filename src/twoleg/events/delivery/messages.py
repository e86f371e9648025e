"""What is sent of an event: a body that stays the same over all attempts, and its signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from standardwebhooks import Webhook as Signer

from twoleg.events.delivery.posting import Request
from twoleg.events.webhooks.values import TEST

_ENDED: Final = "ended"
STATUSES: Final = frozenset(
    {"queued", "agent_ringing", "agent_connected", "contact_ringing", "bridged", _ENDED}
)
"""The events of these names, behind `call.`, are changes of the status."""

# What never changes in a call, as the API names it.
FIXED: Final = (
    "user_id",
    "ring_group_id",
    "contact_id",
    "line_id",
    "user_phone_number",
    "contact_phone_number",
    "line_phone_number",
    "created_at",
    "metadata",
)
# What its end decided.
FINAL: Final = (
    "outcome",
    "ended_by",
    "failure",
    "ended_at",
    "agent_ring_seconds",
    "contact_ring_seconds",
    "talk_seconds",
    "total_seconds",
    "answered_by",
    "answered_by_ms",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A delivery that is due, with all that sending it takes.

    `event` and `call` are rows as JSON, None for a test, and where they are kept no longer. An
    event of an appointment has no call, and holds the appointment as it was then.
    """

    id: int
    receiver_id: int
    webhook_id: int | None
    call_id: int | None
    appointment_id: int | None
    type: str
    message_id: str
    attempts: int
    created_at: datetime
    url: str | None
    secrets: tuple[str, ...]
    active: bool
    """False: its webhook takes nothing any more."""

    event: Mapping[str, Any] | None
    call: Mapping[str, Any] | None
    status: str | None
    """The call's status by then."""

    @property
    def subject(self) -> tuple[str, int] | None:
        """What it tells of: messages of one call, or of one appointment, come in their order."""
        if self.call_id is not None:
            return "call", self.call_id
        return None if self.appointment_id is None else ("appointment", self.appointment_id)

    @property
    def sendable(self) -> bool:
        return self.url is not None and (self.type == TEST or self.event is not None)


def request_of(message: Message, now: float) -> Request:
    """Return `message` signed at `now` (Unix time), by Standard Webhooks."""
    assert message.url is not None
    body = json.dumps(_body(message), separators=(",", ":"), allow_nan=False)
    at = datetime.fromtimestamp(now, UTC)
    signatures = [Signer(key).sign(message.message_id, at, body) for key in message.secrets]
    headers = (
        ("webhook-id", message.message_id),
        ("webhook-timestamp", str(int(now))),
        ("webhook-signature", " ".join(signatures)),
    )
    return Request(message.url, headers, body.encode())


def _body(message: Message) -> dict[str, Any]:
    at = _time(message.created_at.isoformat() if message.event is None else message.event["at"])
    if message.event is not None and message.call is not None:
        data = _of_call(message, message.event, message.call)
    elif message.event is not None and message.appointment_id is not None:
        data = _of_appointment(message.event)
    else:
        data = {"webhook_id": message.webhook_id}
    return {"type": message.type, "timestamp": at, "data": data}


def _of_call(message: Message, event: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call as it was at `event`: what came later is not told."""
    ended = message.status == _ENDED
    data = {"id": message.call_id, "status": message.status, "sequence": event["sequence"]}
    data |= {name: call[name] for name in FIXED}
    data |= {name: call[name] if ended else None for name in FINAL}
    for name in ("created_at", "ended_at"):
        data[name] = _time(data[name])
    data["event"] = {"id": event["id"], **event["data"]}
    return data


def _of_appointment(event: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(event["data"])
    appointment: dict[str, Any] = told.pop("appointment")
    return {**appointment, "sequence": event["sequence"], "event": {"id": event["id"], **told}}


def _time(text: str | None) -> str | None:
    """Return a time in UTC to the millisecond, the form that the API has."""
    if text is None:
        return None
    at = datetime.fromisoformat(text).astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
