"""`Idempotency-Key`: the same request, sent again, gets the first reply, and does nothing more."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twoleg.api.bodies import BodyTooLarge, fields_of, query_fields, read_body
from twoleg.api.credentials import token_of
from twoleg.api.errors import NOTHING_MADE, invalid_data, reply, unavailable
from twoleg.api.pages import PREFIX
from twoleg.directory.idempotency import (
    KeptReply,
    Taken,
    doubt_key,
    forget_key,
    keep_reply,
    take_key,
)
from twoleg.directory.tokens import find_by_secret
from twoleg.store import Database, DatabaseUnavailable
from twoleg.store.database import Connection

HEADER: Final = b"idempotency-key"
SCOPE_KEY: Final = "twoleg.idempotency_key"
"""Where a route finds the key, to store it with what it makes."""

CALLS: Final = f"{PREFIX}/calls"
_YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
"""What a query's field may be to be true."""

_KEY: Final = re.compile(rb"[\x21-\x7e]{1,255}")
_NOT_KEPT: Final = frozenset({"content-length", "date", "server"})

FoundAgain = Callable[[Connection, int, str, str], Awaitable[Response | None]]
"""Gives the reply to a request whose first sending was cut short by a crash, by account, key and
path; None: nothing came of it."""


def key_in(scope: Scope) -> bytes | None:
    """Return the key of a request that makes something; None: it has none.

    A dry run makes nothing, and takes no key from the call that may follow.
    """
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    key = next((value for name, value in scope["headers"] if name == HEADER), None)
    return None if key is not None and _is_dry_run(scope) else key


def _is_dry_run(scope: Scope) -> bool:
    asked = query_fields(scope["query_string"]).get("dry_run", "")
    return scope["path"] == CALLS and asked.lower() in _YES


class Idempotency:
    """ASGI middleware for requests with a key; `key_in` tells which are."""

    def __init__(self, app: ASGIApp, database: Database, found_again: FoundAgain) -> None:
        self._app = app
        self._database = database
        self._found_again = found_again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        try:
            body = await read_body(receive)
        except BodyTooLarge as error:
            response = reply(413, str(error.detail), {"Connection": "close"})
            await response(scope, receive, send)
            return
        if body is None:
            return
        try:
            replied = await self._before(scope, body)
        except DatabaseUnavailable:
            replied = unavailable()
        if replied is None:
            await self._once(scope, body, send)
        else:
            await replied(scope, receive, send)

    async def _before(self, scope: Scope, body: bytes) -> Response | None:
        """Give the reply that there is already; None: the request is to be done."""
        key = key_in(scope) or b""
        if not _KEY.fullmatch(key):
            message = "The Idempotency-Key must be 1 to 255 visible ASCII characters."
            return invalid_data({"Idempotency-Key": [message]})
        async with self._database.connection() as connection:
            account_id = await _account(connection, scope, body)
            if account_id is None:
                # The route says so in its own words.
                return None
            taken = await take_key(connection, account_id, key.decode(), _hash(scope, body))
            if taken is Taken.OVER_FROM_A_CRASH:
                found = await self._found_again(connection, account_id, key.decode(), scope["path"])
                if found is not None:
                    await keep_reply(connection, account_id, key.decode(), _kept(found))
                    taken = _kept(found)
        if isinstance(taken, KeptReply):
            headers = {**taken.headers, "Idempotent-Replayed": "true"}
            return Response(taken.body, taken.status, headers)
        if taken is Taken.ANOTHER:
            return reply(409, "The Idempotency-Key was used for another request.")
        if taken is Taken.UNDER_WAY:
            return reply(409, "The first request with this Idempotency-Key is still under way.")
        scope[SCOPE_KEY] = (account_id, key.decode())
        return None

    async def _once(self, scope: Scope, body: bytes, send: Send) -> None:
        """Do the request, and keep what is replied before it leaves."""
        messages: list[Message] = []

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            messages.append(message)

        made: Response | None = None
        try:
            await self._app(scope, again, collect)
        finally:
            if SCOPE_KEY in scope:
                made = await self._settle(scope, messages)
        if made is not None:
            await made(scope, again, send)
            return
        for message in messages:
            await send(message)

    async def _settle(self, scope: Scope, messages: list[Message]) -> Response | None:
        """Keep a reply that says that something was made, and give the key back otherwise.

        Where the request failed by our fault it may have made something, as when the connection was
        lost at the commit: what is found is the reply to give instead.
        """
        account_id, key = scope[SCOPE_KEY]
        status = messages[0]["status"] if messages else 500
        try:
            async with self._database.connection() as connection:
                if 200 <= status < 300:
                    await keep_reply(connection, account_id, key, _reply_in(messages))
                elif status < 500 or NOTHING_MADE in scope:
                    await forget_key(connection, account_id, key)
                else:
                    made = await self._found_again(connection, account_id, key, scope["path"])
                    if made is None:
                        await doubt_key(connection, account_id, key)
                    else:
                        await keep_reply(connection, account_id, key, _kept(made))
                    return made
        except DatabaseUnavailable:
            # Whoever asks again once the lease is over finds what was made.
            pass
        return None


async def _account(connection: Connection, scope: Scope, body: bytes) -> int | None:
    headers = dict(scope["headers"])
    fields = fields_of(headers.get(b"content-type", b""), body)
    token = token_of(
        query_fields(scope["query_string"]), fields, headers.get(b"authorization", b"")
    )
    found = None if token is None else await find_by_secret(connection, token)
    return None if found is None else found.account_id


def _hash(scope: Scope, body: bytes) -> bytes:
    parts = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _reply_in(messages: list[Message]) -> KeptReply:
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in messages[0]["headers"]
        if name.decode("latin-1").lower() not in _NOT_KEPT
    }
    body = b"".join([message.get("body", b"") for message in messages[1:]])
    return KeptReply(messages[0]["status"], headers, body)


def _kept(response: Response) -> KeptReply:
    headers = {name: value for name, value in response.headers.items() if name not in _NOT_KEPT}
    return KeptReply(response.status_code, headers, bytes(response.body))
