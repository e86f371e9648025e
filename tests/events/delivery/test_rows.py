"""What is read and kept of deliveries in the database, and for how long."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from waiting import until

from twoleg.events.delivery import outbox, queries, remove_old_deliveries


async def test_looking_at_the_log_reads_no_more_with_every_call_that_there_ever_was(
    database, hook, calls, execute
) -> None:
    await hook("http://192.0.2.1/")
    await execute(
        "INSERT INTO calls (id, account_id, source, contact_phone_number, line_phone_number)"
        " SELECT n, 1, 'api', '+18181276543', '+18552562001' FROM generate_series(100, 10100) n"
    )
    await execute(
        "INSERT INTO call_events (account_id, call_id, sequence, type)"
        " SELECT 1, id, n, 'call.queued' FROM calls, generate_series(1, 12) n"
    )
    await execute("ANALYZE calls, call_events, webhooks, webhook_receivers")

    read = {}
    for name, statement in {"look": outbox._LOOK, "fill": outbox._FILL}.items():
        # As it is planned once and for all, whatever the parameters.
        for place, parameter in enumerate(("after", "until", "most"), start=1):
            statement = statement.replace(f"%({parameter})s", f"${place}::bigint")
        async with database.connection() as connection:
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(f"EXPLAIN (GENERIC_PLAN) {statement}")
            plan = [line for (line,) in await cursor.fetchall()]
        read[name] = [line for line in plan if "Seq Scan on calls" in line]

    assert read == {"look": [], "fill": []}


async def test_old_deliveries_are_removed_unless_they_are_to_be_sent(
    database, hook, add, rows, execute
) -> None:
    await hook("http://127.0.0.1:1/")
    await execute(
        "INSERT INTO webhook_deliveries (account_id, receiver_id, webhook_id, type, message_id,"
        " state, created_at) SELECT 1, r.id, r.webhook_id, 'call.ended', 'm', state, now() - age"
        " FROM webhook_receivers r, (VALUES ('delivered', interval '31 days'),"
        " ('failed', '31 days'), ('pending', '31 days'), ('delivered', '29 days')) AS v(state, age)"
    )
    assert await remove_old_deliveries(database, 30) == 2
    assert sorted(await rows("state")) == [("delivered",), ("pending",)]


async def test_hosts_of_callback_urls_are_forgotten_with_their_last_delivery(
    database, calls, execute
) -> None:
    await execute("INSERT INTO webhook_receivers (account_id, origin) VALUES (1, 'a'), (1, 'b')")
    await execute(
        "INSERT INTO webhook_deliveries (account_id, receiver_id, type, message_id, state)"
        " SELECT 1, id, 'call.ended', 'm', 'delivered' FROM webhook_receivers WHERE origin = 'a'"
    )
    await remove_old_deliveries(database, 30)
    assert await execute("SELECT origin FROM webhook_receivers") == [("a",)]


@pytest.mark.parametrize("first", ["fill", "release"])
async def test_a_receiver_that_is_given_back_as_something_new_comes_is_not_forgotten(
    hook, add, execute, connect, first
) -> None:
    await hook("http://127.0.0.1:1/")
    event_id = await add()
    await execute("INSERT INTO webhook_position DEFAULT VALUES")
    await execute("UPDATE webhook_receivers SET due_at = now(), worker = 'we'")
    filling, releasing = await connect(), await connect()
    acts = {
        "fill": lambda: filling.execute(outbox._FILL, {"after": 0, "until": event_id}),
        "release": lambda: queries.release(releasing, "we", [1]),
    }
    one, other = (filling, releasing) if first == "fill" else (releasing, filling)
    second = "release" if first == "fill" else "fill"
    await one.execute("BEGIN")
    await acts[first]()
    waiting = asyncio.create_task(acts[second]())

    async def blocked():
        return await execute(
            "SELECT pid FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
            other.info.backend_pid,
        )

    await until(blocked)
    await one.execute("COMMIT")
    await waiting
    assert await execute("SELECT due_at <= now() FROM webhook_receivers") == [(True,)]
