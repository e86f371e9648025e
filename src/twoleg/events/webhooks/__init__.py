"""Webhooks: where accounts want their events sent, and what was sent there."""

from twoleg.events.webhooks.queries import (
    DELIVERIES_CHANNEL,
    callback_secret,
    change_webhook,
    create_webhook,
    delete_webhook,
    find_webhook,
    list_deliveries,
    list_deliveries_of_call,
    list_webhooks,
    rotate_callback_secret,
    rotate_secret,
    send_again,
    send_test,
)
from twoleg.events.webhooks.values import TEST, Delivery, DeliveryState, Webhook, make_secret

__all__ = [
    "DELIVERIES_CHANNEL",
    "TEST",
    "Delivery",
    "DeliveryState",
    "Webhook",
    "callback_secret",
    "change_webhook",
    "create_webhook",
    "delete_webhook",
    "find_webhook",
    "list_deliveries",
    "list_deliveries_of_call",
    "list_webhooks",
    "make_secret",
    "rotate_callback_secret",
    "rotate_secret",
    "send_again",
    "send_test",
]
