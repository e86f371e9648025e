"""Events of calls and appointments as they come: the live stream."""

from twoleg.events.log import EVENTS_CHANNEL, Event
from twoleg.events.stream import (
    EventStream,
    Subscription,
    TooManySubscriptions,
    Wanted,
)

__all__ = [
    "EVENTS_CHANNEL",
    "Event",
    "EventStream",
    "Subscription",
    "TooManySubscriptions",
    "Wanted",
]
