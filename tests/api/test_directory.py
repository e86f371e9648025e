"""The directory over HTTP: what each kind of thing takes, gives and refuses."""

import base64
import hashlib
import re

import pytest

TRUNK = {"name": "Carrier", "host": "sip.example.com"}
USER = {"name": "Bob", "email": "bob@example.com"}
CONTACT = {"phone_number": "+1 (818) 127-6543"}
LINE = {"phone_number": "+18552562002"}
GROUP = {"name": "Support"}
TOKEN = {"name": "CRM"}
NEW = {
    "users": USER,
    "ring-groups": GROUP,
    "contacts": CONTACT,
    "lines": LINE,
    "trunks": TRUNK,
    "tokens": TOKEN,
}


@pytest.fixture
def make(client):
    """Make one thing; returns what the reply shows."""

    async def post(path, **fields):
        reply = await client.post(f"/api/v1/{path}", json=fields)
        assert reply.status_code == 201, reply.text
        return reply.json()

    return post


def errors_of(reply):
    assert reply.status_code == 422, reply.text
    assert reply.json()["message"] == "The given data was invalid."
    return reply.json()["errors"]


class TestEveryKind:
    @pytest.mark.parametrize(("path", "fields"), NEW.items())
    async def test_it_is_made_read_listed_changed_and_deleted(self, path, fields, account, client):
        made = await client.post(f"/api/v1/{path}", json=fields)
        assert made.status_code == 201
        where = made.headers["Location"]
        assert where == f"/api/v1/{path}/{made.json()['id']}"
        read = (await client.get(where)).json()
        assert read.items() <= made.json().items()
        assert read in (await client.get(f"/api/v1/{path}")).json()["data"]
        changed = await client.patch(where, json={"name": "Renamed"})
        assert changed.status_code == 200
        assert (await client.get(where)).json() == read | {"name": "Renamed"}
        assert (await client.delete(where)).status_code == 204
        assert (await client.get(where)).status_code == 404
        assert (await client.patch(where, json={})).status_code == 404
        assert (await client.delete(where)).status_code == 404
        listed = (await client.get(f"/api/v1/{path}")).json()["data"]
        assert made.json()["id"] not in [each["id"] for each in listed]

    @pytest.mark.parametrize(("path", "fields"), NEW.items())
    async def test_a_change_of_nothing_changes_nothing(self, path, fields, account, client):
        made = await client.post(f"/api/v1/{path}", json=fields)
        where = made.headers["Location"]
        before = (await client.get(where)).json()
        assert (await client.patch(where, json={})).status_code == 200
        assert (await client.get(where)).json() == before

    @pytest.mark.parametrize("path", NEW)
    async def test_an_unknown_field_is_named(self, path, account, client):
        reply = await client.post(f"/api/v1/{path}", json=NEW[path] | {"nmae": "x"})
        assert errors_of(reply) == {"nmae": ["The nmae field is not known here."]}

    @pytest.mark.parametrize("path", NEW)
    async def test_lists_come_in_pages_that_miss_and_double_nothing(self, path, account, client):
        for number in range(5):
            fields = dict(NEW[path])
            if path == "users":
                fields["email"] = f"bob{number}@example.com"
            if path == "lines":
                fields["phone_number"] = f"+1855256210{number}"
            assert (await client.post(f"/api/v1/{path}", json=fields)).status_code == 201
        whole = (await client.get(f"/api/v1/{path}", params={"limit": 200})).json()
        assert whole["next_cursor"] is None
        seen, cursor = [], None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(f"/api/v1/{path}", params=query)).json()
            seen += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            assert len(page["data"]) == 2
        assert seen == whole["data"]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"limit": "0"}, "limit"),
            ({"limit": "201"}, "limit"),
            ({"limit": "many"}, "limit"),
            ({"cursor": "%%"}, "cursor"),
            ({"cursor": "AAAA"}, "cursor"),
            ({"cursor": "__________8"}, "cursor"),
            ({"cursor": "\xe9"}, "cursor"),
        ],
    )
    async def test_a_page_that_cannot_be_is_refused_by_name(self, query, field, account, client):
        for path in NEW:
            reply = await client.get(f"/api/v1/{path}", params=query)
            assert list(errors_of(reply)) == [field]


