"""Who asks: the account of the token that came with a request, and what the token may do."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import APIKeyQuery, HTTPBasic, HTTPBearer

from twoleg.api.bodies import query_fields
from twoleg.api.credentials import authorization_of, token_of
from twoleg.api.errors import Forbidden
from twoleg.api.state import DatabaseOf
from twoleg.calls.admission import UnknownToken
from twoleg.directory.tokens import Scope, allows, find_by_secret

# Only what OpenAPI shows: the token is read by `token_of`.
SCHEMES: Final = (
    HTTPBearer(scheme_name="bearer", auto_error=False),
    HTTPBasic(scheme_name="basic", auto_error=False, description="The token is the password."),
    APIKeyQuery(name="api_token", scheme_name="query", auto_error=False),
)
# Bodies that are not read before it is known who asks.
_FILES: Final = ("text/csv", "text/calendar", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Principal:
    """The account that a request acts for."""

    account_id: int
    token_id: int
    scopes: Collection[str] = ()

    def may(self, scope: Scope) -> bool:
        """Tell whether its token may do what needs `scope`."""
        return allows(self.scopes, scope)


async def token_in(request: Request) -> str:
    """Return the token of `request`; raises UnknownToken where there is none."""
    query_string = request.scope["query_string"]
    query = query_fields(query_string) if query_string else {}
    token = token_of(query, await _body_fields(request), authorization_of(request.headers.raw))
    if token is None:
        raise UnknownToken
    return token


async def _body_fields(request: Request) -> dict[str, Any]:
    if request.method not in ("POST", "PUT", "PATCH") or _is_a_file(request):
        return {}
    body = await request.body()
    if b"api_token" not in body:
        return {}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _is_a_file(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith(_FILES)


def requires(*scopes: Scope) -> Callable[..., Coroutine[Any, Any, Principal]]:
    """Return the dependency of a route that needs one of `scopes`."""

    async def authenticated(request: Request, database: DatabaseOf) -> Principal:
        token = await token_in(request)
        async with database.connection() as connection:
            found = await find_by_secret(connection, token)
        if found is None:
            raise UnknownToken
        if not any(allows(found.scopes, scope) for scope in scopes):
            raise Forbidden(scopes[0])
        return Principal(found.account_id, found.id, found.scopes)

    return authenticated


CallReader = Annotated[Principal, Depends(requires(Scope.CALLS_READ))]
CallWriter = Annotated[Principal, Depends(requires(Scope.CALLS_WRITE))]
DirectoryReader = Annotated[Principal, Depends(requires(Scope.DIRECTORY_READ))]
DirectoryWriter = Annotated[Principal, Depends(requires(Scope.DIRECTORY_WRITE))]
AppointmentReader = Annotated[Principal, Depends(requires(Scope.APPOINTMENTS_READ))]
AppointmentWriter = Annotated[Principal, Depends(requires(Scope.APPOINTMENTS_WRITE))]
ImportReader = Annotated[
    Principal, Depends(requires(Scope.APPOINTMENTS_READ, Scope.DIRECTORY_READ))
]
EventReader = Annotated[Principal, Depends(requires(Scope.CALLS_READ, Scope.APPOINTMENTS_READ))]
Administrator = Annotated[Principal, Depends(requires(Scope.ADMIN))]
