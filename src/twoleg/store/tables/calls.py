"""Calls, what they hold while they run, and their record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from twoleg.store.tables.columns import (
    SECONDS,
    boolean_column,
    created_at,
    id_column,
    integer_column,
    metadata,
    object_column,
    one_of,
    reference,
    text_column,
    texts_column,
    time_column,
)

engines = Table(
    "engines",
    metadata,
    id_column(),
    text_column("name"),
    Column("sip_host", Text),
    Column("sip_port", Integer),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("heartbeat_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    boolean_column("draining"),
    # It ended in order, or another one runs where it did: nobody need wait for its heartbeat.
    boolean_column("gone"),
    # What it measured, as of its last heartbeat; see calls/figures.py.
    object_column("figures"),
)

bindings = Table(
    "bindings",
    metadata,
    id_column(),
    reference("user_id", "users"),
    text_column("contact_uri"),
    text_column("call_id"),
    Column("cseq", BigInteger, nullable=False),
    texts_column("path"),
    Column("flow", JSONB(none_as_null=True)),
    # No foreign key: a phone outlives the engine that it registered at.
    Column("engine_id", BigInteger),
    Column("user_agent", Text),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("user_id", "contact_uri"),
)

calls = Table(
    "calls",
    metadata,
    id_column(),
    # No foreign key to accounts, nor to engines: neither is ever removed, and each call and each
    # claim would lock the one row.
    Column("account_id", BigInteger, nullable=False),
    text_column("source"),
    text_column("status", "queued"),
    Column("outcome", Text),
    Column("ended_by", Text),
    # What went wrong on our side, for people; beside the outcomes `failed` and `blocked`.
    Column("failure", Text),
    reference("user_id", "users", nullable=True),
    reference("ring_group_id", "ring_groups", nullable=True),
    reference("contact_id", "contacts", nullable=True),
    reference("line_id", "lines", nullable=True),
    Column("user_phone_number", Text),
    text_column("contact_phone_number"),
    text_column("line_phone_number"),
    object_column("options"),
    object_column("metadata"),
    Column("callback_url", Text),
    Column("idempotency_key", Text),
    Column("engine_id", BigInteger),
    time_column("claimed_at"),
    # Set and committed before the contact's INVITE may leave; after it nothing dials again.
    time_column("contact_attempt_at"),
    time_column("hangup_requested_at"),
    integer_column("sequence", 0),
    created_at(),
    time_column("ended_at"),
    Column("agent_ring_seconds", SECONDS),
    Column("contact_ring_seconds", SECONDS),
    Column("talk_seconds", SECONDS),
    Column("total_seconds", SECONDS),
    # Who answered for the contact, by ear, and how long it took to tell.
    Column("answered_by", Text),
    Column("answered_by_ms", Integer),
    # What people say that it came to: one of the account's list, and in their own words.
    Column("disposition", Text),
    Column("notes", Text),
    # It was said while an engine had the call, and no event tells of it yet.
    boolean_column("disposition_untold"),
    one_of("answered_by", "human", "machine", "unknown"),
    CheckConstraint("(status = 'ended') = (ended_at IS NOT NULL)", name="ended_has_a_time"),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended_has_an_outcome"),
    postgresql_with={"fillfactor": 60},
)
Index(
    "ix_calls_unclaimed",
    calls.c.account_id,
    calls.c.id,
    postgresql_where=text("engine_id IS NULL AND ended_at IS NULL"),
)
Index("ix_calls_engine_id_live", calls.c.engine_id, postgresql_where=text("ended_at IS NULL"))
Index("ix_calls_account_id_live", calls.c.account_id, postgresql_where=text("ended_at IS NULL"))
Index(
    "ix_calls_idempotency_key",
    calls.c.account_id,
    calls.c.idempotency_key,
    postgresql_where=text("idempotency_key IS NOT NULL"),
)


def _of_ended(name: str, *first: Any, where: str = "") -> None:
    """Make an index for lists, newest first: of calls that have ended, which change no more."""
    Index(
        name,
        calls.c.account_id,
        *first,
        calls.c.created_at,
        calls.c.id,
        postgresql_where=text(f"ended_at IS NOT NULL{where}"),
    )


_of_ended("ix_calls_ended")
_of_ended("ix_calls_ended_outcome", calls.c.outcome)
_of_ended("ix_calls_ended_contact_phone_number", calls.c.contact_phone_number)
_of_ended("ix_calls_ended_line_phone_number", calls.c.line_phone_number)
for _column in (
    calls.c.user_id,
    calls.c.ring_group_id,
    calls.c.contact_id,
    calls.c.line_id,
    calls.c.user_phone_number,
    calls.c.answered_by,
    calls.c.disposition,
):
    _of_ended(f"ix_calls_ended_{_column.name}", _column, where=f" AND {_column.name} IS NOT NULL")

# Which call has a user: rung or talking. It keeps two calls from ringing one user.
reservations = Table(
    "reservations",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), primary_key=True),
    Column("call_id", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    # How long the user is left alone once the call is over.
    integer_column("wrap_up_seconds", 0),
    created_at(),
    Index(None, "call_id"),
)

# Calls that wait for one user, or for one of a ring group: older ones go first on every engine.
waiting_calls = Table(
    "waiting_calls",
    metadata,
    Column("call_id", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger),
    Column("ring_group_id", BigInteger),
    # Users that the call has rung already; it does not wait for them.
    Column("rung", ARRAY(BigInteger), nullable=False, server_default=text("'{}'::bigint[]")),
    created_at(),
    Index(None, "ring_group_id", "call_id"),
    Index(None, "user_id", "call_id"),
)

# Trunks with a limit: how many calls they carry, and when the next one may begin.
trunk_usage = Table(
    "trunk_usage",
    metadata,
    Column("trunk_id", BigInteger, ForeignKey("trunks.id"), primary_key=True),
    integer_column("calls", 0),
    Column(
        "next_call_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("'epoch'::timestamptz"),
    ),
    postgresql_with={"fillfactor": 50},
)

# Which call has a place on such a trunk; `trunk_usage.calls` counts these rows.
trunk_slots = Table(
    "trunk_slots",
    metadata,
    id_column(),
    Column("trunk_id", BigInteger, nullable=False),
    # No foreign key: a place is given back even where the call's record is gone.
    Column("call_id", BigInteger, nullable=False),
    Column("engine_id", BigInteger, nullable=False),
    created_at(),
)

# Legs and events are written by the statement that writes their call, and go with it by a trigger
# on calls: a foreign key would look the call up and lock it for each of them.
legs = Table(
    "legs",
    metadata,
    Column("call_id", BigInteger, nullable=False),
    Column("position", SmallInteger, nullable=False),
    text_column("role"),
    Column("user_id", BigInteger),
    text_column("to_uri"),
    Column("trunk_id", BigInteger),
    Column("started_at", DateTime(timezone=True), nullable=False),
    time_column("answered_at"),
    time_column("ended_at"),
    Column("sip_status", SmallInteger),
    Column("q850_cause", SmallInteger),
    Column("reason", Text),
    Column("codec", Text),
    Column("quality", JSONB(none_as_null=True)),
    # What a CANCEL needs once the engine is gone: InviteIdentity as JSON, until the answer; after
    # it, in the row of the agent who has the call, that of the contact's first INVITE.
    Column("invite", JSONB(none_as_null=True)),
    # What a BYE needs then: DialogIdentity as JSON, from the answer to the end.
    Column("dialog", JSONB(none_as_null=True)),
    PrimaryKeyConstraint("call_id", "position"),
    one_of("role", "agent", "contact"),
    postgresql_with={"fillfactor": 60},
)

# Legs of lost engines that are still to be hung up, and the engine that is to do it.
lost_legs = Table(
    "lost_legs",
    metadata,
    Column("call_id", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("engine_id", BigInteger, ForeignKey("engines.id"), nullable=False),
    Column("trunk_id", BigInteger),
    Column("invite", JSONB(none_as_null=True)),
    Column("dialog", JSONB(none_as_null=True)),
    created_at(),
    PrimaryKeyConstraint("call_id", "position"),
)

# What becomes of calls, and of appointments too: one log, so that whoever follows it reads one.
# No foreign key to accounts: each would lock the account's row once an event.
call_events = Table(
    "call_events",
    metadata,
    id_column(),
    Column("account_id", BigInteger, nullable=False),
    Column("call_id", BigInteger),
    Column("appointment_id", BigInteger, ForeignKey("appointments.id", ondelete="CASCADE")),
    Column("sequence", Integer, nullable=False),
    text_column("type"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    object_column("data"),
    CheckConstraint("(call_id IS NULL) <> (appointment_id IS NULL)", name="of_one"),
    UniqueConstraint("call_id", "sequence"),
    Index(None, "account_id", "id"),
)
Index(
    "uq_call_events_appointment_id_sequence",
    call_events.c.appointment_id,
    call_events.c.sequence,
    unique=True,
    postgresql_where=text("appointment_id IS NOT NULL"),
)
