"""Recordings, and what links to them are signed with."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)

from twoleg.store.tables.columns import (
    SECONDS,
    boolean_column,
    created_at,
    id_column,
    integer_column,
    metadata,
    one_of,
    text_column,
    time_column,
)

# A recorded call. Keys name objects in the storage, until those are removed.
recordings = Table(
    "recordings",
    metadata,
    id_column(),
    Column("account_id", BigInteger, nullable=False),
    Column(
        "call_id",
        BigInteger,
        ForeignKey("calls.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    text_column("state", "recording"),
    # The API asked for a pause, and the engine keeps nothing until it is over.
    boolean_column("pause_wanted"),
    # Why it ended before the call did, or is not to be had.
    Column("failure", Text),
    Column("seconds", SECONDS),
    Column("bytes", BigInteger),
    # What the engine wrote, and what is heard.
    Column("raw_key", Text),
    Column("object_key", Text),
    integer_column("attempts", 0),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    created_at(),
    time_column("ready_at"),
    time_column("deleted_at"),
    one_of("state", "recording", "finalising", "ready", "failed", "deleted"),
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
    created_at(),
)
