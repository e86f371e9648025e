"""Columns and rules that many tables have, and the metadata that all of them are in."""

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
    Integer,
    MetaData,
    Numeric,
    Text,
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

NOT_DELETED = text("deleted_at IS NULL")
SECONDS = Numeric(12, 3, asdecimal=False)


def id_column() -> Column[Any]:
    """Return the key of a table: an identity."""
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def reference(name: str, to: str, *, nullable: bool = False) -> Column[Any]:
    """Return a column that refers to the id of a row of `to`."""
    return Column(name, BigInteger, ForeignKey(f"{to}.id"), nullable=nullable)


def time_column(name: str) -> Column[Any]:
    """Return a moment."""
    return Column(name, DateTime(timezone=True))


def created_at() -> Column[Any]:
    """Return when a row was made."""
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def text_column(name: str, default: str | None = None) -> Column[Any]:
    """Return a text that is never null."""
    return Column(name, Text, nullable=False, server_default=default)


def integer_column(name: str, default: int) -> Column[Any]:
    """Return a whole number that is never null."""
    return Column(name, Integer, nullable=False, server_default=str(default))


def boolean_column(name: str, default: str = "false") -> Column[Any]:
    """Return true or false, never null."""
    return Column(name, Boolean, nullable=False, server_default=text(default))


def object_column(name: str) -> Column[Any]:
    """Return a JSON object, empty where none is given."""
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))


def texts_column(name: str) -> Column[Any]:
    """Return several texts, none where none are given."""
    return Column(name, ARRAY(Text), nullable=False, server_default=text("'{}'::text[]"))


def one_of(column: str, *values: str) -> CheckConstraint:
    """Return the rule that `column` holds one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