class TestUsers:
    async def test_the_sip_password_is_shown_once_and_kept_as_digests(self, client, make, execute):
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

    async def test_what_phones_register_with_is_made_up_where_it_is_not_given(self, account, make):
        one = await make("users", **USER)
        other = await make("users", name="Bob", email="bob2@example.com")
        assert one["sip_username"].startswith("bob-")
        assert one["sip_username"] != other["sip_username"]
        assert len(one["sip_password"]) >= 20

    async def test_the_audio_of_a_users_phones_may_be_encrypted(self, client, make):
        made = await make("users", **USER)
        assert made["media_encryption"] == "none"
        where = f"/api/v1/users/{made['id']}"
        reply = await client.patch(where, json={"media_encryption": "sdes"})
        assert reply.json()["media_encryption"] == "sdes"
        reply = await client.patch(where, json={"media_encryption": "dtls"})
        assert list(errors_of(reply)) == ["media_encryption"]

    async def test_a_user_may_have_a_policy_of_screening_of_its_own(self, client, make):
        made = await make("users", **USER)
        assert made["screening"] is None
        where = f"/api/v1/users/{made['id']}"
        for policy in ("always", "trunk_only", "never", None):
            changed = await client.patch(where, json={"screening": policy})
            assert changed.json()["screening"] == policy
        refused = await client.patch(where, json={"screening": "perhaps"})
        assert list(errors_of(refused)) == ["screening"]

    async def test_a_new_username_or_a_null_password_makes_a_new_password(self, client, make):
        made = await make("users", **USER, sip_username="bob")
        where = f"/api/v1/users/{made['id']}"
        renamed = (await client.patch(where, json={"sip_username": "robert"})).json()
        assert renamed["sip_password"] not in (None, made["sip_password"])
        renewed = (await client.patch(where, json={"sip_password": None})).json()
        assert renewed["sip_password"] not in (None, renamed["sip_password"])
        kept = (await client.patch(where, json={"name": "R", "sip_username": "robert"})).json()
        assert kept["sip_password"] is None

    async def test_an_address_is_once_in_an_account_whatever_its_case(self, client, make):
        made = await make("users", **USER)
        taken = {"email": ["The email has already been taken."]}
        again = {"name": "B", "email": "BOB@example.com"}
        assert errors_of(await client.post("/api/v1/users", json=again)) == taken
        reply = await client.patch("/api/v1/users/1", json={"email": "bob@example.com"})
        assert errors_of(reply) == taken
        await client.delete(f"/api/v1/users/{made['id']}")
        assert (await client.post("/api/v1/users", json=again)).status_code == 201

    async def test_a_sip_username_is_once_in_the_service(self, client, make):
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

    async def test_values_that_cannot_be_are_refused_by_name(self, account, client):
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

    async def test_registered_phones_are_shown_while_they_last(self, account, client, execute):
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

    async def test_one_that_a_call_has_is_busy(self, account, client, execute):
        assert (await client.get("/api/v1/users/1")).json()["busy"] is False
        await execute(
            "WITH made AS (INSERT INTO calls (account_id, source, contact_phone_number,"
            " line_phone_number) VALUES (%s, 'api', '+1', '+1') RETURNING id)"
            " INSERT INTO reservations (user_id, call_id) SELECT 1, id FROM made",
            account.id,
        )
        assert (await client.get("/api/v1/users/1")).json()["busy"] is True

    async def test_one_that_is_deleted_leaves_its_groups(self, account, client):
        fallback = {"name": "F", "user_ids": [], "fallback": {"user_id": 1}}
        await client.post("/api/v1/ring-groups", json=fallback)
        assert (await client.delete("/api/v1/users/1")).status_code == 204
        for group in (await client.get("/api/v1/ring-groups")).json()["data"]:
            assert (group["user_ids"], group["fallback"]) == ([], None)

    async def test_a_list_is_filtered(self, account, client, make):
        bob = await make("users", **USER, availability="away")
        for query in ({"name": "BO"}, {"email": "Bob@example.com"}, {"availability": "away"}):
            listed = (await client.get("/api/v1/users", params=query)).json()["data"]
            assert [each["id"] for each in listed] == [bob["id"]]
        assert (await client.get("/api/v1/users", params={"name": "%"})).json()["data"] == []


