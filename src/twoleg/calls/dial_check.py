"""Whether a call that has waited may still be dialled: rules change meanwhile, and night falls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg
import structlog

from twoleg.calls.admission_rules import is_quiet
from twoleg.calls.destinations import Refusal, destination
from twoleg.calls.ports import NotChecked
from twoleg.store import Database, DatabaseUnavailable

CHECK_WITHIN_SECONDS: Final = 10.0
"""How long a call waits for a database that is away."""

RETRY_SECONDS: Final = 0.5

_STANDING: Final = """
SELECT c.contact_phone_number, a.allowed_countries, a.quiet_hours, a.time_zone,
  (SELECT k.time_zone FROM contacts k WHERE k.id = c.contact_id),
  EXISTS (SELECT FROM contacts k WHERE k.id = c.contact_id AND k.opted_out) OR EXISTS (
    SELECT FROM contact_phone_numbers p JOIN contacts k ON k.id = p.contact_id
    WHERE p.account_id = c.account_id AND p.phone_number = c.contact_phone_number
      AND k.deleted_at IS NULL AND k.opted_out),
  EXISTS (SELECT FROM users u WHERE u.deleted_at IS NOT NULL AND u.id = coalesce(%(agent)s::bigint,
    CASE WHEN c.ring_group_id IS NULL THEN c.user_id END)),
  now()
FROM calls c JOIN accounts a ON a.id = c.account_id WHERE c.id = %(call)s
"""
_TEXTS: Final = {
    Refusal.USER_INACTIVE: "the user was deleted",
    Refusal.CONTACT_OPTED_OUT: "the contact has opted out of calls",
    Refusal.DESTINATION_NOT_ALLOWED: "the account does not allow the contact's number any more",
    Refusal.EMERGENCY_NUMBER: "emergency numbers are never dialled",
    Refusal.QUIET_HOURS: "it is a time at which the account leaves the contact alone",
}

log = structlog.get_logger(__name__)


class _Standing(NamedTuple):
    contact_phone_number: str
    allowed_countries: Sequence[str] | None
    quiet_hours: dict[str, str] | None
    account_time_zone: str
    contact_time_zone: str | None
    opted_out: bool
    user_is_gone: bool
    now: datetime

    def refusal(self) -> Refusal | None:
        """Tell which rule stands against dialling the contact."""
        if self.user_is_gone:
            return Refusal.USER_INACTIVE
        if self.opted_out:
            return Refusal.CONTACT_OPTED_OUT
        number = self.contact_phone_number
        refused = destination(number, None).refusal(self.allowed_countries)
        quiet = is_quiet(
            self.quiet_hours, number, self.contact_time_zone, self.account_time_zone, self.now
        )
        return refused or (Refusal.QUIET_HOURS if quiet else None)


@dataclass(frozen=True, slots=True)
class StoredDialCheck:
    """The `DialCheck` of one call, by what the database says at the time."""

    call_id: int
    database: Database

    async def objection(self, agent_user_id: int | None) -> str | None:
        """Say, as a call's `failure` does, which rule stands against dialling; None: none does.

        Raises NotChecked where the database does not say so in time.
        """
        try:
            async with asyncio.timeout(CHECK_WITHIN_SECONDS):
                standing = await self._standing(agent_user_id)
        except TimeoutError as error:
            raise NotChecked from error
        refusal = standing.refusal()
        return None if refusal is None else f"{refusal}: {_TEXTS[refusal]}"

    async def _standing(self, agent_user_id: int | None) -> _Standing:
        parameters: dict[str, Any] = {"call": self.call_id, "agent": agent_user_id}
        while True:
            try:
                async with self.database.connection() as connection:
                    cursor = await connection.execute(_STANDING, parameters, prepare=True)
                    row = await cursor.fetchone()
            except (DatabaseUnavailable, psycopg.OperationalError):
                log.warning("a call waits for the database to be checked", call_id=self.call_id)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                assert row is not None
                return _Standing(*row)
