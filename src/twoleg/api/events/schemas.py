"""The shapes of events in the stream."""

from __future__ import annotations

import json
from typing import Any

from twoleg.api.values import Output, Time, rfc3339
from twoleg.events import Event


class CallEvent(Output):
    """One change of a call; `sequence` rises by one from event to event of a call."""

    id: int
    type: str
    call_id: int
    sequence: int
    at: Time
    data: dict[str, Any]


class AppointmentChange(Output):
    """What an event of an appointment tells: the appointment as it was then, and before.

    `call_id` is the reminder call that it comes from.
    """

    appointment: dict[str, Any]
    before: dict[str, Any] | None
    call_id: int | None


class AppointmentEvent(Output):
    """One change of an appointment; `sequence` rises by one from event to event of it."""

    id: int
    type: str
    appointment_id: int
    sequence: int
    at: Time
    data: AppointmentChange


def server_sent(event: Event) -> bytes:
    """Return `event` as the stream has it: id, type and one line of JSON."""
    if event.appointment_id is None:
        subject = {"call_id": event.call_id}
    else:
        subject = {"appointment_id": event.appointment_id}
    data = {
        "id": event.id,
        "type": event.type,
        **subject,
        "sequence": event.sequence,
        "at": rfc3339(event.at),
        "data": event.data,
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"id: {event.id}\nevent: {event.type}\ndata: {text}\n\n".encode()
