"""The tables, as SQLAlchemy Core metadata; the migrations are proved equal to it.

Ids are bigint identities and times `timestamptz`. Directory things are never removed: what a call
record refers to keeps its row, marked by `deleted_at`. Columns that change while a call runs
(`status`, `sequence`) stand in no index, so that those updates stay on their page (HOT).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    desc,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NOT_DELETED = text("deleted_at IS NULL")
_SECONDS = Numeric(12, 3, asdecimal=False)


def _id() -> Column[Any]:
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def _refers(name: str, to: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, ForeignKey(f"{to}.id"), nullable=nullable)


def _time(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True))


def _created_at() -> Column[Any]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _text(name: str, default: str | None = None) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default=default)


def _integer(name: str, default: int) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def _boolean(name: str, default: str = "false") -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text(default))


def _object(name: str) -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))


def _texts(name: str) -> Column[Any]:
    return Column(name, ARRAY(Text), nullable=False, server_default=text("'{}'::text[]"))


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


accounts = Table(
    "accounts",
    metadata,
    _id(),
    _text("name"),
    _integer("max_calls", 100),
    _integer("calls_per_second", 50),
    _text("screening", "trunk_only"),
    _text("recording", "never"),
    # Who hears, before a call is recorded, that it will be.
    _text("recording_announcement", "both"),
    # How long a user is left alone after a call; a ring group may say otherwise.
    _integer("wrap_up_seconds", 0),
    # {"start": "21:00", "end": "08:00"} in the contact's own zone; null for none.
    Column("quiet_hours", JSONB(none_as_null=True)),
    # Countries (ISO 3166) that may be called; null or empty for every one.
    Column("allowed_countries", ARRAY(Text)),
    _text("time_zone", "UTC"),
    # Signs what calls' callback URLs get; 32 random bytes.
    Column(
        "callback_secret",
        Text,
        nullable=False,
        server_default=text(
            "'whsec_' || encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),"
            " 'base64')"
        ),
    ),
    _created_at(),
    _one_of("screening", "never", "trunk_only", "always"),
    _one_of("recording", "never", "on_request", "always"),
    _one_of("recording_announcement", "none", "contact", "both"),
)

# One row an account, made by admission: the lock and the bookkeeping of its exact limits.
account_admissions = Table(
    "account_admissions",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), primary_key=True),
    Column(
        "window_started_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("'epoch'::timestamptz"),
    ),
    _integer("window_calls", 0),
    Column("admitted", BigInteger, nullable=False, server_default="0"),
    _integer("last_admitted", 0),
    postgresql_with={"fillfactor": 50},
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("name"),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    # Empty for everything.
    _texts("scopes"),
    _time("expires_at"),
    _created_at(),
    _time("deleted_at"),
    Index(None, "account_id", "id"),
)

users = Table(
    "users",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("name"),
    _text("email"),
    Column("phone_number", Text),
    _text("availability", "available"),
    _text("sip_username"),
    # {"MD5": ..., "SHA-256": ...}: HA1 for the realm "twoleg"; the password is not kept.
    _object("sip_ha1"),
    # The last call that the user answered, for the longest_idle strategy; no ring group rings the
    # user until its wrap-up time is over.
    _time("last_call_ended_at"),
    _time("wrap_up_until"),
    # Null for the ring group's, or the account's.
    Column("screening", Text),
    _created_at(),
    _time("deleted_at"),
    _one_of("availability", "available", "away"),
    _one_of("screening", "never", "trunk_only", "always"),
    Index(None, "account_id", "id"),
)
Index(
    "uq_users_account_id_email",
    users.c.account_id,
    func.lower(users.c.email),
    unique=True,
    postgresql_where=_NOT_DELETED,
)
Index(
    "uq_users_sip_username",
    func.lower(users.c.sip_username),
    unique=True,
    postgresql_where=_NOT_DELETED,
)

engines = Table(
    "engines",
    metadata,
    _id(),
    _text("name"),
    Column("sip_host", Text),
    Column("sip_port", Integer),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("heartbeat_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _boolean("draining"),
    # It ended in order, or another one runs where it did: nobody need wait for its heartbeat.
    _boolean("gone"),
    # What it measured, as of its last heartbeat; see calls/figures.py.
    _object("figures"),
)

bindings = Table(
    "bindings",
    metadata,
    _id(),
    _refers("user_id", "users"),
    _text("contact_uri"),
    _text("call_id"),
    Column("cseq", BigInteger, nullable=False),
    _texts("path"),
    Column("flow", JSONB(none_as_null=True)),
    # No foreign key: a phone outlives the engine that it registered at.
    Column("engine_id", BigInteger),
    Column("user_agent", Text),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("user_id", "contact_uri"),
)

ring_groups = Table(
    "ring_groups",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("name"),
    _text("strategy", "ring_all"),
    _integer("ring_seconds", 20),
    # 0: the queue is off, a call that finds nobody free is refused.
    _integer("max_wait_seconds", 0),
    # Calls that may wait at the same time; null for any number.
    Column("max_waiting", Integer),
    # Null for the account's.
    Column("wrap_up_seconds", Integer),
    # Null for the account's.
    Column("screening", Text),
    # {"user_id": 1}, {"ring_group_id": 2} or {"phone_number": "+1..."}; null ends the call.
    Column("fallback", JSONB(none_as_null=True)),
    # Where round_robin goes on: the place, from 0, of the member after the one rung last.
    Column("next_position", BigInteger, nullable=False, server_default="0"),
    _created_at(),
    _time("deleted_at"),
    _one_of("strategy", "ring_all", "in_order", "round_robin", "longest_idle", "random"),
    _one_of("screening", "never", "trunk_only", "always"),
    Index(None, "account_id", "id"),
)

ring_group_members = Table(
    "ring_group_members",
    metadata,
    Column("ring_group_id", BigInteger, ForeignKey("ring_groups.id"), nullable=False),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("ring_group_id", "user_id"),
    Index(None, "user_id"),
)

contacts = Table(
    "contacts",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    Column("name", Text),
    _text("phone_number"),
    Column("time_zone", Text),
    Column("language", Text),
    _boolean("opted_out"),
    _object("attributes"),
    _created_at(),
    _time("deleted_at"),
    Index(None, "account_id", "id"),
)

# Every number of a contact, its main one too.
contact_phone_numbers = Table(
    "contact_phone_numbers",
    metadata,
    Column("contact_id", BigInteger, ForeignKey("contacts.id"), nullable=False),
    Column("account_id", BigInteger, nullable=False),
    _text("phone_number"),
    UniqueConstraint("contact_id", "phone_number"),
    Index(None, "account_id", "phone_number"),
)

trunks = Table(
    "trunks",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("name"),
    _text("host"),
    Column("port", Integer),
    _text("transport", "udp"),
    Column("username", Text),
    # Kept readable: a carrier's challenge can only be answered with it.
    Column("password", Text),
    _boolean("register"),
    Column("from_domain", Text),
    Column("max_calls", Integer),
    Column("calls_per_second", Integer),
    _text("caller_id_mode", "from"),
    _text("number_format", "e164"),
    Column(
        "codecs",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{PCMU,PCMA}'::text[]"),
    ),
    _integer("priority", 0),
    _integer("weight", 1),
    _text("state", "unknown"),
    Column("state_detail", Text),
    _time("state_at"),
    _created_at(),
    _time("deleted_at"),
    _one_of("transport", "udp", "tcp", "tls"),
    _one_of("caller_id_mode", "from", "p_asserted_identity", "remote_party_id"),
    _one_of("number_format", "e164", "e164_no_plus", "national"),
    Index(None, "account_id", "id"),
)

lines = Table(
    "lines",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("phone_number"),
    Column("name", Text),
    _text("country"),
    _created_at(),
    _time("deleted_at"),
    Index(None, "account_id", "id"),
)
Index(
    "uq_lines_account_id_phone_number",
    lines.c.account_id,
    lines.c.phone_number,
    unique=True,
    postgresql_where=_NOT_DELETED,
)

line_trunks = Table(
    "line_trunks",
    metadata,
    Column("line_id", BigInteger, ForeignKey("lines.id"), nullable=False),
    Column("trunk_id", BigInteger, ForeignKey("trunks.id"), nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("line_id", "trunk_id"),
    Index(None, "trunk_id"),
)

calls = Table(
    "calls",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("source"),
    _text("status", "queued"),
    Column("outcome", Text),
    Column("ended_by", Text),
    # What went wrong on our side, for people; beside the outcomes `failed` and `blocked`.
    Column("failure", Text),
    _refers("user_id", "users", nullable=True),
    _refers("ring_group_id", "ring_groups", nullable=True),
    _refers("contact_id", "contacts", nullable=True),
    _refers("line_id", "lines", nullable=True),
    Column("user_phone_number", Text),
    _text("contact_phone_number"),
    _text("line_phone_number"),
    _object("options"),
    _object("metadata"),
    Column("callback_url", Text),
    Column("idempotency_key", Text),
    Column("engine_id", BigInteger, ForeignKey("engines.id")),
    _time("claimed_at"),
    # Set and committed before the contact's INVITE may leave; after it nothing dials again.
    _time("contact_attempt_at"),
    _time("hangup_requested_at"),
    _integer("sequence", 0),
    _created_at(),
    _time("ended_at"),
    Column("agent_ring_seconds", _SECONDS),
    Column("contact_ring_seconds", _SECONDS),
    Column("talk_seconds", _SECONDS),
    Column("total_seconds", _SECONDS),
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
Index("ix_calls_account_id_id", calls.c.account_id, desc(calls.c.id))
Index("ix_calls_account_id_user_id", calls.c.account_id, calls.c.user_id, desc(calls.c.id))
Index("ix_calls_account_id_contact_id", calls.c.account_id, calls.c.contact_id, desc(calls.c.id))
Index("ix_calls_account_id_created_at", calls.c.account_id, calls.c.created_at)

# Which call has a user: rung or talking. It keeps two calls from ringing one user.
reservations = Table(
    "reservations",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), primary_key=True),
    Column("call_id", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    # How long the user is left alone once the call is over.
    _integer("wrap_up_seconds", 0),
    _created_at(),
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
    _created_at(),
    Index(None, "ring_group_id", "call_id"),
    Index(None, "user_id", "call_id"),
)

# Trunks with a limit: how many calls they carry, and when the next one may begin.
trunk_usage = Table(
    "trunk_usage",
    metadata,
    Column("trunk_id", BigInteger, ForeignKey("trunks.id"), primary_key=True),
    _integer("calls", 0),
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
    _id(),
    Column("trunk_id", BigInteger, nullable=False),
    # No foreign key: a place is given back even where the call's record is gone.
    Column("call_id", BigInteger, nullable=False),
    Column("engine_id", BigInteger, nullable=False),
    _created_at(),
)

legs = Table(
    "legs",
    metadata,
    Column("call_id", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    _text("role"),
    Column("user_id", BigInteger),
    _text("to_uri"),
    Column("trunk_id", BigInteger),
    Column("started_at", DateTime(timezone=True), nullable=False),
    _time("answered_at"),
    _time("ended_at"),
    Column("sip_status", SmallInteger),
    Column("q850_cause", SmallInteger),
    Column("reason", Text),
    Column("codec", Text),
    Column("quality", JSONB(none_as_null=True)),
    # What a CANCEL needs once the engine is gone: InviteIdentity as JSON, until the answer.
    Column("invite", JSONB(none_as_null=True)),
    # What a BYE needs then: DialogIdentity as JSON, from the answer to the end.
    Column("dialog", JSONB(none_as_null=True)),
    PrimaryKeyConstraint("call_id", "position"),
    _one_of("role", "agent", "contact"),
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
    _created_at(),
    PrimaryKeyConstraint("call_id", "position"),
)

# No foreign key to accounts: each would lock the account's row once an event.
call_events = Table(
    "call_events",
    metadata,
    _id(),
    Column("account_id", BigInteger, nullable=False),
    Column("call_id", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", Integer, nullable=False),
    _text("type"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _object("data"),
    UniqueConstraint("call_id", "sequence"),
    Index(None, "account_id", "id"),
)

# A recorded call. Keys name objects in the storage, until those are removed.
recordings = Table(
    "recordings",
    metadata,
    _id(),
    Column("account_id", BigInteger, nullable=False),
    Column(
        "call_id",
        BigInteger,
        ForeignKey("calls.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    _text("state", "recording"),
    # The API asked for a pause, and the engine keeps nothing until it is over.
    _boolean("pause_wanted"),
    # Why it ended before the call did, or is not to be had.
    Column("failure", Text),
    Column("seconds", _SECONDS),
    Column("bytes", BigInteger),
    # What the engine wrote, and what is heard.
    Column("raw_key", Text),
    Column("object_key", Text),
    _integer("attempts", 0),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _created_at(),
    _time("ready_at"),
    _time("deleted_at"),
    _one_of("state", "recording", "finalising", "ready", "failed", "deleted"),
    postgresql_with={"fillfactor": 70},
)
Index(
    "ix_recordings_unfinished",
    recordings.c.next_attempt_at,
    postgresql_where=text("state IN ('recording', 'finalising')"),
)
Index(
    "ix_recordings_ready_at",
    recordings.c.ready_at,
    postgresql_where=text("state = 'ready'"),
)
# Objects that are there and are no longer wanted.
Index(
    "ix_recordings_leftover",
    recordings.c.id,
    postgresql_where=text(
        "raw_key IS NOT NULL AND state IN ('ready', 'failed', 'deleted')"
        " OR object_key IS NOT NULL AND state = 'deleted'"
    ),
)

# What links are signed with, by what they are for.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("purpose", Text, primary_key=True),
    Column(
        "key",
        LargeBinary,
        nullable=False,
        server_default=text("uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())"),
    ),
    _created_at(),
)

webhooks = Table(
    "webhooks",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("url"),
    # Types of events; empty for every one.
    _texts("events"),
    # Kept readable: what is sent can only be signed with it.
    _text("secret"),
    # Signs beside the new one for a while after a rotation.
    Column("old_secret", Text),
    _time("old_secret_until"),
    _boolean("active", "true"),
    # Why we no longer send to it, where it was not its owner who said so.
    Column("disabled_reason", Text),
    # What happened before the webhook was made is not sent to it.
    Column("after_event_id", BigInteger, nullable=False, server_default="0"),
    _created_at(),
    _time("deleted_at"),
    Index(None, "account_id", "id"),
)

# Where deliveries go, one after another by call: a webhook, or the host of calls' callback URLs.
# One worker at a time has a receiver; `due_at` is when there is something to be sent to it.
webhook_receivers = Table(
    "webhook_receivers",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    Column("webhook_id", BigInteger, ForeignKey("webhooks.id"), unique=True),
    Column("origin", Text),
    _time("due_at"),
    Column("worker", Text),
    Column(
        "leased_until",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("'epoch'::timestamptz"),
    ),
    # Since when it has taken nothing; null where the last one was taken.
    _time("failing_since"),
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
    _id(),
    Column("account_id", BigInteger, nullable=False),
    _refers("receiver_id", "webhook_receivers"),
    # Null where the call's own callback URL is the receiver; `url` is that one.
    Column("webhook_id", BigInteger),
    Column("url", Text),
    # Null for a test.
    Column("event_id", BigInteger),
    Column("call_id", BigInteger),
    _text("type"),
    # The header webhook-id: the same however often it is sent.
    _text("message_id"),
    _text("state", "pending"),
    _integer("attempts", 0),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    _created_at(),
    _time("delivered_at"),
    _one_of("state", "pending", "delivered", "failed"),
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
    Column("event_id", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("single", name="one_row"),
)

# Read by the trigger on calls.status; filled by the migrations.
call_transitions = Table(
    "call_transitions",
    metadata,
    Column("from_status", Text, nullable=False),
    Column("to_status", Text, nullable=False),
    PrimaryKeyConstraint("from_status", "to_status"),
)

# The replies of requests that carried an Idempotency-Key. `status` is null while the first
# request is still being taken in.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    _text("key"),
    # sha256 of method, path and body.
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    _object("headers"),
    Column("body", LargeBinary),
    _created_at(),
    PrimaryKeyConstraint("account_id", "key"),
    Index(None, "created_at"),
)

reminder_plans = Table(
    "reminder_plans",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("name"),
    # For appointments that name no plan.
    _boolean("is_default"),
    _boolean("active", "true"),
    _refers("line_id", "lines"),
    # Whom "talk to staff" rings; null: nobody, and the digit is not offered.
    _refers("ring_group_id", "ring_groups", nullable=True),
    # A list of days_before with or without a fixed time, or minutes_before.
    Column("moments", JSONB, nullable=False),
    # What is said, with variables; or else an uploaded prompt.
    Column("text", Text),
    Column("prompt_id", BigInteger),
    # Null: the contact's.
    Column("language", Text),
    # What the digit 2 asks for.
    _text("change_means", "reschedule"),
    _text("voicemail", "hang_up"),
    Column("voicemail_text", Text),
    Column("voicemail_prompt_id", BigInteger),
    # Null: the account's.
    Column("quiet_hours", JSONB(none_as_null=True)),
    # ISO: 1 is Monday.
    Column(
        "weekdays",
        ARRAY(SmallInteger),
        nullable=False,
        server_default=text("'{1,2,3,4,5,6,7}'::smallint[]"),
    ),
    _boolean("skip_holidays"),
    _integer("max_attempts", 3),
    _integer("retry_busy_minutes", 10),
    _integer("retry_no_answer_minutes", 120),
    _integer("max_calls_per_day", 3),
    _integer("max_calls_per_30_days", 10),
    _created_at(),
    _time("deleted_at"),
    _one_of("change_means", "reschedule", "cancel"),
    _one_of("voicemail", "hang_up", "message"),
    Index(None, "account_id", "id"),
)
Index(
    "uq_reminder_plans_default",
    reminder_plans.c.account_id,
    unique=True,
    postgresql_where=text("is_default AND deleted_at IS NULL"),
)

# Calendars that are read again and again.
appointment_feeds = Table(
    "appointment_feeds",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("name"),
    _text("url"),
    _refers("reminder_plan_id", "reminder_plans", nullable=True),
    # Of events that name none.
    _text("time_zone", "UTC"),
    _integer("poll_minutes", 15),
    _boolean("active", "true"),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("next_poll_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _time("polled_at"),
    _text("state", "unknown"),
    Column("state_detail", Text),
    _created_at(),
    _time("deleted_at"),
    _one_of("state", "unknown", "ok", "failed"),
    Index(None, "account_id", "id"),
)
Index(
    "ix_appointment_feeds_next_poll_at",
    appointment_feeds.c.next_poll_at,
    postgresql_where=text("active AND deleted_at IS NULL"),
)

appointments = Table(
    "appointments",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _refers("contact_id", "contacts"),
    _refers("reminder_plan_id", "reminder_plans", nullable=True),
    _refers("feed_id", "appointment_feeds", nullable=True),
    # Of the system that the appointment comes from.
    Column("external_id", Text),
    # What the clock on the wall of `time_zone` shows; `starts_at` is the instant that it means.
    Column("wall_starts_at", DateTime(timezone=False), nullable=False),
    _text("time_zone"),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("duration_minutes", Integer),
    Column("place", Text),
    Column("staff", Text),
    Column("notes", Text),
    _text("status", "scheduled"),
    Column("status_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Something that its reminders' times depend on has changed.
    _boolean("to_be_planned", "true"),
    _created_at(),
    _time("deleted_at"),
    _one_of(
        "status",
        "scheduled",
        "reminded",
        "confirmed",
        "reschedule_requested",
        "cancelled",
        "opted_out",
        "unreachable",
        "callback_requested",
    ),
    Index(None, "account_id", "id"),
    Index(None, "account_id", "starts_at"),
    Index(None, "contact_id"),
    Index(None, "reminder_plan_id"),
)
Index(
    "ix_appointments_to_be_planned",
    appointments.c.starts_at,
    postgresql_where=text("to_be_planned"),
)
Index(
    "uq_appointments_external_id",
    appointments.c.account_id,
    func.coalesce(appointments.c.feed_id, text("0")),
    appointments.c.external_id,
    unique=True,
    postgresql_where=_NOT_DELETED,
)

# One for each moment of the plan. `starts_at` is the appointment's, for the order of the queue.
reminders = Table(
    "reminders",
    metadata,
    _id(),
    Column("account_id", BigInteger, nullable=False),
    Column(
        "appointment_id",
        BigInteger,
        ForeignKey("appointments.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("moment", SmallInteger, nullable=False),
    # The plan's, whose trunks pace the calls.
    Column("line_id", BigInteger, nullable=False),
    _text("state", "planned"),
    _time("due_at"),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    # Why it was dropped.
    Column("reason", Text),
    UniqueConstraint("appointment_id", "moment"),
    _one_of("state", "planned", "calling", "done", "dropped"),
    CheckConstraint("state <> 'planned' OR due_at IS NOT NULL", name="planned_is_due"),
)
Index("ix_reminders_due_at", reminders.c.due_at, postgresql_where=text("state = 'planned'"))

# The calls of a reminder. `settled`: what came of the call is on the reminder and appointment.
reminder_attempts = Table(
    "reminder_attempts",
    metadata,
    Column("call_id", BigInteger, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "reminder_id", BigInteger, ForeignKey("reminders.id", ondelete="CASCADE"), nullable=False
    ),
    Column("account_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("answer", Text),
    _boolean("settled"),
    _one_of(
        "answer",
        "confirmed",
        "reschedule_requested",
        "cancelled",
        "talked",
        "callback_requested",
        "opted_out",
        "heard",
        "message_left",
    ),
    Index(None, "reminder_id"),
    Index(None, "contact_id", "placed_at"),
)
Index(
    "ix_reminder_attempts_unsettled",
    reminder_attempts.c.call_id,
    postgresql_where=text("NOT settled"),
)

# Files that are being taken in, and what came of them.
imports = Table(
    "imports",
    metadata,
    _id(),
    _refers("account_id", "accounts"),
    _text("kind"),
    _text("state", "waiting"),
    # How the file is to be read: see reminders/importing/imports.py.
    _object("options"),
    _integer("bytes", 0),
    Column("bytes_read", Integer, nullable=False, server_default="0"),
    _integer("rows_read", 0),
    _integer("rows_created", 0),
    _integer("rows_changed", 0),
    _integer("rows_unchanged", 0),
    _integer("rows_refused", 0),
    Column("failure", Text),
    # Until then the worker that has it is taken to be alive.
    _time("leased_until"),
    _created_at(),
    _time("ended_at"),
    _one_of("kind", "appointments_csv", "appointments_calendar"),
    _one_of("state", "waiting", "running", "done", "failed"),
    Index(None, "account_id", "id"),
)
Index("ix_imports_open", imports.c.id, postgresql_where=text("ended_at IS NULL"))

import_parts = Table(
    "import_parts",
    metadata,
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), nullable=False),
    Column("part", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("import_id", "part"),
)

import_refusals = Table(
    "import_refusals",
    metadata,
    _id(),
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), nullable=False),
    Column("row", Integer, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("message", Text, nullable=False),
    _object("row_values"),
    Index(None, "import_id", "id"),
)

# Texts that were spoken before: 8 kHz mu-law, under the digest of text and language.
spoken_texts = Table(
    "spoken_texts",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("ulaw", LargeBinary, nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "used_at"),
)