class TestRingGroups:
    async def test_users_stay_in_the_order_that_was_given(self, account, client, make):
        ids = [
            (await make("users", name=str(n), email=f"u{n}@example.com"))["id"] for n in range(3)
        ]
        order = [ids[2], 1, ids[0], ids[1]]
        group = await make("ring-groups", **GROUP, user_ids=order, strategy="in_order")
        assert group["user_ids"] == order
        where = f"/api/v1/ring-groups/{group['id']}"
        changed = (await client.patch(where, json={"user_ids": [str(ids[1]), 1]})).json()
        assert changed["user_ids"] == [ids[1], 1]
        listed = (await client.get("/api/v1/ring-groups", params={"user_id": ids[1]})).json()
        assert [each["id"] for each in listed["data"]] == [group["id"]]

    async def test_values_that_cannot_be_are_refused_and_nothing_is_written(
        self, account, client, execute
    ):
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

    async def test_it_says_how_many_calls_wait_and_when_its_users_are_free(
        self, account, client, execute
    ):
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

    async def test_queue_wrap_up_and_a_number_behind_it_are_kept(self, account, client, make):
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

    async def test_one_is_no_fallback_of_itself(self, account, client):
        fallback = {"fallback": {"ring_group_id": 1}}
        reply = await client.patch("/api/v1/ring-groups/1", json=fallback)
        assert list(errors_of(reply)) == ["fallback"]

    async def test_a_deleted_one_is_no_fallback_any_more(self, account, client, make):
        other = await make("ring-groups", **GROUP, fallback={"ring_group_id": 1})
        assert other["fallback"] == {"ring_group_id": 1}
        await client.delete("/api/v1/ring-groups/1")
        read = await client.get(f"/api/v1/ring-groups/{other['id']}")
        assert read.json()["fallback"] is None


class TestContacts:
    async def test_numbers_are_kept_as_e164_the_main_one_first(self, account, make):
        made = await make(
            "contacts", phone_number="+1 818 127 6543", phone_numbers=["+44 20 7946 0958"]
        )
        assert made["phone_number"] == "+18181276543"
        assert made["phone_numbers"] == ["+18181276543", "+442079460958"]

    async def test_the_first_number_is_the_main_one_where_none_is_named(self, account, make):
        made = await make("contacts", phone_numbers=["+442079460958", "+18181276543"])
        assert made["phone_number"] == "+442079460958"

    async def test_a_contact_without_a_number_is_refused(self, account, client):
        reply = await client.post("/api/v1/contacts", json={"name": "C"})
        assert errors_of(reply) == {"phone_number": ["The phone_number field is required."]}

    async def test_numbers_are_replaced_as_a_whole_and_a_main_one_is_added(self, account, client):
        where = f"/api/v1/contacts/{account.contact_id}"
        added = await client.patch(where, json={"phone_number": "+18181276599"})
        assert added.json()["phone_numbers"] == ["+18181276599", account.contact_phone_number]
        fewer = await client.patch(where, json={"phone_numbers": ["+18181276500"]})
        assert fewer.json()["phone_number"] == "+18181276500"
        assert fewer.json()["phone_numbers"] == ["+18181276500"]

    async def test_numbers_are_bounded_however_they_are_added(self, account, client):
        where = f"/api/v1/contacts/{account.contact_id}"
        numbers = [f"+181812765{n:02}" for n in range(20)]
        assert (await client.patch(where, json={"phone_numbers": numbers})).status_code == 200
        reply = await client.patch(where, json={"phone_number": "+18181276599"})
        assert list(errors_of(reply)) == ["phone_numbers"]

    async def test_attributes_are_merged_and_null_removes(self, account, client):
        where = f"/api/v1/contacts/{account.contact_id}"
        for patch in ({"a": 1, "b": {"c": 1}}, {"a": None, "b": {"d": "x"}}):
            reply = await client.patch(where, json={"attributes": patch})
        assert reply.json()["attributes"] == {"b": {"c": 1, "d": "x"}}

    async def test_attributes_cannot_grow_without_bound_by_small_changes(self, account, client):
        where = f"/api/v1/contacts/{account.contact_id}"
        for name in ("a", "b"):
            reply = await client.patch(where, json={"attributes": {name: "x" * 5000}})
        assert list(errors_of(reply)) == ["attributes"]
        assert list((await client.get(where)).json()["attributes"]) == ["a"]

    async def test_values_that_cannot_be_are_refused_by_name(self, account, client):
        for fields, field in (
            ({"phone_number": "911"}, "phone_number"),
            ({"phone_number": None}, "phone_number"),
            ({"phone_numbers": []}, "phone_numbers"),
            ({"phone_numbers": ["x"]}, "phone_numbers.0"),
            ({"time_zone": "Mars/Olympus"}, "time_zone"),
            ({"language": "e"}, "language"),
            ({"opted_out": "perhaps"}, "opted_out"),
            ({"attributes": []}, "attributes"),
            ({"attributes": {"a": "\0"}}, "attributes"),
        ):
            for reply in (
                await client.post("/api/v1/contacts", json=CONTACT | fields),
                await client.patch(f"/api/v1/contacts/{account.contact_id}", json=fields),
            ):
                assert list(errors_of(reply)) == [field], fields

    async def test_a_list_is_filtered_by_any_number(self, account, client, make):
        made = await make("contacts", phone_numbers=["+18181276500", "+18181276501"], name="Zoe")
        for query in (
            {"phone_number": "+18181276501"},
            {"phone_number": "1 818 127 6500"},
            {"name": "zo"},
        ):
            listed = (await client.get("/api/v1/contacts", params=query)).json()["data"]
            assert [each["id"] for each in listed] == [made["id"]]
        await client.patch(f"/api/v1/contacts/{made['id']}", json={"opted_out": True})
        listed = (await client.get("/api/v1/contacts", params={"opted_out": "true"})).json()
        assert [each["id"] for each in listed["data"]] == [made["id"]]


