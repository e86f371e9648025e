"""How many calls an account may ask for in a second, and have at a time."""

import asyncio

from call_contract import ENOUGH, PATH


async def test_no_more_than_the_accounts_calls_a_second(account, client, execute):
    await execute("UPDATE accounts SET calls_per_second = 5")
    replies = await asyncio.gather(*(client.post(PATH, json=ENOUGH) for _ in range(9)))
    accepted = [reply for reply in replies if reply.status_code == 202]
    refused = [reply for reply in replies if reply.status_code == 429]
    assert (len(accepted), len(refused)) == (5, 4)
    assert {reply.headers["X-RateLimit-Limit"] for reply in replies} == {"5"}
    assert {reply.headers["X-RateLimit-Remaining"] for reply in refused} == {"0"}
    for reply in refused:
        assert reply.json() == {"message": "Too Many Attempts."}
        assert int(reply.headers["Retry-After"]) == 1
        assert int(reply.headers["X-RateLimit-Reset"]) > 1_700_000_000


async def test_the_next_second_is_counted_anew(account, client, execute):
    await execute("UPDATE accounts SET calls_per_second = 1")
    assert (await client.post(PATH, json=ENOUGH)).status_code == 202
    assert (await client.post(PATH, json=ENOUGH)).status_code == 429
    await execute("UPDATE account_admissions SET window_started_at = now() - interval '1s'")
    reply = await client.post(PATH, json=ENOUGH)
    assert (reply.status_code, reply.headers["X-RateLimit-Remaining"]) == (202, "0")


async def test_no_more_than_the_accounts_running_calls(account, client, execute):
    await execute("UPDATE accounts SET max_calls = 3")
    replies = await asyncio.gather(*(client.post(PATH, json=ENOUGH) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [202, 202, 202, 429, 429]
    [refused, *_] = [reply for reply in replies if reply.status_code == 429]
    assert refused.headers["X-RateLimit-Limit"] == "3"
    await execute(
        "UPDATE calls SET status = 'ended', outcome = 'canceled', ended_at = now()"
        " WHERE id = (SELECT min(id) FROM calls)"
    )
    replies = [await client.post(PATH, json=ENOUGH) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [202, 429]


async def test_the_limits_of_one_account_are_not_anothers(
    account, client, anonymous, execute, add_account
):
    other = await add_account(token="token-of-another-account")
    await execute("UPDATE accounts SET calls_per_second = 0 WHERE id = %s", other.id)
    body = ENOUGH | {"api_token": other.token}
    replies = await asyncio.gather(client.post(PATH, json=ENOUGH), anonymous.post(PATH, json=body))
    assert [reply.status_code for reply in replies] == [202, 422]


async def test_a_bad_request_of_a_batch_is_alone_refused(account, client):
    bodies = [ENOUGH, {}, ENOUGH, ENOUGH | {"user_id": 9}, ENOUGH]
    replies = await asyncio.gather(*(client.post(PATH, json=body) for body in bodies))
    assert [reply.status_code for reply in replies] == [202, 422, 202, 422, 202]
