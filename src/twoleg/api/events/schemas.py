"""The shape of one event of a call in the stream."""

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


def server_sent(event: Event) -> bytes:
    """Return `event` as the stream has it: id, type and one line of JSON."""
    data = {
        "id": event.id,
        "type": event.type,
        "call_id": event.call_id,
        "sequence": event.sequence,
        "at": rfc3339(event.at),
        "data": event.data,
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"id: {event.id}\nevent: {event.type}\ndata: {text}\n\n".encode()
