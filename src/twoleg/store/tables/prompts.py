"""Prompts, and their audio as it is sent."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from twoleg.store.tables.columns import (
    NOT_DELETED,
    SECONDS,
    created_at,
    id_column,
    integer_column,
    metadata,
    one_of,
    reference,
    text_column,
    time_column,
)

# What an account has uploaded, or had spoken.
prompts = Table(
    "prompts",
    metadata,
    id_column(),
    reference("account_id", "accounts"),
    text_column("name"),
    text_column("kind"),
    # What was spoken, in which language, and by which voice.
    Column("text", Text),
    Column("language", Text),
    Column("voice", Text),
    # Null: the text has variables, and is spoken for each call.
    Column("seconds", SECONDS),
    # Rises with each new audio: what was kept of an older one is not played any more.
    integer_column("version", 1),
    created_at(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    time_column("deleted_at"),
    one_of("kind", "upload", "text"),
    CheckConstraint(
        "(kind = 'text') = (text IS NOT NULL) AND (kind = 'text') = (language IS NOT NULL)",
        name="text_is_spoken",
    ),
    CheckConstraint("kind = 'text' OR seconds IS NOT NULL", name="upload_lasts"),
    # What refers to a prompt names the account too, and so keeps to its own.
    UniqueConstraint("account_id", "id"),
)
Index(
    "uq_prompts_account_id_name",
    prompts.c.account_id,
    prompts.c.name,
    unique=True,
    postgresql_where=NOT_DELETED,
)

# Frames of 20 ms one behind the other, 160 bytes each whatever the codec.
prompt_audio = Table(
    "prompt_audio",
    metadata,
    Column("prompt_id", BigInteger, ForeignKey("prompts.id", ondelete="CASCADE")),
    Column("codec", Text),
    Column("bytes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("prompt_id", "codec"),
    one_of("codec", "PCMU", "PCMA", "G722"),
)
