"""The contract: its vectors as they stand in the shared file, and the rules beside them."""

import asyncio
import base64
import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from call_contract import ACCEPTED, CONTRACT, PATH, with_token
from psycopg.types.json import Jsonb

ENOUGH = {"user_id": 1, "contact_id": 1234, "line_id": 1}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UNAUTHENTICATED = {"message": "Unauthenticated."}


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[each["name"] for each in cases])


@named(CONTRACT["accepted"]["requests"])
async def test_a_request_of_the_contract_is_accepted(case, account, anonymous, execute):
    reply = await anonymous.request(
        CONTRACT["method"],
        PATH,
        json=with_token(case["body"], account.token),
        headers={"Accept": "application/json"},
    )
    assert reply.status_code == CONTRACT["accepted"]["status"]
    assert reply.json() == CONTRACT["accepted"]["body"]
    [(call_id, status)] = await execute("SELECT id, status FROM calls")
    assert status == "queued"
    assert reply.headers["Location"] == f"/api/v1/calls/{call_id}"


@named(CONTRACT["accepted"]["requests"])
@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
async def test_a_request_of_the_contract_is_accepted_as_a_form(case, form, account, anonymous):
    fields = {name: str(value) for name, value in with_token(case["body"], account.token).items()}
    body = {"data": fields}
    if form == "multipart":
        body = {"files": {name: (None, value) for name, value in fields.items()}}
    reply = await anonymous.post(PATH, **body)
    assert (reply.status_code, reply.json()) == ACCEPTED


@named(CONTRACT["rejected"]["cases"])
async def test_a_request_of_the_contract_is_rejected(case, account, anonymous):
    reply = await anonymous.post(PATH, json=with_token(case["request"], account.token))
    assert reply.status_code == CONTRACT["rejected"]["status"]
    # The order of the fields counts too.
    assert reply.text == json.dumps(case["body"], separators=(",", ":"))


async def test_what_was_accepted_is_stored_as_asked(account, client, execute):
    body = ENOUGH | {"ring_group_id": "1", "user_phone_number": "(818) 123-4567"}
    await client.post(PATH, json=body)
    assert await execute(
        "SELECT source, user_id, ring_group_id, contact_id, line_id, user_phone_number,"
        " contact_phone_number, line_phone_number, sequence FROM calls"
    ) == [
        ("webhook", 1, 1, 1234, 1, "+18181234567", "+18181276544", "+18552562001", 1),
    ]
    events = "SELECT sequence, type FROM call_events WHERE call_id > 0"
    assert await execute(events) == [(1, "call.queued")]


class TestToken:
    @pytest.mark.parametrize(
        "authorization",
        [
            "Bearer {token}",
            "bearer {token}",
            "Basic " + base64.b64encode(b"anyone:token-of-the-first-account").decode(),
        ],
    )
    async def test_it_may_stand_in_the_authorization_header(
        self, authorization, account, anonymous
    ):
        headers = {"Authorization": authorization.format(token=account.token)}
        reply = await anonymous.post(PATH, json=ENOUGH, headers=headers)
        assert reply.status_code == 202

    async def test_the_query_string_is_looked_at_first_and_then_the_body(self, account, client):
        body = ENOUGH | {"api_token": account.token}
        good, wrong = {"api_token": account.token}, {"api_token": "wrong"}
        assert (await client.post(PATH, params=good, json=body)).status_code == 202
        assert (await client.post(PATH, params=wrong, json=body)).status_code == 401
        assert (await client.post(PATH, json=ENOUGH | wrong)).status_code == 401

    async def test_an_empty_one_is_passed_over(self, account, client):
        reply = await client.post(f"{PATH}?api_token=", json=ENOUGH | {"api_token": " "})
        assert reply.status_code == 202

    @pytest.mark.parametrize(
        "token", [None, "", "unknown", 5, ["x"], {"a": 1}, "\ud800", "\0", "x" * 10_000]
    )
    async def test_a_missing_or_unknown_one_is_401(self, token, account, anonymous):
        body = json.dumps(ENOUGH | {"api_token": token})
        headers = {"Content-Type": "application/json"}
        reply = await anonymous.post(PATH, content=body, headers=headers)
        assert (reply.status_code, reply.json()) == (401, UNAUTHENTICATED)

    @pytest.mark.parametrize(
        "header", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"x").decode(), "Digest x"]
    )
    async def test_an_authorization_header_that_holds_none_is_401(self, header, account, anonymous):
        reply = await anonymous.post(PATH, json=ENOUGH, headers={"Authorization": header})
        assert reply.status_code == 401

    async def test_it_stops_working_the_moment_it_is_revoked_or_expires(
        self, account, client, execute
    ):
        assert (await client.post(PATH, json=ENOUGH)).status_code == 202
        await execute("UPDATE tokens SET expires_at = now()")
        assert (await client.post(PATH, json=ENOUGH)).status_code == 401
        await execute("UPDATE tokens SET expires_at = NULL, deleted_at = now()")
        assert (await client.post(PATH, json=ENOUGH)).status_code == 401

    async def test_one_that_may_not_place_calls_is_403(self, account, client, execute):
        await execute("UPDATE tokens SET scopes = '{calls:read}'")
        reply = await client.post(PATH, json=ENOUGH)
        assert reply.status_code == 403
        assert reply.json() == {"message": "This token does not have the scope calls:write."}


