"""Proving that we live, and closing what lost engines leave behind.

A call without the mark that lets its contact be attempted goes back to the queue. One with it is
never dialled again: it ends as `failed`, the dialogs that it left get BYE, and what rings CANCEL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import psycopg
import structlog
from psycopg.types.json import Jsonb

from twoleg.calls.admission_queries import CALLS_CHANNEL
from twoleg.calls.background import background
from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.lost_calls import (
    ANYTHING_LOST,
    FAIL,
    FORGET_LEG,
    OUR_LEGS,
    REQUEUE_LOST,
    REQUEUE_OURS,
    TAKE_LEGS,
)
from twoleg.events import EVENTS_CHANNEL
from twoleg.sip import Credentials, DialogIdentity, InviteIdentity
from twoleg.store import Database

HEARTBEAT_SECONDS: Final = 2.0
DEAD_SECONDS: Final = 10.0
"""An engine that was not heard of for so long, by the database's clock, is dead."""

LEAVE_SECONDS: Final = 2.0
"""How long an engine that ends waits for the database to take note of it."""

MAX_RECOVERED: Final = 200
"""Calls closed, and legs hung up, in one go."""

# Whoever listened where we do now is gone, as is plain without waiting for its heartbeat.
_JOIN: Final = """
WITH before AS (
  UPDATE engines SET gone = true
  WHERE name = %(name)s AND sip_host = %(host)s AND sip_port = %(port)s AND NOT gone
)
INSERT INTO engines (name, sip_host, sip_port) VALUES (%(name)s, %(host)s, %(port)s) RETURNING id
"""
_BEAT: Final = """
UPDATE engines SET heartbeat_at = clock_timestamp(), draining = %s, figures = %s WHERE id = %s
"""
_LEAVE: Final = """
UPDATE engines SET draining = true, gone = true WHERE id = %s
"""

log = structlog.get_logger(__name__)

HangUp = Callable[[DialogIdentity, Credentials | None], Coroutine[Any, Any, None]]
Cancel = Callable[[InviteIdentity], Coroutine[Any, Any, None]]


async def join(database: Database, name: str, host: str, port: int) -> int:
    """Make an engine known; give its id. Raises DatabaseUnavailable."""
    async with database.connection() as connection:
        cursor = await connection.execute(_JOIN, {"name": name, "host": host, "port": port})
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


def no_figures() -> dict[str, Any]:
    """Tell nothing, as an engine that measures nothing."""
    return {}


class Recovery:
    """The heartbeat of one engine, and its care for lost engines' calls. Made by `Recovery.open`.

    `hang_up` ends a dialog that a lost engine left, `cancel` takes back an INVITE. `draining` and
    what `figures` gives are told with the next heartbeat.
    """

    def __init__(
        self,
        database: Database,
        engine_id: int,
        hang_up: HangUp,
        cancel: Cancel,
        *,
        dead_seconds: float = DEAD_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._hang_up = hang_up
        self._cancel = cancel
        self._dead_seconds = dead_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._last_beat = clock()
        # Where we, or the database, were away, the others must first have the time to be heard.
        self._judging_from = self._last_beat + dead_seconds
        self._ending: set[tuple[int, int]] = set()
        """Legs of lost engines that are being hung up, by call and position."""

        self.engine_id = engine_id
        self.draining = False
        self.figures: Callable[[], dict[str, Any]] = no_figures

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        engine_id: int,
        hang_up: HangUp,
        cancel: Cancel,
        *,
        dead_seconds: float = DEAD_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> AsyncIterator[Self]:
        """Beat and look until the block is left; then give back what is ours, and say good-bye."""
        recovery = cls(
            database,
            engine_id,
            hang_up,
            cancel,
            dead_seconds=dead_seconds,
            heartbeat_seconds=heartbeat_seconds,
            clock=clock,
        )
        try:
            async with background(recovery._run()):
                yield recovery
        finally:
            await recovery._leave()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as hang_ups:

            async def beat(connection: Connection) -> None:
                while True:
                    await self._beat(connection)
                    await self._recover(connection, hang_ups)
                    await asyncio.sleep(self._heartbeat_seconds)

            # Over a connection of its own: when the database comes back, an engine that waits for
            # the pool to look again must not be taken for dead by one that need not.
            await stay_connected(self._database, beat, "no heartbeat")

    async def _beat(self, connection: Connection) -> None:
        figures = Jsonb(self.figures())
        await connection.execute(_BEAT, (self.draining, figures, self.engine_id))
        now = self._clock()
        if now - self._last_beat > self._dead_seconds / 2:
            self._judging_from = now + self._dead_seconds
        self._last_beat = now

    async def _leave(self) -> None:
        """Have others place at once what was never rung, and take note that we are gone."""
        parameters = self._parameters()
        try:
            async with (
                asyncio.timeout(LEAVE_SECONDS),
                self._database.connection() as connection,
            ):
                await connection.execute(REQUEUE_OURS, parameters)
                await connection.execute(_LEAVE, (self.engine_id,))
        except (OSError, TimeoutError, psycopg.Error):
            log.warning("the end of the engine could not be told")

    async def _recover(self, connection: Connection, hang_ups: asyncio.TaskGroup) -> None:
        parameters = self._parameters()
        cursor = await connection.execute(ANYTHING_LOST, parameters)
        if await cursor.fetchone() == (False,):
            return
        cursor = await connection.execute(REQUEUE_LOST, parameters)
        for call_id, *_ in await cursor.fetchall():
            log.warning("a lost engine's call is placed again", call_id=call_id)
        cursor = await connection.execute(FAIL, parameters)
        for call_id, *_ in await cursor.fetchall():
            log.warning("a lost engine's call has failed", call_id=call_id)
        await connection.execute(TAKE_LEGS, parameters)
        cursor = await connection.execute(OUR_LEGS, parameters)
        for call_id, position, invite, dialog, username, password in await cursor.fetchall():
            leg = (call_id, position)
            if leg not in self._ending:
                self._ending.add(leg)
                credentials = Credentials(username, password) if username and password else None
                hang_ups.create_task(self._end(leg, invite, dialog, credentials))

    def _parameters(self) -> dict[str, Any]:
        return {
            "self": self.engine_id,
            "judging": self._clock() >= self._judging_from,
            "dead": self._dead_seconds,
            "most": MAX_RECOVERED,
            "channel": CALLS_CHANNEL,
            "events": EVENTS_CHANNEL,
        }

    async def _end(
        self,
        leg: tuple[int, int],
        invite: dict[str, Any] | None,
        dialog: dict[str, Any] | None,
        credentials: Credentials | None,
    ) -> None:
        try:
            if dialog is not None:
                await self._hang_up(DialogIdentity.from_json(dialog), credentials)
            elif invite is not None:
                await self._cancel(InviteIdentity.from_json(invite))
        except Exception:
            # Whatever is wrong with one leg, the heart must go on beating.
            log.exception("a lost engine's leg could not be ended", call_id=leg[0])
        await self._forget(leg)

    async def _forget(self, leg: tuple[int, int]) -> None:
        try:
            async with self._database.connection() as connection:
                await connection.execute(FORGET_LEG, leg)
        except (OSError, psycopg.Error):
            # It is hung up once more when we look next, which a far end that is gone answers 481.
            log.warning("the end of a lost engine's leg was not kept", call_id=leg[0])
        self._ending.discard(leg)
