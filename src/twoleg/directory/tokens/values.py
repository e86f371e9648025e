"""API tokens: what they are, and how a secret is made and known again."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

SECRET_BYTES: Final = 32
# Lets people and secret scanners tell what was found; not a secret itself.
SECRET_PREFIX: Final = "twoleg_"  # noqa: S105


class Scope(StrEnum):
    """What a token may be limited to; a token without scopes may do everything."""

    CALLS_READ = "calls:read"
    CALLS_WRITE = "calls:write"
    DIRECTORY_READ = "directory:read"
    DIRECTORY_WRITE = "directory:write"
    APPOINTMENTS_READ = "appointments:read"
    APPOINTMENTS_WRITE = "appointments:write"
    ADMIN = "admin"  # everything: the account's settings and its tokens too


def allows(scopes: Collection[str] | None, scope: Scope) -> bool:
    """Tell whether a token with `scopes` may do what needs `scope`."""
    return not scopes or scope in scopes or Scope.ADMIN in scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of an account, without its secret."""

    id: int
    account_id: int
    name: str
    scopes: Sequence[str]
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the only time that its secret can be seen."""

    token: Token
    secret: str = field(repr=False)


def make_secret() -> str:
    """Return a new secret, nobody's guess."""
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """Return what is kept of a secret: random ones of this length need no slow hash."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
