"""A dry run: the plan that an engine would make, and not a trace of it."""

import pytest

PATH = "/api/v1/calls"
USER = {"user_id": 1, "contact_id": 1234, "line_id": 1}
GROUP = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}


@pytest.fixture
def plan(client):
    async def plan(call=USER, **fields):
        reply = await client.post(f"{PATH}?dry_run=true", json=call | fields)
        assert reply.status_code == 200, reply.text
        return reply.json()

    return plan


@pytest.fixture
async def add_user(execute):
    async def add(id_, **columns):
        values = {"phone_number": f"+1818555010{id_}"} | columns
        await execute(
            f"INSERT INTO users (id, account_id, name, email, sip_username, {', '.join(values)})"
            f" VALUES (%s, 1, %s, %s, %s, {', '.join(['%s'] * len(values))})",
            id_,
            f"User {id_}",
            f"user{id_}@example.com",
            f"user{id_}",
            *values.values(),
        )
        await execute(
            "INSERT INTO ring_group_members (ring_group_id, user_id, position) VALUES (1, %s, %s)",
            id_,
            id_,
        )

    return add


@pytest.fixture
async def registered(account, execute):
    """User 1 has a phone, and an engine runs."""
    await execute(
        "INSERT INTO bindings (user_id, contact_uri, call_id, cseq, expires_at)"
        " VALUES (1, 'sip:alice@192.0.2.10', 'x', 1, now() + interval '1 hour')"
    )
    await execute(
        "INSERT INTO engines (name, sip_host, sip_port) VALUES ('one', '192.0.2.5', 5060)"
    )


def rung(plan):
    return [
        (step["action"], [agent["user_id"] for agent in step["agents"]]) for step in plan["steps"]
    ]


async def test_it_says_who_rings_how_and_what_each_side_sees(registered, plan):
    planned = await plan(ring_seconds={"agent": 25}, max_seconds=90)
    [step] = planned["steps"]
    assert (step["action"], step["user_id"], step["seconds"]) == ("ring", 1, 25)
    [agent] = step["agents"]
    [phone] = agent["phones"]
    assert (agent["name"], phone["to"]) == ("Alice", "sip:alice@192.0.2.10")
    assert (phone["trunk_id"], phone["shows"]) == (None, "+18181276544")
    assert phone["from"] == '"+18181276544" <sip:+18181276544@192.0.2.5>'
    assert phone["asked_to_confirm"] is False
    contact = planned["contact"]
    assert (contact["id"], contact["phone_number"]) == (1234, "+18181276544")
    [trunk] = contact["trunks"]
    assert (trunk["to"], trunk["trunk"], trunk["shows"]) == (
        "sip:+18181276544@192.0.2.1",
        "T",
        "+18552562001",
    )
    assert trunk["from"] == "<sip:+18552562001@192.0.2.5>"
    assert (planned["first"], planned["max_seconds"], planned["record"]) == ("agent", 90, False)


async def test_it_leaves_no_trace(registered, client, snapshot, plan, execute):
    before = await snapshot()
    counted = await execute("SELECT * FROM account_admissions")
    new = {"user_id": 1, "contact_phone_number": "+18185550199", "line_id": 1}
    assert (await plan(new))["contact"]["id"] is None
    for call in (USER, GROUP, GROUP | {"user_id": 1}):
        await plan(call)
    assert await snapshot() == before
    assert await execute("SELECT * FROM account_admissions") == counted


async def test_what_would_be_refused_is_refused_just_so(client, account, execute):
    await execute("UPDATE contacts SET opted_out = true")
    for call in (USER, {"user_id": 99, "contact_id": 1, "line_id": 1}, {}):
        real = await client.post(PATH, json=call)
        dry = await client.post(f"{PATH}?dry_run=1", json=call)
        assert (
            (dry.status_code, dry.json())
            == (real.status_code, real.json())
            == (
                422,
                real.json(),
            )
        )


async def test_it_wants_a_token_that_may_place_calls(anonymous, account):
    reply = await anonymous.post(f"{PATH}?dry_run=true", json=USER)
    assert reply.status_code == 401


