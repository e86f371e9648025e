"""Two api processes take calls in at once: batches, exact limits, cancelled clients."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from twoleg.calls.admission import (
    Admission,
    AdmissionUnavailable,
    TooManyCalls,
    UnknownToken,
)
from twoleg.calls.requests import read_call_request
from twoleg.directory.accounts import change_account, setup_account
from twoleg.directory.lines import create_line
from twoleg.directory.trunks import create_trunk
from twoleg.directory.users import list_users

LINE = "+18552562001"


@pytest.fixture
async def account(database):
    """An account with a user, a line and a trunk, and no limit that matters."""
    made = await setup_account(database, "Main", None)
    async with database.connection() as connection:
        mine = made.account_id
        await change_account(connection, mine, {"calls_per_second": 1000, "max_calls": 1000})
        trunk = await create_trunk(connection, mine, {"name": "T", "host": "192.0.2.1"})
        await create_line(connection, mine, {"phone_number": LINE, "trunk_ids": [trunk.id]})
    return made


@pytest.fixture
async def request_to(database, account):
    """Return a call request to a number."""
    async with database.connection() as connection:
        [user] = await list_users(connection, account.account_id, after_id=None, limit=1)

    def make(number="+18181276543"):
        fields = {"user_id": user.id, "contact_phone_number": number, "line_phone_number": LINE}
        return read_call_request(fields)

    return make


@pytest.fixture
async def processes(database):
    """Two admissions on one database, as two api processes have them."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Admission.open(database)) for _ in range(2)]


@pytest.fixture
def count(database):
    """Count the rows of a table."""

    async def run(table):
        async with database.connection() as connection:
            cursor = await connection.execute(f"SELECT count(*) FROM {table}")
            [(rows,)] = await cursor.fetchall()
        return rows

    return run


async def every(processes, account, requests):
    """Give each request to one process, then the other; return what became of them."""
    return await asyncio.gather(
        *(
            processes[number % 2].accept(account.token, request)
            for number, request in enumerate(requests)
        ),
        return_exceptions=True,
    )


async def test_each_request_becomes_one_call_with_one_event(processes, account, request_to, count):
    taken = await every(processes, account, [request_to() for _ in range(200)])
    assert len({call.id for call in taken}) == 200
    assert await count("calls") == 200
    assert await count("call_events") == 200


async def test_an_unknown_number_makes_one_contact_though_both_processes_ask(
    processes, account, request_to, count
):
    numbers = [f"+181812765{n % 10:02}" for n in range(40)]
    await every(processes, account, [request_to(number) for number in numbers])
    assert await count("calls") == 40
    assert await count("contacts") == 10
    assert await count("contact_phone_numbers") == 10


async def test_the_limit_of_running_calls_is_exact_over_both_processes(
    processes, account, request_to, database, count
):
    async with database.connection() as connection:
        await change_account(connection, account.account_id, {"max_calls": 30})
    taken = await every(processes, account, [request_to() for _ in range(80)])
    assert sum(isinstance(each, TooManyCalls) for each in taken) == 50
    assert await count("calls") == 30
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE calls SET status = 'ended', outcome = 'canceled', ended_at = now()"
            " WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT 7)"
        )
    taken = await every(processes, account, [request_to() for _ in range(20)])
    assert sum(isinstance(each, TooManyCalls) for each in taken) == 13
    assert await count("calls") == 37


async def test_a_client_that_leaves_while_it_waits_harms_nobody(
    processes, account, request_to, count
):
    leaving = asyncio.create_task(processes[0].accept(account.token, request_to()))
    staying = asyncio.create_task(processes[0].accept(account.token, request_to()))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).account_id == account.account_id
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await count("calls") in (1, 2)


async def test_an_unknown_token_of_a_batch_is_alone_refused(processes, account, request_to):
    good = processes[0].accept(account.token, request_to())
    bad = processes[0].accept("unknown", request_to())
    taken = await asyncio.gather(good, bad, return_exceptions=True)
    assert taken[0].account_id == account.account_id
    assert isinstance(taken[1], UnknownToken)


async def test_who_waits_when_a_process_stops_is_told_to_come_back(database, account, request_to):
    async with Admission.open(database) as admission:
        waiting = [
            asyncio.create_task(admission.accept(account.token, request_to())) for _ in range(3)
        ]
        await asyncio.sleep(0)
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, AdmissionUnavailable) for each in ended)


async def test_who_has_waited_for_long_is_told_to_come_back_and_not_placed(
    processes, account, request_to, count, monkeypatch
):
    monkeypatch.setattr("twoleg.calls.admission.LONGEST_WAIT_SECONDS", 0.0)
    with pytest.raises(AdmissionUnavailable) as refused:
        await processes[0].accept(account.token, request_to())
    assert not refused.value.may_be_stored
    assert await count("calls") == 0


async def test_a_steady_stream_is_taken_in_order_and_none_is_lost(
    processes, account, request_to, count
):
    async def stream():
        for _ in range(10):
            waiting = [processes[0].accept(account.token, request_to()) for _ in range(8)]
            for call in await asyncio.gather(*waiting):
                yield call.id

    ids = [id_ async for id_ in stream()]
    assert ids == sorted(ids)
    assert await count("calls") == len(ids) == 80