class TestFields:
    async def test_fields_of_the_query_string_stand_behind_those_of_the_body(
        self, account, client, execute
    ):
        query = {"user_id": "77", "contact_id": "1234", "line_id": "1"}
        assert (await client.post(PATH, params=query, json={"user_id": 1})).status_code == 202
        assert await execute("SELECT user_id FROM calls") == [(1,)]

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/json", b'{"user_id": 1'),
            ("application/json", b"[1, 2]"),
            ("application/json", b'{"user_id": NaN}'),
            ("application/json", b"\xff\xfe"),
            ("application/json", b"[" * 100_000),
            ("application/json", b'{"user_id": ' + b"9" * 10_000 + b"}"),
            ("application/json", b""),
            ("text/plain", b'{"user_id": 1}'),
            ("multipart/form-data", b"no boundary"),
            ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
            ("application/x-www-form-urlencoded", b"user_id=%ff&" * 2000),
            ("", b"user_id"),
        ],
    )
    async def test_a_body_that_cannot_be_read_is_an_empty_one(
        self, content_type, body, account, client
    ):
        headers = {"Content-Type": content_type, "Accept": "text/html"}
        reply = await client.post(PATH, content=body, headers=headers)
        assert reply.status_code == 422
        assert reply.json() == CONTRACT["rejected"]["cases"][0]["body"]

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            (
                "application/x-www-form-urlencoded",
                b"user_id=1&contact_id=1234&line_id=1&n=M%fcller&m=M\xfcller",
            ),
            (
                "multipart/form-data; boundary=x",
                b"".join(
                    b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % field
                    for field in (
                        (b"user_id", b"1"), (b"contact_id", b"1234"), (b"line_id", b"1"),
                        (b"n", b"M\xfcller"),
                    )
                )
                + b"--x--\r\n",
            ),
        ],
        ids=["form", "multipart"],
    )  # fmt: skip
    async def test_a_field_of_another_encoding_than_utf_8_spoils_no_other(
        self, content_type, body, account, client
    ):
        headers = {"Content-Type": content_type}
        assert (await client.post(PATH, content=body, headers=headers)).status_code == 202

    async def test_a_form_need_not_be_ascii(self, account, client, execute):
        form = {"user_id": "1", "line_id": "1", "contact_phone_number": "+1\u00a0818\u00a0127 6543"}
        assert (await client.post(PATH, data=form)).status_code == 202
        assert (
            await client.post(PATH, params={"name": "M\u00fcller"}, data=form)
        ).status_code == 202
        numbers = await execute("SELECT DISTINCT contact_phone_number FROM calls")
        assert numbers == [("+18181276543",)]

    async def test_what_is_not_there_is_invalid_and_all_of_it_is_told_at_once(
        self, account, client
    ):
        body = {"user_id": 9, "ring_group_id": 9, "contact_id": 9, "line_id": 9}
        reply = await client.post(PATH, json=body)
        assert reply.status_code == 422
        assert list(reply.json()["errors"].items()) == [
            ("contact_id", ["The selected contact_id is invalid."]),
            ("line_id", ["The selected line_id is invalid."]),
            ("user_id", ["The selected user_id is invalid."]),
            ("ring_group_id", ["The selected ring_group_id is invalid."]),
        ]

    async def test_errors_of_every_kind_stand_together(self, account, client):
        body = {"user_id": "1.0", "contact_phone_number": "abc", "line_id": 9}
        reply = await client.post(PATH, json=body)
        assert reply.json()["errors"] == {
            "contact_phone_number": [
                "The contact_phone_number field must be a valid phone number."
            ],
            "line_id": ["The selected line_id is invalid."],
            "user_id": ["The user_id must be an integer."],
        }

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            ("+18552562999", "The selected line_phone_number is invalid."),
            ("855 256 2999", "The selected line_phone_number is invalid."),
            ("+1", "The line_phone_number field must be a valid phone number."),
            ("line", "The line_phone_number field must be a valid phone number."),
        ],
    )
    async def test_a_line_number_that_is_not_the_accounts(self, number, text, account, client):
        body = {"user_id": 1, "contact_id": 1234, "line_phone_number": number}
        reply = await client.post(PATH, json=body)
        assert reply.json()["errors"] == {"line_phone_number": [text]}

    async def test_a_line_number_may_be_written_as_at_home(self, account, client, execute):
        body = {"user_id": 1, "contact_id": 1234, "line_phone_number": "(855) 256-2001"}
        assert (await client.post(PATH, json=body)).status_code == 202
        assert await execute("SELECT line_id FROM calls") == [(1,)]

    async def test_line_id_and_number_must_name_one_line(self, account, client, execute):
        await execute(
            "INSERT INTO lines (account_id, phone_number, country) VALUES (%s, %s, 'US')",
            account.id,
            "+18552562002",
        )
        reply = await client.post(PATH, json=ENOUGH | {"line_phone_number": "+18552562002"})
        assert reply.json()["errors"] == {
            "line_phone_number": ["The selected line_phone_number is invalid."]
        }

    async def test_a_users_number_that_is_none(self, account, client):
        reply = await client.post(PATH, json=ENOUGH | {"user_phone_number": "12"})
        assert reply.json()["errors"] == {
            "user_phone_number": ["The user_phone_number field must be a valid phone number."]
        }

    async def test_things_of_another_account_do_not_exist(self, account, anonymous, add_account):
        other = await add_account(token="token-of-another-account")
        body = ENOUGH | {"ring_group_id": 1, "api_token": other.token}
        reply = await anonymous.post(PATH, json=body)
        assert sorted(reply.json()["errors"]) == [
            "contact_id",
            "line_id",
            "ring_group_id",
            "user_id",
        ]

    @pytest.mark.parametrize("table", ["users", "ring_groups", "contacts", "lines"])
    async def test_deleted_things_do_not_exist(self, table, account, client, execute):
        await execute(f"UPDATE {table} SET deleted_at = now()")
        field = table[:-1] + "_id"
        reply = await client.post(PATH, json=ENOUGH | {"ring_group_id": 1})
        assert reply.json()["errors"] == {field: [f"The selected {field} is invalid."]}


