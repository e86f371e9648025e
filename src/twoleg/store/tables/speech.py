"""What was spoken before."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, LargeBinary, Table, func

from twoleg.store.tables.columns import metadata

# Texts that were spoken before: 8 kHz mu-law, under the digest of text and language.
spoken_texts = Table(
    "spoken_texts",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("ulaw", LargeBinary, nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "used_at"),
)