class TestLines:
    async def test_the_country_is_the_numbers_own_or_the_one_its_number_is_dialled_in(
        self, account, make
    ):
        german = await make("lines", phone_number="+49 30 901820")
        assert (german["phone_number"], german["country"]) == ("+4930901820", "DE")
        british = await make("lines", phone_number="020 7946 0958", country="gb", trunk_ids=[1])
        assert (british["phone_number"], british["country"]) == ("+442079460958", "GB")
        assert british["trunk_ids"] == [1]

    async def test_a_number_is_once_in_an_account(self, account, client):
        reply = await client.post("/api/v1/lines", json={"phone_number": "+1 855 256 2001"})
        assert errors_of(reply) == {"phone_number": ["The phone_number has already been taken."]}

    async def test_trunks_stay_in_the_order_that_was_given(self, account, client, make):
        other = await make("trunks", **TRUNK)
        order = [other["id"], 1]
        reply = await client.patch("/api/v1/lines/1", json={"trunk_ids": order})
        assert reply.json()["trunk_ids"] == order
        await client.delete(f"/api/v1/trunks/{other['id']}")
        assert (await client.get("/api/v1/lines/1")).json()["trunk_ids"] == [1]
        listed = await client.get("/api/v1/lines", params={"trunk_id": other["id"]})
        assert listed.json()["data"] == []

    async def test_values_that_cannot_be_are_refused_by_name(self, account, client):
        for fields, field in (
            ({"phone_number": "12345"}, "phone_number"),
            ({"phone_number": ""}, "phone_number"),
            ({"phone_number": "+80012345678"}, None),
            ({"country": "XX"}, "country"),
            ({"trunk_ids": [9]}, "trunk_ids"),
            ({"trunk_ids": [1, 1]}, "trunk_ids"),
            ({"trunk_ids": [-1]}, "trunk_ids.0"),
        ):
            reply = await client.post("/api/v1/lines", json=LINE | fields)
            assert list(errors_of(reply)) == [field or "country"]