class TestContact:
    async def test_an_unknown_number_makes_one_contact_however_many_ask(
        self, account, client, execute
    ):
        body = {"user_id": 1, "line_id": 1, "contact_phone_number": "(818) 127-6543"}
        replies = await asyncio.gather(*(client.post(PATH, json=body) for _ in range(5)))
        assert {reply.status_code for reply in replies} == {202}
        assert (await client.post(PATH, json=body)).status_code == 202
        [(contact_id,)] = await execute(
            "SELECT id FROM contacts WHERE phone_number = '+18181276543'"
        )
        assert await execute("SELECT contact_id, count(*) FROM calls GROUP BY 1") == [
            (contact_id, 6)
        ]

    async def test_a_known_number_finds_its_contact(self, account, client, execute):
        body = {"user_id": 1, "line_id": 1, "contact_phone_number": "818-127-6544"}
        assert (await client.post(PATH, json=body)).status_code == 202
        assert await execute("SELECT contact_id FROM calls") == [(1234,)]

    async def test_with_both_the_id_names_the_contact_and_the_number_is_dialled_and_kept(
        self, account, client, execute
    ):
        reply = await client.post(PATH, json=ENOUGH | {"contact_phone_number": "+18181270000"})
        assert reply.status_code == 202
        assert await execute("SELECT contact_id, contact_phone_number FROM calls") == [
            (1234, "+18181270000")
        ]
        assert await execute(
            "SELECT phone_number FROM contact_phone_numbers WHERE contact_id = 1234 ORDER BY 1"
        ) == [("+18181270000",), ("+18181276544",)]


