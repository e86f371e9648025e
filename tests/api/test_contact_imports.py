"""Files of contacts over HTTP: taken in by a worker, found by number, consent never undone."""

import httpx
import pytest

from twoleg.directory.importing import imports, taking_in
from twoleg.directory.importing.taking_in import take_in_next
from twoleg.reminders.importing.importers import IMPORTERS

URL = "/api/v1/contacts/import"
CSV = {"Content-Type": "text/csv"}
HEADER = "name,phone,phone numbers,time zone,language,opted out,attributes\n"
EVA = (
    'Eva,+18181270001,"(818) 127-0011; +18181270012",Europe/Berlin,de,,"{""customer"": ""4711""}"\n'
)
ADAM = "Adam,818 127 0002,,,,yes,\n"


def numbers(count):
    return ";".join(f"+181812710{number}" for number in range(10, 10 + count))


@pytest.fixture
def take_in(client, account, database):
    """Post a file and do what the worker does; returns the import as it ended."""

    async def run(content, **query):
        query = {"country": "US"} | query
        reply = await client.post(URL, content=content, headers=CSV, params=query)
        assert reply.status_code == 202, reply.text
        begun = reply.json()
        assert (begun["kind"], begun["state"], begun["progress"]) == ("contacts_csv", "waiting", 0)
        async with await database.connect() as connection:
            while await take_in_next(connection, IMPORTERS):
                pass
        return (await client.get(reply.headers["Location"])).json()

    return run


@pytest.fixture
def having(client):
    """Return the contacts that have a number."""

    async def read(phone_number):
        found = await client.get("/api/v1/contacts", params={"phone_number": phone_number})
        return found.json()["data"]

    return read


def counts(done):
    return tuple(done[f"rows_{each}"] for each in ("created", "changed", "unchanged", "refused"))


async def test_a_file_becomes_contacts(take_in, having):
    done = await take_in(HEADER + EVA + ADAM)
    assert (done["state"], done["progress"], counts(done)) == ("done", 1, (2, 0, 0, 0))
    [eva] = await having("+18181270012")
    assert (eva["name"], eva["time_zone"], eva["language"]) == ("Eva", "Europe/Berlin", "de")
    assert eva["phone_numbers"] == ["+18181270001", "+18181270011", "+18181270012"]
    assert (eva["opted_out"], eva["attributes"]) == (False, {"customer": "4711"})
    [adam] = await having("+18181270002")
    assert (adam["name"], adam["opted_out"], adam["attributes"]) == ("Adam", True, {})


async def test_the_same_file_twice_makes_nothing_twice(take_in, execute):
    before = await execute("SELECT count(*) FROM contacts")
    for expected in ((2, 0, 1, 0), (0, 0, 3, 0)):
        assert counts(await take_in(HEADER + EVA + ADAM + EVA)) == expected
    assert await execute("SELECT count(*) - 2 FROM contacts") == before
    kept = "SELECT count(*) FROM contact_phone_numbers WHERE phone_number LIKE '+18181270%%'"
    assert await execute(kept) == [(4,)]


@pytest.mark.parametrize("batch", [250, 1], ids=["in one batch", "each in its own"])
async def test_later_rows_change_what_they_say_and_leave_the_rest(
    take_in, having, monkeypatch, batch
):
    monkeypatch.setattr(taking_in, "BATCH", batch)
    by_another_number = 'Eve,+18181270011,,,,,"{""customer"": null, ""since"": 1999}"\n'
    another_zone = ",+18181270001,+18181270013,America/New_York,,,\n"
    done = await take_in(HEADER + EVA + by_another_number + another_zone)
    assert counts(done) == (1, 2, 0, 0)
    [eva] = await having("+18181270013")
    assert (eva["name"], eva["time_zone"], eva["language"]) == ("Eve", "America/New_York", "de")
    assert eva["attributes"] == {"since": 1999}
    assert eva["phone_number"] == "+18181270001"
    assert len(eva["phone_numbers"]) == 4