class TestTrunks:
    async def test_the_password_can_be_written_and_never_read(self, client, make, execute):
        made = await make(
            "trunks", **TRUNK, username="acc", password="secret-words", register=True, port="5080"
        )
        assert made["register"] is True
        assert made["port"] == 5080
        where = f"/api/v1/trunks/{made['id']}"
        for reply in (
            await client.get(where),
            await client.patch(where, json={"name": "N"}),
            await client.get("/api/v1/trunks"),
        ):
            assert "password" not in reply.text
            assert "secret-words" not in reply.text
        [(kept,)] = await execute("SELECT password FROM trunks WHERE id = %s", made["id"])
        assert kept == "secret-words"

    async def test_every_field_comes_back_as_it_was_given(self, account, make):
        fields = {
            "name": "PBX",
            "host": "192.0.2.7",
            "port": 5061,
            "transport": "tls",
            "from_domain": "example.com",
            "max_calls": 10,
            "calls_per_second": 2,
            "caller_id_mode": "p_asserted_identity",
            "privacy": "id",
            "number_format": "national",
            "dial_prefix": "9",
            "codecs": ["G722", "PCMA"],
            "priority": 2,
            "weight": 5,
        }
        assert fields.items() <= (await make("trunks", **fields)).items()

    async def test_audio_is_encrypted_only_where_sip_hides_the_keys(self, account, client, make):
        made = await make(
            "trunks", name="T", host="sip.example.com", transport="tls", media_encryption="sdes"
        )
        assert made["media_encryption"] == "sdes"
        reply = await client.patch(f"/api/v1/trunks/{made['id']}", json={"transport": "tcp"})
        [text] = errors_of(reply)["media_encryption"]
        assert text.endswith("Set transport to tls too.")
        both = {"transport": "tcp", "media_encryption": "none"}
        reply = await client.patch(f"/api/v1/trunks/{made['id']}", json=both)
        assert both.items() <= reply.json().items()

    async def test_the_transport_and_the_host_are_read_whatever_their_case(self, account, make):
        made = await make("trunks", name="T", host="SIP.Example.com", transport="UDP")
        assert (made["host"], made["transport"]) == ("sip.example.com", "udp")

    async def test_a_change_of_how_it_is_reached_makes_its_state_unknown(
        self, account, client, execute
    ):
        await execute("UPDATE trunks SET state = 'registered'")
        await client.patch("/api/v1/trunks/1", json={"name": "N"})
        assert (await client.get("/api/v1/trunks/1")).json()["state"] == "registered"
        await client.patch("/api/v1/trunks/1", json={"host": "192.0.2.9"})
        assert (await client.get("/api/v1/trunks/1")).json()["state"] == "unknown"

    async def test_values_that_cannot_be_are_refused_by_name(self, account, client):
        for fields, field in (
            ({"host": "sip:example.com"}, "host"),
            ({"host": "example.com:5060"}, "host"),
            ({"host": "a..b"}, "host"),
            ({"host": ""}, "host"),
            ({"port": 0}, "port"),
            ({"port": 70000}, "port"),
            ({"port": 5060.5}, "port"),
            ({"transport": "sctp"}, "transport"),
            ({"transport": 5}, "transport"),
            ({"register": True}, "username"),
            ({"register": True, "username": "a"}, "password"),
            ({"password": "a"}, "username"),
            ({"caller_id_mode": "x"}, "caller_id_mode"),
            ({"number_format": "x"}, "number_format"),
            ({"privacy": "full"}, "privacy"),
            ({"dial_prefix": "9,"}, "dial_prefix"),
            ({"dial_prefix": "1" * 16}, "dial_prefix"),
            ({"codecs": []}, "codecs"),
            ({"codecs": ["OPUS"]}, "codecs.0"),
            ({"codecs": ["PCMU", "PCMU"]}, "codecs"),
            ({"weight": -1}, "weight"),
            ({"media_encryption": "zrtp"}, "media_encryption"),
            ({"media_encryption": "sdes"}, "media_encryption"),
            ({"state": "registered"}, "state"),
        ):
            for reply in (
                await client.post("/api/v1/trunks", json=TRUNK | fields),
                await client.patch("/api/v1/trunks/1", json=fields),
            ):
                assert list(errors_of(reply)) == [field], fields


class TestTokens:
    async def test_a_token_works_at_once_is_shown_once_and_ends_when_it_is_revoked(
        self, anonymous, client, make
    ):
        made = await make("tokens", **TOKEN)
        own = {"Authorization": f"Bearer {made['token']}"}
        assert (await anonymous.get("/api/v1/users", headers=own)).status_code == 200
        assert made["token"] not in (await client.get("/api/v1/tokens")).text
        await client.delete(f"/api/v1/tokens/{made['id']}")
        assert (await anonymous.get("/api/v1/users", headers=own)).status_code == 401

    async def test_a_token_does_only_what_its_scopes_say(self, anonymous, account, make):
        made = await make("tokens", **TOKEN, scopes=["directory:read"])
        basic = base64.b64encode(f"x:{made['token']}".encode()).decode()
        own = {"Authorization": f"Basic {basic}"}
        assert (await anonymous.get("/api/v1/users", headers=own)).status_code == 200
        for method, path in (
            ("POST", "users"),
            ("DELETE", "users/1"),
            ("GET", "calls"),
            ("GET", "tokens"),
            ("PATCH", "account"),
        ):
            body = USER if method == "POST" else {} if method == "PATCH" else None
            reply = await anonymous.request(method, f"/api/v1/{path}", json=body, headers=own)
            assert reply.status_code == 403
            assert "does not have the scope" in reply.json()["message"]

    async def test_a_token_of_an_admin_does_everything(self, anonymous, account, make):
        made = await make("tokens", **TOKEN, scopes=["admin"])
        own = {"Authorization": f"Bearer {made['token']}"}
        assert (await anonymous.get("/api/v1/tokens", headers=own)).status_code == 200
        call = {"user_id": 1, "contact_id": 1234, "line_id": 1}
        path = "/api/v1/webhook/two-legged-call"
        assert (await anonymous.post(path, json=call, headers=own)).status_code == 202

    async def test_values_that_cannot_be_are_refused_by_name(self, account, client):
        for fields, field in (
            ({"scopes": ["everything"]}, "scopes.0"),
            ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
            ({"expires_at": "tomorrow"}, "expires_at"),
            ({"expires_at": "2999-01-01T00:00:00"}, "expires_at"),
            ({"token": "mine"}, "token"),
        ):
            reply = await client.post("/api/v1/tokens", json=TOKEN | fields)
            assert list(errors_of(reply)) == [field], fields

    async def test_a_time_of_expiry_comes_back_in_utc(self, account, make):
        made = await make("tokens", **TOKEN, expires_at="2999-01-01T02:00:00+02:00")
        assert made["expires_at"] == "2999-01-01T00:00:00.000Z"


