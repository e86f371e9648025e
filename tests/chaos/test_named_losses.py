"""Losses that have a name: between claim and mark, and a database that is away for a while.

`TWOLEG_AWAY_SECONDS` keeps it away for longer.
"""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime

import psycopg
import pytest
from chaos.answerers import Fate
from chaos.conftest import AGENT, CONTACT, SECOND_CONTACT

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

AWAY_SECONDS = float(os.environ.get("TWOLEG_AWAY_SECONDS", "8"))
TALK_SECONDS = AWAY_SECONDS + 22.0


async def test_an_engine_that_dies_between_claim_and_mark_leaves_a_call_to_be_placed_once(
    scene,
) -> None:
    fates = {AGENT: iter([Fate(None), Fate(0.1)]), CONTACT: iter([Fate(0.1, 1.0)])}

    async with (
        scene(lambda number: next(fates[number]), "api", "engine 1") as it,
        await psycopg.AsyncConnection.connect(it.parts.server.url) as holding,
        await psycopg.AsyncConnection.connect(it.parts.server.url, autocommit=True) as other,
    ):
        # The mark is written together with the agent's leg: it has to wait.
        await holding.execute("LOCK TABLE legs IN EXCLUSIVE MODE")
        call = (await it.place()).json()["id"]
        await it.when(lambda: it.answerers.rung[AGENT] == 1, "the agent's ringing")
        await it.parts.parts["engine 1"].kill()
        await other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
            " WHERE relation = 'legs'::regclass AND NOT granted"
        )
        await holding.rollback()
        marked = "SELECT engine_id IS NOT NULL, contact_attempt_at IS NULL FROM calls"
        assert await (await other.execute(marked)).fetchall() == [(True, True)]

        await it.parts.parts["engine 1"].start()
        record = await it.ended(call)

        assert record["outcome"] == "connected"
        assert it.answerers.rung == {AGENT: 2, CONTACT: 1}
        events = [event["type"] for event in record["events"]]
        assert events.count("call.queued") == 2
        assert events.count("call.ended") == 1


# What says that the contact rings waits for whoever holds the lock.
CONTACT_RINGING_WAITS = """
CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END';
CREATE TRIGGER contact_ringing_waits BEFORE INSERT ON call_events FOR EACH ROW
    WHEN (NEW.type = 'call.contact_ringing') EXECUTE FUNCTION wait_for_lock();
"""


async def test_a_contact_whose_ring_was_not_written_is_let_go_by_another_engine(scene) -> None:
    async with (
        scene(lambda number: Fate(None if number == CONTACT else 0.1), "api", "engine 1") as it,
        await psycopg.AsyncConnection.connect(it.parts.server.url) as holding,
        await psycopg.AsyncConnection.connect(it.parts.server.url, autocommit=True) as other,
    ):
        await other.execute(CONTACT_RINGING_WAITS)
        await holding.execute("SELECT pg_advisory_xact_lock(1)")
        call = (await it.place()).json()["id"]
        await it.when(lambda: it.answerers.rung[CONTACT] == 1, "the contact's ringing")
        await it.parts.parts["engine 1"].kill()
        await other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
            " WHERE locktype = 'advisory' AND NOT granted"
        )
        await holding.rollback()
        roles = await (await other.execute("SELECT role FROM legs")).fetchall()
        assert roles == [("agent",)]

        await it.parts.parts["engine 2"].start()
        record = await it.ended(call)

        assert record["outcome"] == "failed"
        assert it.answerers.rung == {AGENT: 1, CONTACT: 1}
        await it.when(lambda: all(leg.is_over for leg in it.answerers.legs), "the end of both")
        assert [leg.ended_by_caller for leg in it.answerers.legs] == [True, True]
        await it.counted("SELECT count(*) FROM lost_legs", 0)


async def test_calls_talk_on_while_the_database_is_away_and_are_written_afterwards(scene) -> None:
    hang_up = asyncio.Event()
    talk = {CONTACT: TALK_SECONDS, SECOND_CONTACT: hang_up}

    async with scene(
        lambda number: Fate(0.1, talk.get(number)), "api", "engine 1", "engine 2"
    ) as it:
        call = (await it.place()).json()["id"]
        second = (await it.place(second=True)).json()["id"]
        await it.when(lambda: it.up() == 4, "four legs that are up")

        await it.parts.kill_database()
        refused = await it.place()
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        hang_up.set()
        await it.when(lambda: it.up() == 2, "the end of one of the calls")
        await asyncio.sleep(AWAY_SECONDS)
        assert it.up() == 2
        await it.parts.revive_database()
        # It ended while nothing could be written, and not when that was.
        record = await it.ended(second)
        assert (record["outcome"], record["ended_by"]) == ("connected", "contact")
        ended_at = datetime.fromisoformat(record["ended_at"])
        assert (datetime.now(UTC) - ended_at).total_seconds() > AWAY_SECONDS

        # By the end each engine has had the time to take the other for dead.
        record = await it.ended(call)
        assert (record["outcome"], record["ended_by"]) == ("connected", "contact")
        assert record["talk_seconds"] > TALK_SECONDS - 1
        assert [event["type"] for event in record["events"]] == [
            "call.queued",
            "call.agent_ringing",
            "call.agent_connected",
            "call.contact_ringing",
            "call.bridged",
            "call.ended",
        ]
        assert set(it.answerers.rung.values()) == {1}
        assert len(it.answerers.rung) == 4


async def test_an_engine_that_is_told_to_stop_lets_its_call_end_and_leaves_new_ones_to_others(
    scene,
) -> None:
    hang_up = asyncio.Event()

    async with scene(lambda number: Fate(0.1, hang_up if number == CONTACT else None), "api") as it:
        first, second = it.parts.parts["engine 1"], it.parts.parts["engine 2"]
        first.environment["TWOLEG_DRAIN_SECONDS"] = "80"
        await first.start()
        call = (await it.place()).json()["id"]
        await it.when(lambda: it.up() == 2, "two legs that are up")

        first.process.send_signal(signal.SIGTERM)
        await it.counted("SELECT count(*) FROM engines WHERE draining", 1)
        await second.start()
        other = (await it.place(second=True)).json()["id"]
        await it.when(lambda: it.up() == 4, "the legs of another engine's call")
        assert [leg.engine_port for leg in it.answerers.legs] == [
            port for port in it.parts.sip_ports for _ in range(2)
        ]
        assert first.process.returncode is None

        hang_up.set()
        record = await it.ended(call)
        assert (record["outcome"], record["ended_by"]) == ("connected", "contact")
        async with asyncio.timeout(30):
            assert await first.process.wait() == 0
        assert it.up() == 2
        assert (await it.http.delete(f"/calls/{other}")).status_code == 202
        assert (await it.ended(other))["ended_by"] == "api"
