"""Users: what their phones register with, and what is shown of them."""

import hashlib
import re

from api.directory.bodies import USER, errors_of


async def test_the_sip_password_is_shown_once_and_kept_as_digests(client, make, execute):
    made = await make("users", **USER, sip_username="bob", sip_password="secret words")
    assert made["sip_password"] == "secret words"
    read = (await client.get(f"/api/v1/users/{made['id']}")).json()
    assert "sip_password" not in read
    [(row,)] = await execute("SELECT users::text FROM users WHERE id = %s", made["id"])
    assert "secret words" not in row
    [(ha1,)] = await execute("SELECT sip_ha1 FROM users WHERE id = %s", made["id"])
    # RFC 7616 3.4.2: user name, realm and password.
    text = b"bob:twoleg:secret words"
    assert ha1["MD5"] == hashlib.md5(text).hexdigest()
    assert ha1["SHA-256"] == hashlib.sha256(text).hexdigest()


async def test_what_phones_register_with_is_made_up_where_it_is_not_given(account, make):
    one = await make("users", **USER)
    other = await make("users", name="Bob", email="bob2@example.com")
    assert one["sip_username"].startswith("bob-")
    assert one["sip_username"] != other["sip_username"]
    assert len(one["sip_password"]) >= 20


async def test_the_audio_of_a_users_phones_may_be_encrypted(client, make):
    made = await make("users", **USER)
    assert made["media_encryption"] == "none"
    where = f"/api/v1/users/{made['id']}"
    reply = await client.patch(where, json={"media_encryption": "sdes"})
    assert reply.json()["media_encryption"] == "sdes"
    reply = await client.patch(where, json={"media_encryption": "dtls"})
    assert list(errors_of(reply)) == ["media_encryption"]


async def test_a_user_may_have_a_policy_of_screening_of_its_own(client, make):
    made = await make("users", **USER)
    assert made["screening"] is None
    where = f"/api/v1/users/{made['id']}"
    for policy in ("always", "trunk_only", "never", None):
        changed = await client.patch(where, json={"screening": policy})
        assert changed.json()["screening"] == policy
    refused = await client.patch(where, json={"screening": "perhaps"})
    assert list(errors_of(refused)) == ["screening"]


async def test_a_new_username_or_a_null_password_makes_a_new_password(client, make):
    made = await make("users", **USER, sip_username="bob")
    where = f"/api/v1/users/{made['id']}"
    renamed = (await client.patch(where, json={"sip_username": "robert"})).json()
    assert renamed["sip_password"] not in (None, made["sip_password"])
    renewed = (await client.patch(where, json={"sip_password": None})).json()
    assert renewed["sip_password"] not in (None, renamed["sip_password"])
    kept = (await client.patch(where, json={"name": "R", "sip_username": "robert"})).json()
    assert kept["sip_password"] is None


async def test_an_address_is_once_in_an_account_whatever_its_case(client, make):
    made = await make("users", **USER)
    taken = {"email": ["The email has already been taken."]}
    again = {"name": "B", "email": "BOB@example.com"}
    assert errors_of(await client.post("/api/v1/users", json=again)) == taken
    reply = await client.patch("/api/v1/users/1", json={"email": "bob@example.com"})
    assert errors_of(reply) == taken
    await client.delete(f"/api/v1/users/{made['id']}")
    assert (await client.post("/api/v1/users", json=again)).status_code == 201


async def test_a_sip_username_is_once_in_the_service(client, make):
    await make("users", **USER, sip_username="bob")
    again = {"name": "B", "email": "b@example.com", "sip_username": "Bob"}
    [text] = errors_of(await client.post("/api/v1/users", json=again))["sip_username"]
    assert "taken" not in text
    suggested = re.search(r"bob-[a-z0-9]+", text)[0]
    made = await client.patch("/api/v1/users/2", json={"sip_username": suggested})
    assert made.json()["sip_username"] == suggested
    [text] = errors_of(await client.patch("/api/v1/users/1", json={"sip_username": suggested}))[
        "sip_username"
    ]
    assert "bob" in text


async def test_values_that_cannot_be_are_refused_by_name(account, client):
    for fields, field in (
        ({"email": "bob"}, "email"),
        ({"email": None}, "email"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 5}, "name"),
        ({"phone_number": "12"}, "phone_number"),
        ({"phone_number": "8181234567"}, "phone_number"),
        ({"availability": "gone"}, "availability"),
        ({"sip_username": "a b"}, "sip_username"),
        ({"sip_username": "a@b"}, "sip_username"),
        ({"sip_password": ""}, "sip_password"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x" * 201}, "name"),
    ):
        for reply in (
            await client.post("/api/v1/users", json=USER | fields),
            await client.patch("/api/v1/users/1", json=fields),
        ):
            assert list(errors_of(reply)) == [field], fields


async def test_registered_phones_are_shown_while_they_last(account, client, execute):
    await execute(
        "INSERT INTO bindings (user_id, contact_uri, call_id, cseq, user_agent, expires_at)"
        " VALUES (1, 'sip:alice@192.0.2.10', 'x', 1, 'Phone/1', now() + interval '1 minute'),"
        " (1, 'sip:alice@192.0.2.11', 'y', 1, NULL, now() - interval '1 minute')"
    )
    assert (await client.get("/api/v1/users/1")).json()["registered"] is True
    [phone] = (await client.get("/api/v1/users/1/endpoints")).json()["data"]
    assert phone["contact_uri"] == "sip:alice@192.0.2.10"
    assert phone["user_agent"] == "Phone/1"
    await client.patch("/api/v1/users/1", json={"sip_password": None})
    assert (await client.get("/api/v1/users/1")).json()["registered"] is False
    assert (await client.get("/api/v1/users/1/endpoints")).json() == {"data": []}


async def test_one_that_a_call_has_is_busy(account, client, execute):
    assert (await client.get("/api/v1/users/1")).json()["busy"] is False
    await execute(
        "WITH made AS (INSERT INTO calls (account_id, source, contact_phone_number,"
        " line_phone_number) VALUES (%s, 'api', '+1', '+1') RETURNING id)"
        " INSERT INTO reservations (user_id, call_id) SELECT 1, id FROM made",
        account.id,
    )
    assert (await client.get("/api/v1/users/1")).json()["busy"] is True


async def test_one_that_is_deleted_leaves_its_groups(account, client):
    fallback = {"name": "F", "user_ids": [], "fallback": {"user_id": 1}}
    await client.post("/api/v1/ring-groups", json=fallback)
    assert (await client.delete("/api/v1/users/1")).status_code == 204
    for group in (await client.get("/api/v1/ring-groups")).json()["data"]:
        assert (group["user_ids"], group["fallback"]) == ([], None)


async def test_a_list_is_filtered(account, client, make):
    bob = await make("users", **USER, availability="away")
    for query in ({"name": "BO"}, {"email": "Bob@example.com"}, {"availability": "away"}):
        listed = (await client.get("/api/v1/users", params=query)).json()["data"]
        assert [each["id"] for each in listed] == [bob["id"]]
    assert (await client.get("/api/v1/users", params={"name": "%"})).json()["data"] == []
