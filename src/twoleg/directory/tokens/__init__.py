"""API tokens of an account: shown once, kept as a hash."""

from twoleg.directory.tokens.queries import (
    change_token,
    create_token,
    delete_token,
    find_by_secret,
    find_token,
    list_tokens,
)
from twoleg.directory.tokens.values import NewToken, Scope, Token, allows, hash_of

__all__ = [
    "NewToken",
    "Scope",
    "Token",
    "allows",
    "change_token",
    "create_token",
    "delete_token",
    "find_by_secret",
    "find_token",
    "hash_of",
    "list_tokens",
]
