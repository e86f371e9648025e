"""Rows that an account owns: the statements that every feature of the directory shares.

Each names the account, so that another account's row is the same as one that is not there, and
passes over rows marked deleted. `fields` maps column names to values that the caller has checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, Table, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from twoleg.directory.errors import Conflict, Invalid, NotFound
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all, fetch_one

Fields = Mapping[str, Any]
# One more than the pages of the API, so that they see whether more follow.
MAX_ROWS: Final = 201
_TAKEN: Final = {
    "uq_users_account_id_email": "email",
    "uq_users_sip_username": "sip_username",
    "uq_lines_account_id_phone_number": "phone_number",
    "uq_prompts_account_id_name": "name",
}


async def select_rows(
    connection: Connection,
    table: Table,
    account_id: int,
    *conditions: ColumnElement[bool],
    after_id: int | None,
    limit: int,
) -> list[Row]:
    """Return up to `limit` rows by rising id, beginning behind `after_id`."""
    statement = (
        select(table)
        .where(table.c.account_id == account_id, table.c.deleted_at.is_(None), *conditions)
        .order_by(table.c.id)
        .limit(min(limit, MAX_ROWS))
    )
    if after_id is not None:
        statement = statement.where(table.c.id > after_id)
    return await fetch_all(connection, statement)


async def find_row(connection: Connection, table: Table, account_id: int, id_: int) -> Row:
    """Return the row with `id_`; raises NotFound."""
    row = await fetch_one(connection, select(table).where(_is(table, account_id, id_)))
    return _found(row, table, id_)


async def lock_row(connection: Connection, table: Table, account_id: int, id_: int) -> Row:
    """Return the row as `find_row` does, and keep others from changing it meanwhile."""
    statement = select(table).where(_is(table, account_id, id_)).with_for_update(key_share=True)
    return _found(await fetch_one(connection, statement), table, id_)


async def insert_row(connection: Connection, table: Table, account_id: int, fields: Fields) -> Row:
    """Return the new row; raises Conflict for a value that must be unique and is taken."""
    values = _adapted(table, fields) | {"account_id": account_id}
    with _conflicts():
        row = await fetch_one(connection, insert(table).values(values).returning(table))
    return _found(row, table, 0)


async def update_row(
    connection: Connection, table: Table, account_id: int, id_: int, fields: Fields
) -> Row:
    """Change the columns in `fields` and return the row; raises NotFound or Conflict."""
    if not fields:
        return await find_row(connection, table, account_id, id_)
    statement = update(table).where(_is(table, account_id, id_)).values(_adapted(table, fields))
    with _conflicts():
        row = await fetch_one(connection, statement.returning(table))
    return _found(row, table, id_)


async def mark_deleted(connection: Connection, table: Table, account_id: int, id_: int) -> None:
    """Delete the row for every purpose but the records that name it; raises NotFound."""
    statement = update(table).where(_is(table, account_id, id_)).values(deleted_at=func.now())
    _found(await fetch_one(connection, statement.returning(table.c.id)), table, id_)


async def require_ids(
    connection: Connection, table: Table, account_id: int, ids: Sequence[int], *, field: str
) -> None:
    """Raise Invalid for `field` where the account lacks one of `ids`, or one stands twice.

    The rows stay shared-locked until the transaction ends, so that none is deleted meanwhile.
    """
    if len(set(ids)) < len(ids):
        raise Invalid(field, f"The {field} field has a duplicate value: name each id once.")
    if not ids:
        return
    statement = (
        select(table.c.id)
        .where(table.c.account_id == account_id, table.c.deleted_at.is_(None), table.c.id.in_(ids))
        .order_by(table.c.id)
        .with_for_update(read=True)
    )
    there = {row["id"] for row in await fetch_all(connection, statement)}
    missing = [str(id_) for id_ in ids if id_ not in there]
    if missing:
        what = table.name.replace("_", " ")
        raise Invalid(
            field,
            f"The selected {field} is invalid: the account's {what} do not include"
            f" {', '.join(missing)}.",
        )


def _is(table: Table, account_id: int, id_: int) -> ColumnElement[bool]:
    mine = table.c.account_id == account_id
    is_it: ColumnElement[bool] = mine & (table.c.id == id_) & table.c.deleted_at.is_(None)
    return is_it


def _found(row: Row | None, table: Table, id_: int) -> Row:
    if row is None:
        raise NotFound(table.name, id_)
    return row


def _adapted(table: Table, fields: Fields) -> dict[str, Any]:
    return {
        name: Jsonb(value) if isinstance(table.c[name].type, JSONB) and value is not None else value
        for name, value in fields.items()
    }


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        field = _TAKEN.get(error.diag.constraint_name or "")
        if field is None:
            raise
        raise Conflict(field, f"The {field} has already been taken.") from error
