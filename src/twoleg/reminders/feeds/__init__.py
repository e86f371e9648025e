"""Calendar feeds: appointments that are read from an address again and again."""

from twoleg.reminders.feeds.queries import (
    change_feed,
    create_feed,
    delete_feed,
    find_feed,
    list_feeds,
    poll_soon,
)
from twoleg.reminders.feeds.values import AppointmentFeed, FeedState

__all__ = [
    "AppointmentFeed",
    "FeedState",
    "change_feed",
    "create_feed",
    "delete_feed",
    "find_feed",
    "list_feeds",
    "poll_soon",
]
