"""What an account has: people, their phones, contacts, and the trunks that lead to numbers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
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
    NOT_DELETED,
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

accounts = Table(
    "accounts",
    metadata,
    id_column(),
    text_column("name"),
    integer_column("max_calls", 100),
    integer_column("calls_per_second", 50),
    text_column("screening", "trunk_only"),
    text_column("recording", "never"),
    # Who hears, before a call is recorded, that it will be.
    text_column("recording_announcement", "both"),
    # How long a user is left alone after a call; a ring group may say otherwise.
    integer_column("wrap_up_seconds", 0),
    # {"start": "21:00", "end": "08:00"} in the contact's own zone; null for none.
    Column("quiet_hours", JSONB(none_as_null=True)),
    # Countries (ISO 3166) that may be called; null or empty for every one.
    Column("allowed_countries", ARRAY(Text)),
    # What agents may say that a call came to.
    texts_column("dispositions"),
    text_column("time_zone", "UTC"),
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
    created_at(),
    one_of("screening", "never", "trunk_only", "always"),
    one_of("recording", "never", "on_request", "always"),
    one_of("recording_announcement", "none", "contact", "both"),
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
    integer_column("window_calls", 0),
    Column("admitted", BigInteger, nullable=False, server_default=text("0")),
    integer_column("last_admitted", 0),
    postgresql_with={"fillfactor": 50},
)

tokens = Table(
    "tokens",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("name"),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    # Empty for everything.
    texts_column("scopes"),
    time_column("expires_at"),
    created_at(),
    time_column("deleted_at"),
    Index(None, "account_id", "id"),
)

users = Table(
    "users",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("name"),
    text_column("email"),
    Column("phone_number", Text),
    text_column("availability", "available"),
    text_column("sip_username"),
    # {"MD5": ..., "SHA-256": ...}: HA1 for the realm "twoleg"; the password is not kept.
    object_column("sip_ha1"),
    # The last call that the user answered, for the longest_idle strategy; no ring group rings the
    # user until its wrap-up time is over.
    time_column("last_call_ended_at"),
    time_column("wrap_up_until"),
    # Null for the ring group's, or the account's.
    Column("screening", Text),
    # Of the user's registered phones.
    text_column("media_encryption", "none"),
    created_at(),
    time_column("deleted_at"),
    one_of("availability", "available", "away"),
    one_of("media_encryption", "none", "sdes"),
    one_of("screening", "never", "trunk_only", "always"),
    Index(None, "account_id", "id"),
)
Index(
    "uq_users_account_id_email",
    users.c.account_id,
    func.lower(users.c.email),
    unique=True,
    postgresql_where=NOT_DELETED,
)
Index(
    "uq_users_sip_username",
    func.lower(users.c.sip_username),
    unique=True,
    postgresql_where=NOT_DELETED,
)

ring_groups = Table(
    "ring_groups",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("name"),
    text_column("strategy", "ring_all"),
    integer_column("ring_seconds", 20),
    # 0: the queue is off, a call that finds nobody free is refused.
    integer_column("max_wait_seconds", 0),
    # Calls that may wait at the same time; null for any number.
    Column("max_waiting", Integer),
    # Null for the account's.
    Column("wrap_up_seconds", Integer),
    # Null for the account's.
    Column("screening", Text),
    # {"user_id": 1}, {"ring_group_id": 2} or {"phone_number": "+1..."}; null ends the call.
    Column("fallback", JSONB(none_as_null=True)),
    # Where round_robin goes on: the place, from 0, of the member after the one rung last.
    Column("next_position", BigInteger, nullable=False, server_default=text("0")),
    created_at(),
    time_column("deleted_at"),
    one_of("strategy", "ring_all", "in_order", "round_robin", "longest_idle", "random"),
    one_of("screening", "never", "trunk_only", "always"),
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
    id_column(),
    reference("account_id", "accounts"),
    Column("name", Text),
    text_column("phone_number"),
    Column("time_zone", Text),
    Column("language", Text),
    boolean_column("opted_out"),
    object_column("attributes"),
    created_at(),
    time_column("deleted_at"),
    Index(None, "account_id", "id"),
)

# Every number of a contact, its main one too.
contact_phone_numbers = Table(
    "contact_phone_numbers",
    metadata,
    Column("contact_id", BigInteger, ForeignKey("contacts.id"), nullable=False),
    Column("account_id", BigInteger, nullable=False),
    text_column("phone_number"),
    UniqueConstraint("contact_id", "phone_number"),
    Index(None, "account_id", "phone_number"),
)

trunks = Table(
    "trunks",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("name"),
    text_column("host"),
    Column("port", Integer),
    text_column("transport", "udp"),
    text_column("media_encryption", "none"),
    Column("username", Text),
    # Kept readable: a carrier's challenge can only be answered with it.
    Column("password", Text),
    boolean_column("register"),
    Column("from_domain", Text),
    Column("max_calls", Integer),
    Column("calls_per_second", Integer),
    text_column("caller_id_mode", "from"),
    text_column("privacy", "none"),
    text_column("number_format", "e164"),
    Column("dial_prefix", Text),
    Column(
        "codecs",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{PCMU,PCMA}'::text[]"),
    ),
    integer_column("priority", 0),
    integer_column("weight", 1),
    text_column("state", "unknown"),
    Column("state_detail", Text),
    time_column("state_at"),
    created_at(),
    time_column("deleted_at"),
    one_of("transport", "udp", "tcp", "tls"),
    one_of("media_encryption", "none", "sdes"),
    one_of("caller_id_mode", "from", "p_asserted_identity", "remote_party_id"),
    one_of("privacy", "none", "id"),
    one_of("number_format", "e164", "e164_no_plus", "national"),
    Index(None, "account_id", "id"),
)

lines = Table(
    "lines",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("phone_number"),
    Column("name", Text),
    text_column("country"),
    created_at(),
    time_column("deleted_at"),
    Index(None, "account_id", "id"),
)
Index(
    "uq_lines_account_id_phone_number",
    lines.c.account_id,
    lines.c.phone_number,
    unique=True,
    postgresql_where=NOT_DELETED,
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

# The replies of requests that carried an Idempotency-Key. `status` is null while the first
# request is still being taken in.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    text_column("key"),
    # sha256 of method, path and body.
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    object_column("headers"),
    Column("body", LargeBinary),
    created_at(),
    PrimaryKeyConstraint("account_id", "key"),
    Index(None, "created_at"),
)
