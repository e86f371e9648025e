"""The registrar for users' phones: who they are by digest, where they are by REGISTER."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from twoleg.sip import (
    Authorization,
    Binding,
    DigestVerdict,
    DigestVerifier,
    Flow,
    InvalidValue,
    RegistrarResult,
    RegistrarRules,
    Request,
    RequestReceived,
    ResponseSpec,
    SipUri,
    register,
)
from twoleg.sip_io.config import PhoneConfig
from twoleg.sip_io.counters import Counters

STORE_SECONDS: Final = 5.0
"""How long a REGISTER waits for the store; phones send again after half a second."""

RETRY_AFTER_SECONDS: Final = 10

_log = logging.getLogger(__name__)

Change = Callable[[tuple[Binding, ...]], RegistrarResult]


class BindingStore(Protocol):
    """Where users' digest hashes and bindings are kept. Either method may raise OSError."""

    async def ha1s(self, username: str) -> Mapping[str, str]:
        """Give a user's HA1 by algorithm name; nothing for a user that there is not."""
        ...

    async def update(self, username: str, change: Change) -> RegistrarResult:
        """Have `change` decide on the user's bindings and store what it decides, as one step.

        Times in bindings are seconds since the epoch.
        """
        ...


class Registrar:
    """Answers REGISTER. Each is a task of its own, as many as `config.max_registering` at once."""

    def __init__(
        self,
        config: PhoneConfig,
        store: BindingStore,
        counters: Counters,
        respond: Callable[[int, ResponseSpec], None],
        strike: Callable[[str], None],
    ) -> None:
        self._store = store
        self._counters = counters
        self._respond = respond
        self._strike = strike
        self._most = config.max_registering
        self._rules: RegistrarRules = config.registrar_rules
        self._verifier = DigestVerifier(
            config.realm, secrets.token_bytes(32), algorithms=config.digest_algorithms
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._users_of: dict[Flow, str] = {}
        """Who registers by a connection that only its far end can open."""

    def receive(self, event: RequestReceived) -> None:
        """Take a REGISTER. One without credentials is challenged at once, and costs no task."""
        try:
            authorization = self._verifier.find(event.request.headers)
        except InvalidValue:
            self._respond(event.transaction, ResponseSpec(400, "Malformed Authorization"))
            return
        if authorization is None:
            self._counters.registrations_challenged += 1
            challenge = self._verifier.challenge(time.time())
            self._respond(event.transaction, ResponseSpec(401, headers=challenge))
            return
        if len(self._tasks) >= self._most:
            self._counters.registrations_overflowed += 1
            self._respond(event.transaction, _unavailable())
            return
        if event.flow.transport.by_websocket:
            self._users_of[event.flow] = authorization.username
        self._run(self._serve(event, authorization))

    def flow_lost(self, flow: Flow) -> None:
        """Forget the phone that had registered by a connection that is gone (RFC 5626 5.3).

        Without a place for it now, the registration ends by itself.
        """
        username = self._users_of.pop(flow, None)
        if username is not None and len(self._tasks) < self._most:
            self._run(self._forget(username, flow))

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forget(self, username: str, flow: Flow) -> None:
        def change(bindings: tuple[Binding, ...]) -> RegistrarResult:
            kept = tuple([each for each in bindings if each.flow != flow])
            return RegistrarResult(kept, ResponseSpec(200), changed=kept != bindings)

        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.update(username, change)
        except (OSError, TimeoutError):
            return
        except Exception:  # noqa: BLE001
            self._counters.callback_errors += 1
            _log.exception("registrar failed")

    async def _serve(self, event: RequestReceived, authorization: Authorization) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                response = await self._answer(event, authorization)
        except (OSError, TimeoutError):
            response = _unavailable()
        except Exception:  # noqa: BLE001
            self._counters.callback_errors += 1
            _log.exception("registrar failed")
            response = ResponseSpec(500)
        self._respond(event.transaction, response)

    async def _answer(self, event: RequestReceived, authorization: Authorization) -> ResponseSpec:
        request, now = event.request, time.time()
        ha1s = await self._store.ha1s(authorization.username)
        verdict = self._verifier.verify("REGISTER", str(request.uri), authorization, ha1s, now)
        if verdict is not DigestVerdict.OK:
            if not verdict.stale:
                self._counters.registrations_refused += 1
                self._strike(event.flow.remote.host)
            return ResponseSpec(401, headers=self._verifier.challenge(now, stale=verdict.stale))
        if _user(request) != authorization.username:
            self._counters.registrations_refused += 1
            return ResponseSpec(403)

        def change(bindings: tuple[Binding, ...]) -> RegistrarResult:
            return register(request, event.flow, bindings, now, self._rules)

        result = await self._store.update(authorization.username, change)
        self._counters.registrations += 1
        return result.response


def _user(request: Request) -> str | None:
    """Give the user of the address of record: who is to be registered (RFC 3261 10.3)."""
    uri = request.to.uri
    return uri.user if isinstance(uri, SipUri) else None


def _unavailable() -> ResponseSpec:
    return ResponseSpec(503, headers=(("Retry-After", str(RETRY_AFTER_SECONDS)),))
