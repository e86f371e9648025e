"""The statements about trunks; none gives a password out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import delete, func

from twoleg.directory import owned_rows
from twoleg.directory.errors import Invalid
from twoleg.directory.media_encryption import MediaEncryption
from twoleg.directory.owned_rows import Fields
from twoleg.directory.trunks.values import Trunk, TrunkTransport
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, run

_TRUNKS: Final = tables.trunks
# What was known of a trunk is void once one of these is another.
_CONNECTION_FIELDS: Final = frozenset(
    {"host", "port", "transport", "username", "password", "register", "from_domain"}
)
_KEYS_IN_THE_CLEAR: Final = (
    "The media_encryption field can be sdes only where transport is tls: SIP carries the keys of"
    " the audio. Set transport to tls too."
)


async def list_trunks(
    connection: Connection,
    account_id: int,
    *,
    name: str | None = None,
    state: str | None = None,
    after_id: int | None,
    limit: int,
) -> list[Trunk]:
    """Return up to `limit` trunks by rising id; `name` is any part of theirs."""
    conditions = []
    if name is not None:
        conditions.append(_TRUNKS.c.name.icontains(name, autoescape=True))
    if state is not None:
        conditions.append(_TRUNKS.c.state == state)
    rows = await owned_rows.select_rows(
        connection, _TRUNKS, account_id, *conditions, after_id=after_id, limit=limit
    )
    return [_trunk(row) for row in rows]


async def find_trunk(connection: Connection, account_id: int, trunk_id: int) -> Trunk:
    """Return the trunk; raises NotFound."""
    return _trunk(await owned_rows.find_row(connection, _TRUNKS, account_id, trunk_id))


async def create_trunk(connection: Connection, account_id: int, fields: Fields) -> Trunk:
    """Make a trunk.

    Raises Invalid for one that shall register without credentials, or give keys away.
    """
    _check(fields)
    return _trunk(await owned_rows.insert_row(connection, _TRUNKS, account_id, fields))


async def change_trunk(
    connection: Connection, account_id: int, trunk_id: int, fields: Fields
) -> Trunk:
    """Change the trunk; its state is unknown where how to reach it changes.

    Raises NotFound or Invalid.
    """
    columns = dict(fields)
    before = await owned_rows.lock_row(connection, _TRUNKS, account_id, trunk_id)
    _check({**before, **columns})
    if any(columns[name] != before[name] for name in _CONNECTION_FIELDS & columns.keys()):
        columns |= {"state": "unknown", "state_detail": None, "state_at": func.now()}
    return _trunk(await owned_rows.update_row(connection, _TRUNKS, account_id, trunk_id, columns))


async def delete_trunk(connection: Connection, account_id: int, trunk_id: int) -> None:
    """Delete the trunk, from every line that dials over it too. Raises NotFound."""
    await owned_rows.mark_deleted(connection, _TRUNKS, account_id, trunk_id)
    of_trunk = tables.line_trunks.c.trunk_id == trunk_id
    await run(connection, delete(tables.line_trunks).where(of_trunk))


def _check(trunk: Mapping[str, Any]) -> None:
    _check_credentials(trunk)
    encryption, transport = trunk.get("media_encryption"), trunk.get("transport")
    if encryption == MediaEncryption.SDES and transport != TrunkTransport.TLS:
        raise Invalid("media_encryption", _KEYS_IN_THE_CLEAR)


def _check_credentials(trunk: Mapping[str, Any]) -> None:
    if trunk.get("password") and not trunk.get("username"):
        raise Invalid("username", "The username field is required when password is present.")
    if trunk.get("register"):
        for field in ("username", "password"):
            if not trunk.get(field):
                raise Invalid(field, f"The {field} field is required when register is true.")


def _trunk(row: Row) -> Trunk:
    return Trunk(**{name: row[name] for name in Trunk.__dataclass_fields__})
