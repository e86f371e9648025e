"""What webhooks and their deliveries are."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  the start of every secret, by Standard Webhooks
TEST: Final = "webhook.test"
"""The type of what `POST /webhooks/{id}/test` sends."""

OLD_SECRET_HOURS: Final = 24
"""How long the secret from before a rotation signs too."""


class DeliveryState(StrEnum):
    """What became of a delivery so far."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where an account wants its events sent; no `events` means every type."""

    id: int
    account_id: int
    url: str
    events: Sequence[str]
    active: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one receiver; `message_id` is the header `webhook-id`.

    A call's own callback URL is a receiver too: it has a `url` and no `webhook_id`.
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
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


def make_secret() -> str:
    """Return a new secret, as the Standard Webhooks libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
