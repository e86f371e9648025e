"""The shapes of tokens in requests and replies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from twoleg.api.values import Input, Name, Output, Time, WantedTime, absent
from twoleg.directory import tokens
from twoleg.directory.tokens import Scope


def _later(at: datetime) -> datetime:
    if at <= datetime.now(UTC):
        raise ValueError("field must be a time to come")
    return at


class TokenChange(Input):
    """What of a token changes; without scopes it may do everything."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"scopes": ["calls:read"]}]})

    name: Name = absent()
    scopes: Annotated[list[Scope], Field(max_length=len(Scope))] = absent()
    expires_at: Annotated[WantedTime, AfterValidator(_later)] | None = absent()


class NewToken(TokenChange):
    """A token to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "CRM", "scopes": ["calls:write", "calls:read"]}]}
    )

    name: Name


class Token(Output):
    """A token, without its secret."""

    id: int
    name: str
    scopes: list[str]
    expires_at: Time | None
    created_at: Time


class TokenShownOnce(Token):
    """A token just made; `token` is never shown again."""

    token: str


def shown_once(made: tokens.NewToken) -> TokenShownOnce:
    """Return the reply that shows a new token."""
    token = Token.model_validate(made.token)
    return TokenShownOnce(**dict(token), token=made.secret)
