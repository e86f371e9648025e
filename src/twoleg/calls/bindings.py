"""Where users' phones are, kept in the database for the registrar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from twoleg.sip import Binding, RegistrarResult, flow_from_json, flow_to_json
from twoleg.store import Database
from twoleg.store.texts import storable

_HA1S: Final = """
SELECT sip_ha1 FROM users WHERE lower(sip_username) = lower(%s) AND deleted_at IS NULL
"""
# The user's row is the lock: two REGISTERs of one user are done one after the other.
_USER: Final = """
SELECT id FROM users WHERE lower(sip_username) = lower(%s) AND deleted_at IS NULL
FOR NO KEY UPDATE
"""
_BINDINGS: Final = """
SELECT contact_uri, call_id, cseq, extract(epoch FROM expires_at)::float8, path, user_agent, flow
FROM bindings WHERE user_id = %s
"""
_DROP: Final = "DELETE FROM bindings WHERE user_id = %s AND NOT contact_uri = ANY(%s)"
_KEEP: Final = """
INSERT INTO bindings (user_id, contact_uri, call_id, cseq, path, flow, engine_id, user_agent,
  expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (user_id, contact_uri) DO UPDATE SET call_id = excluded.call_id,
  cseq = excluded.cseq, path = excluded.path, flow = excluded.flow,
  engine_id = excluded.engine_id, user_agent = excluded.user_agent,
  expires_at = excluded.expires_at
"""


class StoredBindings:
    """The `BindingStore` of one engine. `on_registered` is told the host of each good REGISTER."""

    def __init__(self, database: Database, on_registered: Callable[[str, float], None]) -> None:
        self._database = database
        self._on_registered = on_registered
        self.engine_id: int | None = None

    async def ha1s(self, username: str) -> Mapping[str, str]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_HA1S, (storable(username),))
            row = await cursor.fetchone()
        return {} if row is None else row[0]

    async def update(
        self, username: str, change: Callable[[tuple[Binding, ...]], RegistrarResult]
    ) -> RegistrarResult:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_USER, (username,))
            row = await cursor.fetchone()
            if row is None:
                return change(())
            before = await self._load(connection, row[0])
            result = change(before)
            if result.changed:
                await self._save(connection, row[0], before, result.bindings)
        for binding in result.bindings:
            if binding.flow is not None:
                self._on_registered(binding.flow.remote.host, binding.expires_at)
        return result

    async def _load(
        self, connection: psycopg.AsyncConnection[Any], user_id: int
    ) -> tuple[Binding, ...]:
        cursor = await connection.execute(_BINDINGS, (user_id,))
        return tuple(
            Binding(
                contact=contact,
                call_id=call_id,
                cseq=cseq,
                expires_at=expires_at,
                path=tuple(path),
                user_agent=user_agent or "",
                flow=None if flow is None else flow_from_json(flow),
            )
            for contact, call_id, cseq, expires_at, path, user_agent, flow in (
                await cursor.fetchall()
            )
        )

    async def _save(
        self,
        connection: psycopg.AsyncConnection[Any],
        user_id: int,
        before: tuple[Binding, ...],
        bindings: tuple[Binding, ...],
    ) -> None:
        kept = [storable(binding.contact) for binding in bindings]
        await connection.execute(_DROP, (user_id, kept))
        for binding in bindings:
            if binding in before:
                continue  # another phone's, which this engine need not have
            flow = None if binding.flow is None else Jsonb(flow_to_json(binding.flow))
            expires_at = datetime.fromtimestamp(binding.expires_at, UTC)
            await connection.execute(
                _KEEP,
                (
                    user_id,
                    storable(binding.contact),
                    storable(binding.call_id),
                    binding.cseq,
                    [storable(hop) for hop in binding.path],
                    flow,
                    self.engine_id,
                    storable(binding.user_agent),
                    expires_at,
                ),
            )
