"""Keeping an eye on trunks: registered where they want it, asked with OPTIONS where not.

What is found stands in each trunk's `state`; the addresses of all trunks go to the gatekeeper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import structlog

from twoleg.calls.background import cancelled
from twoleg.calls.known_peers import KnownPeers
from twoleg.calls.trunk_health import TrunkHealth
from twoleg.sip import (
    Credentials,
    Destination,
    Registration,
    RegistrationConfig,
    RegistrationState,
    SipUri,
    Transport,
)
from twoleg.sip_io import Phone, PhoneClosed, RequestFailed, UnresolvedHost, registered
from twoleg.store import Database
from twoleg.store.texts import storable

RELOAD_SECONDS: Final = 5.0
"""How soon a trunk that was made or changed is taken up."""

PROBE_SECONDS: Final = 60.0
FAILING_PROBE_SECONDS: Final = 10.0
"""How often a trunk is asked that is not used meanwhile."""

MAX_DETAIL: Final = 200

_TRUNKS: Final = """
SELECT id, host, port, transport, username, password, register, from_domain
FROM trunks WHERE deleted_at IS NULL ORDER BY id
"""
_STATE: Final = """
UPDATE trunks SET state = %s, state_detail = %s, state_at = now() WHERE id = %s
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WatchedTrunk:
    """What the watch needs of a trunk."""

    id: int
    host: str
    port: int | None
    transport: str
    username: str | None
    password: str | None = field(repr=False)
    register: bool
    from_domain: str | None

    @property
    def destination(self) -> Destination:
        transport = Transport(self.transport.upper())
        return Destination(transport, self.host, self.port, domain=self.host)

    @property
    def uri(self) -> SipUri:
        kind = () if self.transport == "udp" else (("transport", self.transport),)
        return SipUri("sip", None, None, self.host, self.port, kind)


class TrunkWatch:
    """Watches all trunks from one engine. `run` it for as long as the engine."""

    def __init__(
        self, database: Database, phone: Phone, peers: KnownPeers, health: TrunkHealth
    ) -> None:
        self._database = database
        self._phone = phone
        self._peers = peers
        self._health = health
        self._watching: dict[WatchedTrunk, asyncio.Task[None]] = {}
        self._addresses: dict[int, frozenset[str]] = {}
        self._registered: set[int] = set()

    @property
    def registered(self) -> int:
        """Trunks that we are registered with now."""
        return len(self._registered)

    async def run(self) -> None:
        """Take up trunks, and leave those that are gone, until cancelled."""
        try:
            while True:
                try:
                    await self._reload()
                except (OSError, psycopg.OperationalError) as error:
                    log.warning("trunks cannot be read", error=type(error).__name__)
                await asyncio.sleep(RELOAD_SECONDS)
        finally:
            await self._leave(set(self._watching))

    async def _reload(self) -> None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_TRUNKS)
            trunks = {WatchedTrunk(*row) for row in await cursor.fetchall()}
        await self._leave(set(self._watching) - trunks)
        for trunk in trunks - set(self._watching):
            self._watching[trunk] = asyncio.create_task(self._keep_watching(trunk))
        self._publish()

    async def _leave(self, trunks: set[WatchedTrunk]) -> None:
        await cancelled([self._watching.pop(trunk) for trunk in trunks])
        for trunk in trunks:
            self._addresses.pop(trunk.id, None)
            self._registered.discard(trunk.id)
            self._health.forget(trunk.id)

    async def _keep_watching(self, trunk: WatchedTrunk) -> None:
        try:
            await self._watch(trunk)
        except Exception as error:
            # One trunk's mishap must not end the watch of the others.
            log.exception("a trunk cannot be watched", trunk_id=trunk.id)
            await self._note(trunk, "failed", f"cannot be watched: {error}")

    async def _watch(self, trunk: WatchedTrunk) -> None:
        if trunk.register and trunk.username:
            await self._stay_registered(trunk)
        while True:
            await self._resolve(trunk)
            await self._probe(trunk)
            failing = self._health.is_failing(trunk.id)
            await asyncio.sleep(FAILING_PROBE_SECONDS if failing else PROBE_SECONDS)

    async def _stay_registered(self, trunk: WatchedTrunk) -> None:
        transport = Transport(trunk.transport.upper())
        ours = self._phone.advertised.get(transport)
        username = trunk.username or ""
        if ours is None:
            self._health.registered(trunk.id, holds=False)
            await self._note(trunk, "failed", f"the engine does not listen on {trunk.transport}")
            await asyncio.Event().wait()
            return
        kind = () if transport is Transport.UDP else (("transport", trunk.transport),)
        domain = trunk.from_domain or trunk.host
        config = RegistrationConfig(
            registrar=trunk.uri,
            address_of_record=SipUri("sip", username, None, domain),
            contact=SipUri("sip", username, None, ours.host, ours.port, kind),
            credentials=Credentials(username, trunk.password or ""),
            destinations=(trunk.destination,),
        )
        changed = asyncio.Event()
        async with registered(self._phone, config, lambda _: changed.set()) as registration:
            while True:
                await self._resolve(trunk)
                state, detail = _in_words(registration)
                if state in ("registered", "failed"):
                    self._health.registered(trunk.id, holds=state == "registered")
                if state == "registered":
                    self._registered.add(trunk.id)
                else:
                    self._registered.discard(trunk.id)
                await self._note(trunk, state, detail)
                await changed.wait()
                changed.clear()

    async def _probe(self, trunk: WatchedTrunk) -> None:
        try:
            response = await self._phone.options(trunk.uri, (trunk.destination,))
        except UnresolvedHost as error:
            state, detail = "unreachable", str(error)
        except RequestFailed as error:
            state, detail = "unreachable", f"no answer ({error.cause.value})"
        except PhoneClosed:
            return
        else:
            # Whatever it says, it is there: many refuse OPTIONS.
            state = "unavailable" if response.status in (408, 503) else "reachable"
            detail = f"{response.status} {response.reason}"
        self._health.probed(trunk.id, is_there=state == "reachable")
        await self._note(trunk, state, detail)

    async def _resolve(self, trunk: WatchedTrunk) -> None:
        try:
            self._addresses[trunk.id] = await self._phone.addresses_of(trunk.destination)
        except UnresolvedHost:
            return
        self._publish()

    def _publish(self) -> None:
        self._peers.set_trunks(
            frozenset[str]().union(*self._addresses.values()) if self._addresses else ()
        )

    async def _note(self, trunk: WatchedTrunk, state: str, detail: str) -> None:
        try:
            async with self._database.connection() as connection:
                said = storable(detail[:MAX_DETAIL]) or None
                await connection.execute(_STATE, (state, said, trunk.id))
        except (OSError, psycopg.OperationalError) as error:
            log.warning("a trunk's state was not kept", error=type(error).__name__)


_STATES: Final[Mapping[RegistrationState, str]] = {
    RegistrationState.UNREGISTERED: "registering",
    RegistrationState.REGISTERING: "registering",
    RegistrationState.REGISTERED: "registered",
    RegistrationState.FAILED: "failed",
}


def _in_words(registration: Registration) -> tuple[str, str]:
    failure: Any = registration.failure
    detail = ""
    if failure is not None:
        detail = f"{failure.status} {failure.reason}" if failure.status else failure.cause.value
    return _STATES[registration.state], detail
