"""The statements about tokens."""

from __future__ import annotations

from typing import Final

from twoleg.directory import owned_rows
from twoleg.directory.owned_rows import Fields
from twoleg.directory.tokens.values import NewToken, Token, hash_of, make_secret
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row

_FIND: Final = """
SELECT id, account_id, name, scopes, expires_at, created_at FROM tokens
WHERE token_hash = %s AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""


async def find_by_secret(connection: Connection, secret: str) -> Token | None:
    """Return the token that `secret` is of, of whatever account; None if it is no good (now)."""
    cursor = await connection.execute(_FIND, (hash_of(secret),), prepare=True)
    row = await cursor.fetchone()
    if row is None:
        return None
    id_, account_id, name, scopes, expires_at, created_at = row
    return Token(
        id=id_,
        account_id=account_id,
        name=name,
        scopes=scopes,
        expires_at=expires_at,
        created_at=created_at,
    )


async def list_tokens(
    connection: Connection, account_id: int, *, after_id: int | None, limit: int
) -> list[Token]:
    """Return up to `limit` tokens by rising id."""
    rows = await owned_rows.select_rows(
        connection, tables.tokens, account_id, after_id=after_id, limit=limit
    )
    return [_token(row) for row in rows]


async def find_token(connection: Connection, account_id: int, token_id: int) -> Token:
    """Return the token; raises NotFound."""
    return _token(await owned_rows.find_row(connection, tables.tokens, account_id, token_id))


async def create_token(connection: Connection, account_id: int, fields: Fields) -> NewToken:
    """Make a token with a new secret, which is kept nowhere but as its hash."""
    secret = make_secret()
    row = await owned_rows.insert_row(
        connection, tables.tokens, account_id, {**fields, "token_hash": hash_of(secret)}
    )
    return NewToken(_token(row), secret)


async def change_token(
    connection: Connection, account_id: int, token_id: int, fields: Fields
) -> Token:
    """Change the token and return it; raises NotFound."""
    return _token(
        await owned_rows.update_row(connection, tables.tokens, account_id, token_id, fields)
    )


async def delete_token(connection: Connection, account_id: int, token_id: int) -> None:
    """Revoke the token from now on; raises NotFound."""
    await owned_rows.mark_deleted(connection, tables.tokens, account_id, token_id)


def _token(row: Row) -> Token:
    return Token(**{name: row[name] for name in Token.__dataclass_fields__})