async def test_it_takes_no_idempotency_key(client, registered, execute):
    headers = {"Idempotency-Key": "one"}
    for _ in range(2):
        reply = await client.post(f"{PATH}?dry_run=true", json=USER, headers=headers)
        assert (reply.status_code, "Idempotent-Replayed" in reply.headers) == (200, False)
    assert (await client.post(PATH, json=USER, headers=headers)).status_code == 202


async def test_a_group_is_rung_in_its_order_and_then_its_fallback(plan, account, add_user, execute):
    await add_user(2)
    await add_user(3)
    await add_user(4, availability="away")
    await execute(
        "UPDATE ring_groups SET strategy = 'in_order',"
        """ fallback = '{"phone_number": "+18185550150"}'"""
    )
    planned = await plan(GROUP)
    assert rung(planned) == [("ring", [2]), ("ring", [3]), ("ring", [None])]
    assert [step["ring_group_id"] for step in planned["steps"]] == [1, 1, None]
    [phone] = planned["steps"][0]["agents"][0]["phones"]
    assert (phone["to"], phone["shows"]) == ("sip:+18185550102@192.0.2.1", "+18552562001")
    assert phone["asked_to_confirm"] is True
    assert planned["steps"][2]["phone_number"] == "+18185550150"


async def test_a_group_that_rings_at_once_is_one_step(plan, account, add_user, execute):
    await add_user(2)
    await add_user(3)
    await execute("UPDATE ring_groups SET strategy = 'ring_all'")
    [(action, users)] = rung(await plan(GROUP))
    assert (action, sorted(users)) == ("ring", [2, 3])


async def test_it_says_that_the_call_would_wait_and_how_long(plan, registered, client, execute):
    call = (await client.post(PATH, json=USER)).json()
    await execute("INSERT INTO reservations (user_id, call_id) VALUES (1, %s)", call["id"])
    assert (await plan())["steps"] == []
    [step] = (await plan(max_wait_seconds=30))["steps"]
    assert (step["action"], step["user_id"]) == ("wait", 1)
    assert 29 < step["seconds"] <= 30
    await execute("UPDATE ring_groups SET max_wait_seconds = 60, max_waiting = 1")
    [step] = (await plan(GROUP))["steps"]
    assert (step["action"], step["waiting"], step["queue_is_full"]) == ("wait", 0, False)
    await execute("INSERT INTO waiting_calls (call_id, ring_group_id) VALUES (%s, 1)", call["id"])
    [step] = (await plan(GROUP))["steps"]
    assert (step["seconds"], step["waiting"], step["queue_is_full"]) == (0, 1, True)


async def test_a_user_without_a_phone_is_named_as_such(plan, account):
    [step] = (await plan())["steps"]
    assert (step["action"], step["user_id"], step["agents"]) == ("unreachable", 1, [])


async def test_trunks_come_in_the_order_of_failover(plan, registered, execute):
    for id_, priority, weight in ((2, 0, 1), (3, 5, 1), (4, 0, 10)):
        await execute(
            "INSERT INTO trunks (id, account_id, name, host, priority, weight)"
            " VALUES (%s, 1, %s, '192.0.2.9', %s, %s)",
            id_,
            f"T{id_}",
            priority,
            weight,
        )
        await execute("INSERT INTO line_trunks VALUES (1, %s, %s)", id_, id_)
    await execute(
        "UPDATE trunks SET priority = 9, caller_id_mode = 'p_asserted_identity' WHERE id = 1"
    )
    await execute("UPDATE trunks SET privacy = 'id' WHERE id = 3")
    trunks = (await plan())["contact"]["trunks"]
    assert [trunk["trunk_id"] for trunk in trunks] == [4, 2, 3, 1]
    assert [trunk["shows"] for trunk in trunks] == [
        "+18552562001",
        "+18552562001",
        None,
        "+18552562001",
    ]
    assert trunks[-1]["headers"] == {"P-Asserted-Identity": "<sip:+18552562001@192.0.2.5>"}


async def test_a_search_without_an_end_is_cut_off(plan, account, add_user, execute, monkeypatch):
    monkeypatch.setattr("twoleg.calls.dry_run.MAX_STEPS", 2)
    for id_ in (2, 3, 4):
        await add_user(id_)
    await execute("UPDATE ring_groups SET strategy = 'longest_idle'")
    planned = await plan(GROUP)
    assert (len(planned["steps"]), planned["more_steps"]) == (2, True)