class TestRefusals:
    async def refused(self, client, body):
        reply = await client.post(PATH, json=body)
        assert reply.status_code == 422
        assert reply.json()["message"] == "The given data was invalid."
        [field] = reply.json()["errors"]
        return field, reply.json()["reason"]

    @pytest.mark.parametrize(
        ("zone", "quiet"),
        [("Asia/Tokyo", False), ("Pacific/Pago_Pago", True), (None, True)],
    )
    async def test_quiet_hours_are_those_of_the_contacts_clock(
        self, zone, quiet, account, client, execute
    ):
        # An hour that it is now in Pago Pago, where the account is, and not in Tokyo.
        now = datetime.now(ZoneInfo("Pacific/Pago_Pago"))
        end = (now + timedelta(hours=1)).strftime("%H:%M")
        await execute(
            "UPDATE accounts SET time_zone = 'Pacific/Pago_Pago', quiet_hours = %s",
            Jsonb({"start": (now - timedelta(minutes=1)).strftime("%H:%M"), "end": end}),
        )
        # A number that belongs to no place, as those of satellites do.
        await execute("UPDATE contacts SET time_zone = %s, phone_number = '+881612345678'", zone)
        if quiet:
            assert await self.refused(client, ENOUGH) == ("contact_id", "quiet_hours")
        else:
            assert (await client.post(PATH, json=ENOUGH)).status_code == 202

    async def test_a_contact_that_opted_out_by_id_or_number(self, account, client, execute):
        await execute("UPDATE contacts SET opted_out = true")
        by_number = {"user_id": 1, "line_id": 1, "contact_phone_number": "+18181276544"}
        assert await self.refused(client, ENOUGH) == ("contact_id", "contact_opted_out")
        assert await self.refused(client, by_number) == (
            "contact_phone_number",
            "contact_opted_out",
        )

    async def test_a_number_that_another_contact_has_opted_out_with(self, account, client, execute):
        [(other,)] = await execute(
            "INSERT INTO contacts (account_id, phone_number, opted_out)"
            " VALUES (%s, '+18185550177', true) RETURNING id",
            account.id,
        )
        await execute(
            "INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)"
            " VALUES (%s, %s, '+18181276544')",
            other,
            account.id,
        )
        assert await self.refused(client, ENOUGH) == ("contact_id", "contact_opted_out")
        await execute("UPDATE contacts SET deleted_at = now() WHERE id = %s", other)
        assert (await client.post(PATH, json=ENOUGH)).status_code == 202

    @pytest.mark.parametrize(
        ("number", "reason"),
        [
            ("911", "emergency_number"),
            ("+1911", "emergency_number"),
            ("+19005551234", "destination_not_allowed"),
            ("8552562001", "own_number"),
        ],
    )
    @pytest.mark.parametrize("field", ["contact_phone_number", "user_phone_number"])
    async def test_numbers_that_are_never_dialled(self, field, number, reason, account, client):
        assert await self.refused(client, ENOUGH | {field: number}) == (field, reason)

    async def test_the_number_at_which_the_agent_is_rung(self, account, client, execute):
        number = {"user_phone_number": "(818) 127-6544"}
        assert await self.refused(client, ENOUGH | number) == ("contact_id", "own_number")
        await execute("UPDATE users SET phone_number = '+18181276544'")
        assert await self.refused(client, ENOUGH) == ("contact_id", "own_number")
        elsewhere = {"user_phone_number": "+18181234567"}
        assert (await client.post(PATH, json=ENOUGH | elsewhere)).status_code == 202

    async def test_a_country_that_the_account_does_not_allow(self, account, client, execute):
        await execute("UPDATE accounts SET allowed_countries = '{CA,DE}'")
        assert await self.refused(client, ENOUGH) == ("contact_id", "destination_not_allowed")

    async def test_a_user_who_is_away_unless_a_group_stands_in(self, account, client, execute):
        await execute("UPDATE users SET availability = 'away'")
        assert await self.refused(client, ENOUGH) == ("user_id", "user_inactive")
        await execute(
            "WITH bob AS (INSERT INTO users (account_id, name, email, sip_username)"
            " VALUES (%s, 'Bob', 'bob@example.com', 'bob') RETURNING id)"
            " INSERT INTO ring_group_members (ring_group_id, user_id, position)"
            " SELECT 1, id, 1 FROM bob",
            account.id,
        )
        assert (await client.post(PATH, json=ENOUGH | {"ring_group_id": 1})).status_code == 202

    async def test_a_group_whose_users_are_all_away_unless_its_queue_is_on(
        self, account, client, execute
    ):
        group = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}
        await execute("UPDATE users SET availability = 'away'")
        for body in (group, group | {"user_id": 1}):
            refusal = await self.refused(client, body)
            assert refusal == ("ring_group_id", "no_agent_available")
        await execute("UPDATE ring_groups SET max_wait_seconds = 30")
        assert (await client.post(PATH, json=group)).status_code == 202

    async def test_a_group_of_which_nobody_is_free_unless_its_queue_is_on(
        self, account, client, execute
    ):
        group = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}
        assert (await client.post(PATH, json=group)).status_code == 202
        await execute(
            "INSERT INTO reservations (user_id, call_id)"
            " SELECT user_id, (SELECT max(id) FROM calls) FROM ring_group_members"
        )
        assert await self.refused(client, group) == ("ring_group_id", "no_agent_available")
        await execute("DELETE FROM reservations")
        await execute("UPDATE users SET wrap_up_until = now() + interval '1 minute'")
        assert await self.refused(client, group) == ("ring_group_id", "no_agent_available")
        await execute("UPDATE ring_groups SET max_wait_seconds = 30")
        assert (await client.post(PATH, json=group)).status_code == 202

    async def test_a_group_without_users_is_an_outcome_and_no_refusal(
        self, account, client, execute
    ):
        await execute("DELETE FROM ring_group_members")
        body = {"ring_group_id": 1, "contact_id": 1234, "line_id": 1}
        assert (await client.post(PATH, json=body)).status_code == 202

    async def test_a_line_without_a_trunk_cannot_dial(self, account, client, execute):
        await execute("DELETE FROM line_trunks")
        reply = await client.post(PATH, json=ENOUGH)
        assert reply.status_code == 422
        assert reply.json()["errors"] == {
            "line_id": ["The selected line_id has no trunk to dial over."]
        }

    async def test_nothing_is_stored_of_what_is_refused(self, account, client, execute):
        for body in ({}, ENOUGH | {"contact_phone_number": "+19005551234"}):
            await client.post(PATH, json=body)
        assert await execute("SELECT count(*) FROM calls") == [(0,)]
        assert await execute("SELECT count(*) FROM contact_phone_numbers") == [(1,)]


