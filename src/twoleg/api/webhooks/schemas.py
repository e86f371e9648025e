"""The shapes of webhooks and deliveries in requests and replies."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from twoleg.api.values import Input, Output, Text, Time, absent
from twoleg.events import webhooks

MAX_EVENTS: Final = 50
EventType = Annotated[
    str,
    Field(
        pattern=r"^[a-z]+\.[a-z_]+$",
        max_length=64,
        examples=["call.ended", "appointment.confirmed"],
    ),
]


class WebhookChange(Input):
    """What of a webhook changes; no `events` (an empty list) means every type."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": ["call.ended"]}]})

    url: Text = absent()
    events: Annotated[list[EventType], Field(max_length=MAX_EVENTS)] = absent()
    active: bool = absent()


class NewWebhook(WebhookChange):
    """A webhook to be made; it is told of what happens from then on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"url": "https://crm.example.com/twoleg", "events": ["call.bridged", "call.ended"]}
            ]
        }
    )

    url: Text


class Webhook(Output):
    """A webhook, without its secret.

    `disabled_reason` says why it was switched off, where we did it; `failing_since` since when it
    has taken nothing.
    """

    id: int
    url: str
    events: list[str]
    active: bool
    disabled_reason: str | None
    failing_since: Time | None
    created_at: Time


class WebhookShownOnce(Webhook):
    """A webhook with a new secret, which is never shown again."""

    secret: str


class Delivery(Output):
    """One event on its way to a webhook, or (with its `url`) to a call's callback URL.

    `message_id` is what it gets as `webhook-id`.
    `attempts` are those that have ended. `next_attempt_at` is null once none will follow.
    """

    id: int
    webhook_id: int | None
    url: str | None
    event_id: int | None
    call_id: int | None
    appointment_id: int | None
    type: str
    message_id: str
    state: str
    attempts: int
    next_attempt_at: Time | None
    last_status: int | None
    last_error: str | None
    created_at: Time
    delivered_at: Time | None


class CallbackSecret(Output):
    """What signs the messages to calls' callback URLs."""

    callback_secret: str


def shown_once(webhook: webhooks.Webhook, secret: str) -> WebhookShownOnce:
    """Return the reply that shows a new secret."""
    return WebhookShownOnce(**dict(Webhook.model_validate(webhook)), secret=secret)
