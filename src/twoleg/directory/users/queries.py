"""The statements about users, their SIP credentials and their phones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg.rows import class_row
from sqlalchemy import ColumnElement, Select, delete, exists, func, select

from twoleg.directory import owned_rows
from twoleg.directory.errors import Conflict, NotFound
from twoleg.directory.owned_rows import Fields
from twoleg.directory.ring_groups import leave_ring_groups
from twoleg.directory.users.values import (
    Endpoint,
    User,
    UserWithPassword,
    ha1s_of,
    make_sip_password,
    make_sip_username,
)
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all, fetch_one, run

_USERS: Final = tables.users
_BINDINGS: Final = tables.bindings

_ENDPOINTS: Final = """
SELECT b.contact_uri, b.user_agent, b.expires_at
FROM bindings b JOIN users u ON u.id = b.user_id
WHERE u.account_id = %s AND u.id = %s AND u.deleted_at IS NULL AND b.expires_at > now()
ORDER BY b.id
"""


async def list_users(
    connection: Connection,
    account_id: int,
    *,
    name: str | None = None,
    email: str | None = None,
    availability: str | None = None,
    after_id: int | None,
    limit: int,
) -> list[User]:
    """Return up to `limit` users by rising id; `name` is any part of theirs."""
    statement = _shown(account_id).order_by(_USERS.c.id).limit(min(limit, owned_rows.MAX_ROWS))
    if name is not None:
        statement = statement.where(_USERS.c.name.icontains(name, autoescape=True))
    if email is not None:
        statement = statement.where(func.lower(_USERS.c.email) == email.lower())
    if availability is not None:
        statement = statement.where(_USERS.c.availability == availability)
    if after_id is not None:
        statement = statement.where(_USERS.c.id > after_id)
    return [_user(row) for row in await fetch_all(connection, statement)]


async def find_user(connection: Connection, account_id: int, user_id: int) -> User:
    """Return the user; raises NotFound."""
    row = await fetch_one(connection, _shown(account_id).where(_USERS.c.id == user_id))
    if row is None:
        raise NotFound("users", user_id)
    return _user(row)


async def list_endpoints(connection: Connection, account_id: int, user_id: int) -> list[Endpoint]:
    """Return the phones that are registered for the user now; raises NotFound."""
    await find_user(connection, account_id, user_id)
    async with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(_ENDPOINTS, (account_id, user_id))
        return await cursor.fetchall()


async def create_user(connection: Connection, account_id: int, fields: Fields) -> UserWithPassword:
    """Make a user; user name and password of SIP are made up where `fields` has none.

    Raises Conflict.
    """
    columns = dict(fields)
    password = columns.pop("sip_password", None) or make_sip_password()
    username = columns.get("sip_username") or make_sip_username(columns["name"])
    columns |= {"sip_username": username, "sip_ha1": ha1s_of(username, password)}
    with _suggesting_another(username):
        row = await owned_rows.insert_row(connection, _USERS, account_id, columns)
    return UserWithPassword(await find_user(connection, account_id, row["id"]), password)


async def change_user(
    connection: Connection, account_id: int, user_id: int, fields: Fields
) -> UserWithPassword:
    """Change the user; raises NotFound or Conflict.

    A `sip_password` of None is made up. A new `sip_username` needs a new password, because only
    digests over both are kept. Either ends the registrations of the user's phones.
    """
    columns = dict(fields)
    before = await owned_rows.lock_row(connection, _USERS, account_id, user_id)
    username = columns.get("sip_username") or before["sip_username"]
    password = columns.pop("sip_password", None)
    renewed = "sip_password" in fields or username != before["sip_username"]
    if renewed:
        password = password or make_sip_password()
        columns["sip_ha1"] = ha1s_of(username, password)
        await run(connection, delete(_BINDINGS).where(_BINDINGS.c.user_id == user_id))
    with _suggesting_another(username):
        await owned_rows.update_row(connection, _USERS, account_id, user_id, columns)
    user = await find_user(connection, account_id, user_id)
    return UserWithPassword(user, password if renewed else None)


async def delete_user(connection: Connection, account_id: int, user_id: int) -> None:
    """Delete the user; its phones and its places in ring groups go too. Raises NotFound."""
    await owned_rows.mark_deleted(connection, _USERS, account_id, user_id)
    await leave_ring_groups(connection, account_id, user_id)
    await run(connection, delete(_BINDINGS).where(_BINDINGS.c.user_id == user_id))


@contextmanager
def _suggesting_another(wanted: str) -> Iterator[None]:
    """Refuse a name of SIP that somebody has in words that do not say who: it may be anybody."""
    try:
        yield
    except Conflict as conflict:
        if conflict.field != "sip_username":
            raise
        free = make_sip_username(wanted)
        text = f"The sip_username cannot be had: try {free}, or leave it out to have one made."
        raise Conflict("sip_username", text) from conflict


def _shown(account_id: int) -> Select[Any]:
    columns = [_USERS.c[name] for name in User.__dataclass_fields__ if name in _USERS.c]
    registered = exists().where(
        _BINDINGS.c.user_id == _USERS.c.id, _BINDINGS.c.expires_at > func.now()
    )
    return select(*columns, registered.label("registered"), _busy().label("busy")).where(
        _USERS.c.account_id == account_id, _USERS.c.deleted_at.is_(None)
    )


def _busy() -> ColumnElement[bool]:
    return exists().where(tables.reservations.c.user_id == _USERS.c.id)


def _user(row: Row) -> User:
    return User(**row)