class TestLimits:
    async def test_no_more_than_the_accounts_calls_a_second(self, account, client, execute):
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

    async def test_the_next_second_is_counted_anew(self, account, client, execute):
        await execute("UPDATE accounts SET calls_per_second = 1")
        assert (await client.post(PATH, json=ENOUGH)).status_code == 202
        assert (await client.post(PATH, json=ENOUGH)).status_code == 429
        await execute("UPDATE account_admissions SET window_started_at = now() - interval '1s'")
        reply = await client.post(PATH, json=ENOUGH)
        assert (reply.status_code, reply.headers["X-RateLimit-Remaining"]) == (202, "0")

    async def test_no_more_than_the_accounts_running_calls(self, account, client, execute):
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
        self, account, client, anonymous, execute, add_account
    ):
        other = await add_account(token="token-of-another-account")
        await execute("UPDATE accounts SET calls_per_second = 0 WHERE id = %s", other.id)
        body = ENOUGH | {"api_token": other.token}
        replies = await asyncio.gather(
            client.post(PATH, json=ENOUGH), anonymous.post(PATH, json=body)
        )
        assert [reply.status_code for reply in replies] == [202, 422]

    async def test_a_bad_request_of_a_batch_is_alone_refused(self, account, client):
        bodies = [ENOUGH, {}, ENOUGH, ENOUGH | {"user_id": 9}, ENOUGH]
        replies = await asyncio.gather(*(client.post(PATH, json=body) for body in bodies))
        assert [reply.status_code for reply in replies] == [202, 422, 202, 422, 202]


class TestHTTP:
    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    async def test_another_method_is_405_and_says_which_is_allowed(self, method, anonymous):
        reply = await anonymous.request(method, PATH)
        assert (reply.status_code, reply.headers["Allow"]) == (405, "POST")
        assert list(reply.json()) == ["message"]

    @pytest.mark.parametrize("slashes", ["/", "//"])
    async def test_slashes_at_the_end_of_its_path_are_passed_over(
        self, slashes, account, client, anonymous, execute
    ):
        key = {"Idempotency-Key": "once"}
        for path, headers in ((PATH + slashes, {}), (PATH + slashes, key), (PATH, key)):
            reply = await client.post(path, json=ENOUGH, headers=headers)
            assert (reply.status_code, reply.json()) == ACCEPTED
        assert await execute("SELECT count(*) FROM calls") == [(2,)]
        reply = await anonymous.get(PATH + slashes)
        assert (reply.status_code, reply.headers["Allow"]) == (405, "POST")

    @pytest.mark.parametrize("path", ["/", "/api/v1/nothing", PATH + "/x", "/api/v1/calls/1/x"])
    async def test_an_unknown_path_is_404(self, path, anonymous):
        reply = await anonymous.get(path, headers={"Accept": "text/html"})
        assert (reply.status_code, reply.json()) == (404, {"message": "Not Found."})

    async def test_a_body_of_10_mb_is_413_and_is_not_kept(self, anonymous):
        pieces = 0

        async def body():
            nonlocal pieces
            for pieces in range(160):  # noqa: B007  counts what was taken
                yield b"x" * 65536

        reply = await anonymous.post(PATH, content=body(), headers=FORM)
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