class TestAccount:
    async def test_settings_are_read_and_changed_one_by_one(self, account, client):
        assert (await client.get("/api/v1/account")).json()["max_calls"] == 100
        change = {
            "max_calls": 7,
            "allowed_countries": ["us", "CA"],
            "quiet_hours": {"start": "21:00", "end": "08:00"},
            "time_zone": "America/Los_Angeles",
            "wrap_up_seconds": 15,
        }
        changed = (await client.patch("/api/v1/account", json=change)).json()
        assert changed["allowed_countries"] == ["US", "CA"]
        assert changed["quiet_hours"] == change["quiet_hours"]
        assert changed["calls_per_second"] == 50
        assert changed["wrap_up_seconds"] == 15
        nulls = {"quiet_hours": None, "allowed_countries": None}
        cleared = (await client.patch("/api/v1/account", json=nulls)).json()
        assert (cleared["quiet_hours"], cleared["allowed_countries"]) == (None, None)
        assert cleared["max_calls"] == 7

    async def test_values_that_cannot_be_are_refused_by_name(self, account, client):
        for fields, field in (
            ({"max_calls": -1}, "max_calls"),
            ({"max_calls": None}, "max_calls"),
            ({"screening": "sometimes"}, "screening"),
            ({"recording": True}, "recording"),
            ({"wrap_up_seconds": 3601}, "wrap_up_seconds"),
            ({"quiet_hours": {"start": "25:00", "end": "08:00"}}, "quiet_hours.start"),
            ({"quiet_hours": {"start": "21:00"}}, "quiet_hours.end"),
            ({"allowed_countries": ["Utopia"]}, "allowed_countries.0"),
            ({"time_zone": "Nowhere"}, "time_zone"),
            ({"id": 2}, "id"),
        ):
            assert list(errors_of(await client.patch("/api/v1/account", json=fields))) == [field], (
                fields
            )


class TestNumbersOfAgents:
    """Agents are rung at numbers that the account may call, and at no other."""

    @pytest.mark.parametrize(
        ("number", "reason"),
        [
            ("+493012345678", "destination_not_allowed"),
            ("+19005550100", "destination_not_allowed"),
            ("+18552562001", "own_number"),
        ],
    )
    async def test_one_that_may_not_be_dialled_is_refused(self, number, reason, account, client):
        await client.patch("/api/v1/account", json={"allowed_countries": ["US"]})
        user = USER | {"phone_number": number}
        fallback = {"fallback": {"phone_number": number}}
        for method, path, body, field in (
            ("POST", "users", user, "phone_number"),
            ("PATCH", "users/1", {"phone_number": number}, "phone_number"),
            ("POST", "ring-groups", {"name": "G"} | fallback, "fallback.phone_number"),
            ("PATCH", "ring-groups/1", fallback, "fallback.phone_number"),
        ):
            reply = await client.request(method, f"/api/v1/{path}", json=body)
            assert (reply.status_code, list(errors_of(reply))) == (422, [field]), path
            assert reply.json()["reason"] == reason

    async def test_one_of_an_allowed_country_is_kept_and_can_be_taken_away(self, account, client):
        await client.patch("/api/v1/account", json={"allowed_countries": ["DE"]})
        for number in ("+493012345678", None):
            reply = await client.patch("/api/v1/users/1", json={"phone_number": number})
            assert (reply.status_code, reply.json()["phone_number"]) == (200, number)