@pytest.mark.parametrize("word", ["", "no", "false"])
async def test_who_opted_out_stays_so_and_who_did_not_can(take_in, having, client, word):
    await take_in(HEADER + EVA)
    [eva] = await having("+18181270001")
    await client.patch(f"/api/v1/contacts/{eva['id']}", json={"opted_out": True})
    rows = [f"{name},+18181270003,,,,{out},\n" for name, out in (("a", word), ("b", "x"))]
    last = f"c,+18181270003,,,,{word},\n"
    await take_in(HEADER + EVA.replace("de,,", f"de,{word},") + "".join(rows) + last)
    for number, name in (("+18181270001", "Eva"), ("+18181270003", "c")):
        [found] = await having(number)
        assert (found["name"], found["opted_out"]) == (name, True)


async def test_of_contacts_with_one_number_the_oldest_is_changed(take_in, client, having):
    ids = [
        (await client.post("/api/v1/contacts", json={"phone_number": number})).json()["id"]
        for number in ("+18181270001", "+18181270002", "+18181270002")
    ]
    # The first row gives the oldest contact the number of the second row.
    file = HEADER + ",+18181270001,+18181270002,,,,\nEva,+18181270002,,,,,\n"
    for expected in ((0, 2, 0, 0), (0, 0, 2, 0)):
        assert counts(await take_in(file)) == expected
    named = {each["id"]: each["name"] for each in await having("+18181270002")}
    assert named == {ids[0]: "Eva", ids[1]: None, ids[2]: None}


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("Bert,,,,,,", "phone_number"),
        ("Bert,nobody,,,,,", "phone_number"),
        ("Bert,+18181270003,nobody,,,,", "phone_numbers"),
        (f"Bert,+18181270003,{numbers(20)},,,,", "phone_numbers"),
        (f"Bert,+18181270001,{numbers(18)},,,,", "phone_numbers"),
        ("Bert,+18181270003,,Berlin,,,", "time_zone"),
        ("Bert,+18181270003,,,German of sorts,,", "language"),
        ("Bert,+18181270003,,,,perhaps,", "opted_out"),
        ("Bert,+18181270003,,,,,gold", "attributes"),
        ("Bert,+18181270003,,,,,[1]", "attributes"),
        ("Bert,+18181270003,,,,," + "[" * 5000, "attributes"),
        ('Bert,+18181270003,,,,,"{""a"": ""\\ud800""}"', "attributes"),
        (f'Bert,+18181270001,,,,,"{{""a"": ""{"x" * 8170}""}}"', "attributes"),
        ("B" * 201 + ",+18181270003,,,,,", "name"),
    ],
)
async def test_a_row_that_is_no_good_is_reported_and_the_others_taken(take_in, client, row, column):
    done = await take_in(HEADER + EVA + row + "\n" + ADAM)
    assert counts(done) == (2, 0, 0, 1)
    page = (await client.get(f"/api/v1/imports/{done['id']}/refused")).json()
    [refused] = page["data"]
    assert (refused["row"], refused["column"]) == (2, column)
    assert refused["values"]["name"].startswith("B")
    assert column in refused["message"]


async def test_a_dry_run_counts_and_stores_nothing(take_in, execute):
    before = await execute("SELECT * FROM contacts ORDER BY id")
    done = await take_in(HEADER + EVA + "x,y,,,,,\n", dry_run=True)
    assert (done["dry_run"], counts(done)) == (True, (1, 0, 0, 1))
    assert await execute("SELECT * FROM contacts ORDER BY id") == before


@pytest.mark.parametrize("batch", [250, 2, 1])
async def test_a_dry_run_counts_as_the_import_does_wherever_its_batches_end(
    take_in, monkeypatch, batch
):
    monkeypatch.setattr(taking_in, "BATCH", batch)
    by_another_number = "Eve,+18181270011,,,,,\n"
    full = f"Bert,+18181270001,{numbers(18)},,,,\n"
    file = HEADER + EVA + ADAM + EVA + by_another_number + by_another_number + ADAM + "x,y,,,,,\n"
    tried = await take_in(file, dry_run=True)
    assert counts(tried) == counts(await take_in(file)) == (2, 1, 3, 1)
    tried = await take_in(HEADER + full + full, dry_run=True)
    assert counts(tried) == (0, 0, 0, 2)


