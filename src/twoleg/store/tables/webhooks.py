"""Webhooks, and what is delivered to them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from twoleg.store.tables.columns import (
    boolean_column,
    created_at,
    id_column,
    integer_column,
    metadata,
    one_of,
    reference,
    text_column,
    texts_column,
    time_column,
)

webhooks = Table(
    "webhooks",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("url"),
    # Types of events; empty for every one.
    texts_column("events"),
    # Kept readable: what is sent can only be signed with it.
    text_column("secret"),
    # Signs beside the new one for a while after a rotation.
    Column("old_secret", Text),
    time_column("old_secret_until"),
    boolean_column("active", "true"),
    # Why we no longer send to it, where it was not its owner who said so.
    Column("disabled_reason", Text),
    # What happened before the webhook was made is not sent to it.
    Column("after_event_id", BigInteger, nullable=False, server_default=text("0")),
    created_at(),
    time_column("deleted_at"),
    Index(None, "account_id", "id"),
)

# Where deliveries go, one after another by call: a webhook, or the host of calls' callback URLs.
# One worker at a time has a receiver; `due_at` is when there is something to be sent to it.
webhook_receivers = Table(
    "webhook_receivers",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    Column("webhook_id", BigInteger, ForeignKey("webhooks.id"), unique=True),
    Column("origin", Text),
    time_column("due_at"),
    Column("worker", Text),
    Column(
        "leased_until",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("'epoch'::timestamptz"),
    ),
    # Since when it has taken nothing; null where the last one was taken.
    time_column("failing_since"),
    CheckConstraint("(webhook_id IS NULL) <> (origin IS NULL)", name="one_kind"),
    UniqueConstraint("account_id", "origin"),
    postgresql_with={"fillfactor": 50},
)
Index(
    "ix_webhook_receivers_due_at",
    webhook_receivers.c.due_at,
    postgresql_where=text("due_at IS NOT NULL"),
)

# No foreign keys to calls and events: they are removed by themselves, and each would be locked.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    id_column(),
    Column("account_id", BigInteger, nullable=False),
    reference("receiver_id", "webhook_receivers"),
    # Null where the call's own callback URL is the receiver; `url` is that one.
    Column("webhook_id", BigInteger),
    Column("url", Text),
    # Null for a test; the event is a call's or an appointment's.
    Column("event_id", BigInteger),
    Column("call_id", BigInteger),
    Column("appointment_id", BigInteger),
    text_column("type"),
    # The header webhook-id: the same however often it is sent.
    text_column("message_id"),
    text_column("state", "pending"),
    integer_column("attempts", 0),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    created_at(),
    time_column("delivered_at"),
    one_of("state", "pending", "delivered", "failed"),
    UniqueConstraint("receiver_id", "event_id"),
    Index(None, "webhook_id", "id"),
)
Index(
    "ix_webhook_deliveries_pending",
    webhook_deliveries.c.receiver_id,
    webhook_deliveries.c.next_attempt_at,
    webhook_deliveries.c.id,
    postgresql_where=text("state = 'pending'"),
)

# One row: up to which event deliveries were made.
webhook_position = Table(
    "webhook_position",
    metadata,
    Column("single", Boolean, primary_key=True, server_default=text("true")),
    Column("event_id", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("single", name="one_row"),
)

# What attempts came to, ever: one row each of `delivered`, `retried` and `failed`.
webhook_totals = Table(
    "webhook_totals",
    metadata,
    Column("outcome", Text, primary_key=True),
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    postgresql_with={"fillfactor": 50},
)
