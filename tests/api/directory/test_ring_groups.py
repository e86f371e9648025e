"""Ring groups: their users in order, their queue, and what they fall back on."""

from api.directory.bodies import GROUP, errors_of


async def test_users_stay_in_the_order_that_was_given(account, client, make):
    ids = [(await make("users", name=str(n), email=f"u{n}@example.com"))["id"] for n in range(3)]
    order = [ids[2], 1, ids[0], ids[1]]
    group = await make("ring-groups", **GROUP, user_ids=order, strategy="in_order")
    assert group["user_ids"] == order
    where = f"/api/v1/ring-groups/{group['id']}"
    changed = (await client.patch(where, json={"user_ids": [str(ids[1]), 1]})).json()
    assert changed["user_ids"] == [ids[1], 1]
    listed = (await client.get("/api/v1/ring-groups", params={"user_id": ids[1]})).json()
    assert [each["id"] for each in listed["data"]] == [group["id"]]


async def test_values_that_cannot_be_are_refused_and_nothing_is_written(account, client, execute):
    for fields, field in (
        ({"user_ids": [9]}, "user_ids"),
        ({"user_ids": [1, 1]}, "user_ids"),
        ({"user_ids": ["x"]}, "user_ids.0"),
        ({"user_ids": 1}, "user_ids"),
        ({"fallback": {"user_id": 9}}, "fallback"),
        ({"fallback": {}}, "fallback"),
        ({"fallback": {"user_id": 1, "ring_group_id": 1}}, "fallback"),
        ({"strategy": "loudest"}, "strategy"),
        ({"ring_seconds": 0}, "ring_seconds"),
        ({"fallback": {"phone_number": "nowhere"}}, "fallback.phone_number"),
        ({"fallback": {"phone_number": "+1 900 555 0100"}}, "fallback.phone_number"),
        ({"fallback": {"phone_number": "+18181276543", "user_id": 1}}, "fallback"),
        ({"max_wait_seconds": -1}, "max_wait_seconds"),
        ({"max_waiting": -1}, "max_waiting"),
        ({"wrap_up_seconds": "soon"}, "wrap_up_seconds"),
        ({"screening": "perhaps"}, "screening"),
    ):
        before = await execute("SELECT g::text FROM ring_groups g")
        members = await execute("SELECT m::text FROM ring_group_members m")
        for reply in (
            await client.post("/api/v1/ring-groups", json=GROUP | fields),
            await client.patch("/api/v1/ring-groups/1", json={"name": "New"} | fields),
        ):
            assert list(errors_of(reply)) == [field], fields
        assert await execute("SELECT g::text FROM ring_groups g") == before
        assert await execute("SELECT m::text FROM ring_group_members m") == members


async def test_it_says_how_many_calls_wait_and_when_its_users_are_free(account, client, execute):
    group = (await client.get("/api/v1/ring-groups/1")).json()
    assert group["waiting"] == 0
    for outcome in (None, None, "canceled"):
        await execute(
            "WITH c AS (INSERT INTO calls (account_id, source, contact_phone_number,"
            " line_phone_number, status, outcome, ended_at)"
            " VALUES (%s, 'api', '+1', '+1', %s, %s, %s) RETURNING id)"
            " INSERT INTO waiting_calls (call_id, ring_group_id) SELECT id, 1 FROM c",
            account.id,
            "ended" if outcome else "queued",
            outcome,
            "2026-01-01" if outcome else None,
        )
    group = (await client.get("/api/v1/ring-groups/1")).json()
    assert group["waiting"] == 2
    user = (await client.get("/api/v1/users/1")).json()
    assert (user["last_call_ended_at"], user["wrap_up_until"]) == (None, None)
    await execute("UPDATE users SET wrap_up_until = '2999-01-01T00:00:00Z'")
    user = (await client.get("/api/v1/users/1")).json()
    assert user["wrap_up_until"] == "2999-01-01T00:00:00.000Z"


async def test_queue_wrap_up_and_a_number_behind_it_are_kept(account, client, make):
    group = await make("ring-groups", **GROUP)
    assert (group["max_waiting"], group["wrap_up_seconds"]) == (None, None)
    assert group["screening"] is None
    wanted = {
        "screening": "never",
        "max_waiting": 5,
        "wrap_up_seconds": 30,
        "fallback": {"phone_number": "+1 818 127 6543"},
    }
    where = f"/api/v1/ring-groups/{group['id']}"
    changed = (await client.patch(where, json=wanted)).json()
    assert {name: changed[name] for name in wanted} == wanted | {
        "fallback": {"phone_number": "+18181276543"}
    }


async def test_one_is_no_fallback_of_itself(account, client):
    fallback = {"fallback": {"ring_group_id": 1}}
    reply = await client.patch("/api/v1/ring-groups/1", json=fallback)
    assert list(errors_of(reply)) == ["fallback"]


async def test_a_deleted_one_is_no_fallback_any_more(account, client, make):
    other = await make("ring-groups", **GROUP, fallback={"ring_group_id": 1})
    assert other["fallback"] == {"ring_group_id": 1}
    await client.delete("/api/v1/ring-groups/1")
    read = await client.get(f"/api/v1/ring-groups/{other['id']}")
    assert read.json()["fallback"] is None