async def test_headers_separators_and_charsets_are_those_of_spreadsheets(take_in, having):
    german = (
        "Kunde;Telefon;Zeitzone;Sprache;Keine Anrufe\nZoë Müßig;0171 1234567;Europe/Berlin;de;ja\n"
    )
    assert counts(await take_in(german.encode("cp1252"), country="DE")) == (1, 0, 0, 0)
    [zoe] = await having("+491711234567")
    assert (zoe["name"], zoe["opted_out"]) == ("Zoë Müßig", True)


async def test_columns_can_be_named(take_in, having):
    columns = '{"Wer": "name", "Rufnr": "phone_number"}'
    await take_in("Wer\tRufnr\nEva\t+18181270001\n", columns=columns)
    assert [each["name"] for each in await having("+18181270001")] == ["Eva"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "phone_number"),
        ("a,b\n1,2\n", "phone_number"),
        ("%PDF-1.7\n\0\0", "phone_number"),
        ('phone\n"' + "x" * 200_000, "Line 2 is no CSV"),
    ],
    ids=["empty", "columns", "PDF", "quotation mark"],
)
async def test_a_file_that_is_no_csv_says_why(take_in, content, why):
    done = await take_in(content)
    assert (done["state"], counts(done)) == ("failed", (0, 0, 0, 0))
    assert why in done["failure"]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"columns": '{"Wann": "starts_at"}'}, "columns"), ({"country": "Germany"}, "country")],
)
async def test_options_that_are_no_good_are_refused_by_name(account, client, query, field):
    reply = await client.post(URL, content=HEADER, headers=CSV, params=query)
    assert reply.status_code == 422
    assert field in reply.json()["errors"]


async def test_a_body_of_another_kind_or_size_is_refused(account, client, execute, monkeypatch):
    headers = {"Content-Type": "text/calendar"}
    reply = await client.post(URL, content="BEGIN:VCALENDAR", headers=headers)
    assert reply.status_code == 422
    assert "text/csv" in reply.json()["errors"]["body"][0]
    monkeypatch.setattr(imports, "MAX_BYTES", 1000)
    assert (await client.post(URL, content="x" * 2000, headers=CSV)).status_code == 413
    assert await execute("SELECT count(*) FROM imports") == [(0,)]


async def test_another_accounts_contact_with_the_number_is_left_alone(
    take_in, add_account, execute
):
    other = await add_account("token-of-the-other-account")
    await execute(
        """WITH made AS (INSERT INTO contacts (account_id, name, phone_number)
             VALUES (%s, 'Theirs', '+18181270001') RETURNING id, account_id, phone_number)
           INSERT INTO contact_phone_numbers (contact_id, account_id, phone_number)
           SELECT * FROM made""",
        other.id,
    )
    assert counts(await take_in(HEADER + EVA)) == (1, 0, 0, 0)
    theirs = "SELECT name, language FROM contacts WHERE account_id = %s AND name IS NOT NULL"
    assert ("Theirs", None) in await execute(theirs, other.id)
    assert ("Eva", "de") not in await execute(theirs, other.id)


async def test_a_token_reads_the_imports_of_what_it_may_read(take_in, client, app):
    done = await take_in(HEADER + EVA)
    seen = {}
    for scope in ("directory:write", "directory:read", "appointments:read"):
        made = await client.post("/api/v1/tokens", json={"name": scope, "scopes": [scope]})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://twoleg.test", headers=headers
        ) as limited:
            paths = (f"/api/v1/imports/{done['id']}", f"/api/v1/imports/{done['id']}/refused")
            seen[scope] = [(await limited.get(path)).status_code for path in paths]
    assert seen == {
        "directory:write": [403, 403],
        "directory:read": [200, 200],
        "appointments:read": [404, 404],
    }
