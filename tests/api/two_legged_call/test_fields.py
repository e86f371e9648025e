"""The fields of a request: how they are read, and which things they may name."""

import asyncio

import pytest
from call_contract import CONTRACT, ENOUGH, PATH


async def test_fields_of_the_query_string_stand_behind_those_of_the_body(account, client, execute):
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
async def test_a_body_that_cannot_be_read_is_an_empty_one(content_type, body, account, client):
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
    content_type, body, account, client
):
    headers = {"Content-Type": content_type}
    assert (await client.post(PATH, content=body, headers=headers)).status_code == 202


async def test_a_form_need_not_be_ascii(account, client, execute):
    form = {"user_id": "1", "line_id": "1", "contact_phone_number": "+1\u00a0818\u00a0127 6543"}
    assert (await client.post(PATH, data=form)).status_code == 202
    assert (await client.post(PATH, params={"name": "M\u00fcller"}, data=form)).status_code == 202
    numbers = await execute("SELECT DISTINCT contact_phone_number FROM calls")
    assert numbers == [("+18181276543",)]


async def test_what_is_not_there_is_invalid_and_all_of_it_is_told_at_once(account, client):
    body = {"user_id": 9, "ring_group_id": 9, "contact_id": 9, "line_id": 9}
    reply = await client.post(PATH, json=body)
    assert reply.status_code == 422
    assert list(reply.json()["errors"].items()) == [
        ("contact_id", ["The selected contact_id is invalid."]),
        ("line_id", ["The selected line_id is invalid."]),
        ("user_id", ["The selected user_id is invalid."]),
        ("ring_group_id", ["The selected ring_group_id is invalid."]),
    ]


async def test_errors_of_every_kind_stand_together(account, client):
    body = {"user_id": "1.0", "contact_phone_number": "abc", "line_id": 9}
    reply = await client.post(PATH, json=body)
    assert reply.json()["errors"] == {
        "contact_phone_number": ["The contact_phone_number field must be a valid phone number."],
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
async def test_a_line_number_that_is_not_the_accounts(number, text, account, client):
    body = {"user_id": 1, "contact_id": 1234, "line_phone_number": number}
    reply = await client.post(PATH, json=body)
    assert reply.json()["errors"] == {"line_phone_number": [text]}


async def test_a_line_number_may_be_written_as_at_home(account, client, execute):
    body = {"user_id": 1, "contact_id": 1234, "line_phone_number": "(855) 256-2001"}
    assert (await client.post(PATH, json=body)).status_code == 202
    assert await execute("SELECT line_id FROM calls") == [(1,)]


async def test_line_id_and_number_must_name_one_line(account, client, execute):
    await execute(
        "INSERT INTO lines (account_id, phone_number, country) VALUES (%s, %s, 'US')",
        account.id,
        "+18552562002",
    )
    reply = await client.post(PATH, json=ENOUGH | {"line_phone_number": "+18552562002"})
    assert reply.json()["errors"] == {
        "line_phone_number": ["The selected line_phone_number is invalid."]
    }


async def test_a_users_number_that_is_none(account, client):
    reply = await client.post(PATH, json=ENOUGH | {"user_phone_number": "12"})
    assert reply.json()["errors"] == {
        "user_phone_number": ["The user_phone_number field must be a valid phone number."]
    }


async def test_things_of_another_account_do_not_exist(account, anonymous, add_account):
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
async def test_deleted_things_do_not_exist(table, account, client, execute):
    await execute(f"UPDATE {table} SET deleted_at = now()")
    field = table[:-1] + "_id"
    reply = await client.post(PATH, json=ENOUGH | {"ring_group_id": 1})
    assert reply.json()["errors"] == {field: [f"The selected {field} is invalid."]}


async def test_an_unknown_number_makes_one_contact_however_many_ask(account, client, execute):
    body = {"user_id": 1, "line_id": 1, "contact_phone_number": "(818) 127-6543"}
    replies = await asyncio.gather(*(client.post(PATH, json=body) for _ in range(5)))
    assert {reply.status_code for reply in replies} == {202}
    assert (await client.post(PATH, json=body)).status_code == 202
    [(contact_id,)] = await execute("SELECT id FROM contacts WHERE phone_number = '+18181276543'")
    assert await execute("SELECT contact_id, count(*) FROM calls GROUP BY 1") == [(contact_id, 6)]


async def test_a_known_number_finds_its_contact(account, client, execute):
    body = {"user_id": 1, "line_id": 1, "contact_phone_number": "818-127-6544"}
    assert (await client.post(PATH, json=body)).status_code == 202
    assert await execute("SELECT contact_id FROM calls") == [(1234,)]


async def test_with_both_the_id_names_the_contact_and_the_number_is_dialled_and_kept(
    account, client, execute
):
    reply = await client.post(PATH, json=ENOUGH | {"contact_phone_number": "+18181270000"})
    assert reply.status_code == 202
    assert await execute("SELECT contact_id, contact_phone_number FROM calls") == [
        (1234, "+18181270000")
    ]
    assert await execute(
        "SELECT phone_number FROM contact_phone_numbers WHERE contact_id = 1234 ORDER BY 1"
    ) == [("+18181270000",), ("+18181276544",)]
