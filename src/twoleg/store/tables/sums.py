"""What the calls of days that are over came to, for reports."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from twoleg.store.tables.columns import metadata, text_column

# Days on an account's clock whose calls are in `call_sums`. A trigger on calls removes the days of
# which calls are removed, and the sums go with them.
summed_days = Table(
    "summed_days",
    metadata,
    Column("account_id", BigInteger, nullable=False),
    text_column("time_zone"),
    Column("day", Date, nullable=False),
    PrimaryKeyConstraint("account_id", "time_zone", "day"),
)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _seconds(name: str) -> Column[Any]:
    return Column(name, Numeric(15, 3), nullable=False)


# `kind` is what a report may group by, `key` one of its groups.
call_sums = Table(
    "call_sums",
    metadata,
    Column("account_id", BigInteger, nullable=False),
    text_column("time_zone"),
    Column("day", Date, nullable=False),
    text_column("kind"),
    Column("key", Text),
    _count("calls"),
    _count("connected"),
    _count("agent_missed"),
    _count("contact_missed"),
    _seconds("talk_seconds"),
    _count("connected_talks"),
    _seconds("connected_talk_seconds"),
    _count("agent_rings"),
    _seconds("agent_ring_seconds"),
    _count("contact_rings"),
    _seconds("contact_ring_seconds"),
    ForeignKeyConstraint(
        ["account_id", "time_zone", "day"],
        ["summed_days.account_id", "summed_days.time_zone", "summed_days.day"],
        ondelete="CASCADE",
    ),
    Index(None, "account_id", "time_zone", "day", "kind"),
)
