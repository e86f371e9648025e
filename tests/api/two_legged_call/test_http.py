"""Methods, paths and sizes; and a database that is away."""

import pytest
from call_contract import ACCEPTED, ENOUGH, PATH


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_another_method_is_405_and_says_which_is_allowed(method, anonymous):
    reply = await anonymous.request(method, PATH)
    assert (reply.status_code, reply.headers["Allow"]) == (405, "POST")
    assert list(reply.json()) == ["message"]


@pytest.mark.parametrize("slashes", ["/", "//"])
async def test_slashes_at_the_end_of_its_path_are_passed_over(
    slashes, account, client, anonymous, execute
):
    key = {"Idempotency-Key": "once"}
    for path, headers in ((PATH + slashes, {}), (PATH + slashes, key), (PATH, key)):
        reply = await client.post(path, json=ENOUGH, headers=headers)
        assert (reply.status_code, reply.json()) == ACCEPTED
    assert await execute("SELECT count(*) FROM calls") == [(2,)]
    reply = await anonymous.get(PATH + slashes)
    assert (reply.status_code, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/api/v1/nothing", PATH + "/x", "/api/v1/calls/1/x"])
async def test_an_unknown_path_is_404(path, anonymous):
    reply = await anonymous.get(path, headers={"Accept": "text/html"})
    assert (reply.status_code, reply.json()) == (404, {"message": "Not Found."})


async def test_a_body_of_10_mb_is_413_and_is_not_kept(anonymous):
    pieces = 0

    async def body():
        nonlocal pieces
        for pieces in range(160):  # noqa: B007  counts what was taken
            yield b"x" * 65536

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await anonymous.post(PATH, content=body(), headers=form)
    assert reply.status_code == 413
    assert list(reply.json()) == ["message"]


async def test_a_database_that_is_away_is_503_until_it_is_back(account, client, database):
    await database.pool.close()
    reply = await client.post(PATH, json=ENOUGH)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert reply.json() == {"message": "Service Unavailable."}


async def test_a_connection_that_broke_while_idle_loses_no_call(account, client, execute):
    assert (await client.post(PATH, json=ENOUGH)).status_code == 202
    await execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert (await client.post(PATH, json=ENOUGH)).status_code == 202
    assert await execute("SELECT count(*) FROM calls") == [(2,)]
