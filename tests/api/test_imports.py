"""Files of appointments over HTTP: taken in by a worker, reported row by row."""

import asyncio
import threading
from dataclasses import replace

import pytest

from twoleg.directory.importing import imports, taking_in
from twoleg.directory.importing.imports import ImportKind
from twoleg.directory.importing.taking_in import take_in_next
from twoleg.reminders.importing.importers import IMPORTERS
from twoleg.store.database import MAX_CONNECTIONS

CSV = {"Content-Type": "text/csv"}
CALENDAR = {"Content-Type": "text/calendar; charset=utf-8"}
HEADER = "name,phone,start,id\n"
EVA = "Eva,+18181270001,2090-06-10 10:00,visit-1\n"
ADAM = "Adam,+18181270002,2090-06-10 11:00,visit-2\n"


@pytest.fixture
def send(client, account):
    """Post a file that must be accepted; returns the import."""

    async def post(content, headers=CSV, **query):
        url = "/api/v1/appointments/import"
        reply = await client.post(url, content=content, headers=headers, params=query)
        assert reply.status_code == 202, reply.text
        assert reply.headers["Location"] == f"/api/v1/imports/{reply.json()['id']}"
        return reply.json()

    return post


@pytest.fixture
def work(database, client):
    """Do what the worker does, to its end; returns the last import."""

    async def run():
        async with await database.connect() as connection:
            while await take_in_next(connection, IMPORTERS):
                pass
        return (await client.get("/api/v1/imports")).json()["data"][-1]

    return run


@pytest.fixture
def booked(client):
    """What is in the book from 2090 on: {external id: (start, status)}."""

    async def read():
        query = {"starts_from": "2089-01-01T00:00:00Z", "limit": 200}
        page = (await client.get("/api/v1/appointments", params=query)).json()["data"]
        return {each["external_id"]: (each["starts_at"][5:16], each["status"]) for each in page}

    return read


def counts(done):
    return tuple(done[f"rows_{each}"] for each in ("created", "changed", "unchanged", "refused"))


async def test_a_file_becomes_appointments_and_contacts(send, work, booked, client):
    begun = await send(HEADER + EVA + ADAM)
    assert (begun["state"], begun["progress"]) == ("waiting", 0)
    done = await work()
    assert (done["state"], done["progress"], counts(done)) == ("done", 1, (2, 0, 0, 0))
    assert await booked() == {
        "visit-1": ("06-10T10:00", "scheduled"),
        "visit-2": ("06-10T11:00", "scheduled"),
    }
    found = await client.get("/api/v1/contacts", params={"phone_number": "+18181270001"})
    assert [each["name"] for each in found.json()["data"]] == ["Eva"]


async def test_the_same_file_twice_makes_nothing_twice(send, work, booked):
    without_id = ",+18181270003,2090-06-12 09:00,\n"
    for expected in ((3, 0, 0, 0), (0, 0, 3, 0)):
        await send(HEADER + EVA + ADAM + without_id)
        assert counts(await work()) == expected
    assert len(await booked()) == 3


async def test_a_moved_and_a_cancelled_row_change_their_appointments(send, work, booked):
    await send(HEADER + EVA + ADAM)
    await work()
    moved = EVA.replace("10:00", "15:30")
    cancelled = ADAM.strip() + ",cancelled\n"
    await send(HEADER.strip() + ",status\n" + moved + cancelled)
    assert counts(await work()) == (0, 2, 0, 0)
    assert await booked() == {
        "visit-1": ("06-10T15:30", "scheduled"),
        "visit-2": ("06-10T11:00", "cancelled"),
    }


async def test_of_rows_for_one_appointment_the_last_holds(send, work, booked):
    late = EVA.replace("10:00", "15:30")
    await send(HEADER + EVA + ADAM + late)
    done = await work()
    assert (done["rows_read"], counts(done)) == (3, (2, 0, 1, 0))
    assert (await booked())["visit-1"] == ("06-10T15:30", "scheduled")


async def test_what_a_contact_has_answered_stays_unless_the_row_says_another_time(
    send, work, booked, execute
):
    await send(HEADER + EVA + ADAM)
    await work()
    await execute("UPDATE appointments SET status = 'confirmed', status_at = '2026-01-01'")
    rows = [
        EVA.replace("10:00", "10:30").replace("\n", ",Room 1\n"),
        ADAM.replace("\n", ",Room 2\n"),
    ]
    await send(HEADER.replace("\n", ",place\n") + "".join(rows))
    assert counts(await work()) == (0, 2, 0, 0)
    assert await booked() == {
        "visit-1": ("06-10T10:30", "scheduled"),
        "visit-2": ("06-10T11:00", "confirmed"),
    }
    changed = await execute(
        """SELECT external_id, place, status_at > '2026-01-02' FROM appointments
           WHERE external_id IS NOT NULL ORDER BY external_id"""
    )
    assert changed == [("visit-1", "Room 1", True), ("visit-2", "Room 2", False)]


async def test_a_known_contact_is_found_by_any_of_its_numbers(send, work, client, execute):
    await client.patch("/api/v1/contacts/1234", json={"phone_number": "+18181270001"})
    await send(HEADER + EVA)
    await work()
    [(contact_id,)] = await execute(
        "SELECT contact_id FROM appointments WHERE external_id = 'visit-1'"
    )
    assert contact_id == 1234


async def test_rows_that_are_no_good_are_reported_and_the_others_taken(send, work, client):
    await send(HEADER + EVA + "Bert,nobody,2090-06-10 10:00,visit-3\n" + ADAM)
    done = await work()
    assert counts(done) == (2, 0, 0, 1)
    page = (await client.get(f"/api/v1/imports/{done['id']}/refused")).json()
    [refused] = page["data"]
    assert (refused["row"], refused["column"]) == (2, "phone_number")
    assert refused["values"]["name"] == "Bert"
    assert "country code" in refused["message"]


async def test_a_dry_run_counts_and_stores_nothing(send, work, booked, execute):
    contacts = await execute("SELECT count(*) FROM contacts")
    await send(HEADER + EVA + "x,y,z,\n", dry_run=True)
    done = await work()
    assert (done["dry_run"], counts(done)) == (True, (1, 0, 0, 1))
    assert await booked() == {}
    assert await execute("SELECT count(*) FROM contacts") == contacts


async def test_clients_that_are_slow_to_send_their_files_keep_nobody_waiting(client, account):
    rest = asyncio.Event()
    sending = asyncio.Semaphore(0)

    async def slowly():
        yield HEADER.encode()
        sending.release()
        await rest.wait()
        yield EVA.encode()

    def post():
        return client.post("/api/v1/appointments/import", content=slowly(), headers=CSV)

    # One more than there are connections to the database.
    uploads = [asyncio.create_task(post()) for _ in range(MAX_CONNECTIONS + 1)]
    for _ in uploads:
        await sending.acquire()
    assert (await client.get("/api/v1/users")).status_code == 200
    rest.set()
    assert {reply.status_code for reply in await asyncio.gather(*uploads)} == {202}


@pytest.mark.parametrize("batch", [250, 2, 1])
async def test_a_dry_run_counts_as_the_import_does_wherever_its_batches_end(
    send, work, monkeypatch, batch
):
    monkeypatch.setattr(taking_in, "BATCH", batch)
    moved = EVA.replace("10:00", "15:30")
    seen = []
    for dry_run in (True, False):
        await send(HEADER + EVA + ADAM + ADAM + moved, dry_run=dry_run)
        seen.append(counts(await work()))
    # In one batch the last row of an appointment counts alone.
    assert seen == [(2, 0, 2, 0) if batch == 250 else (2, 1, 1, 0)] * 2


async def test_columns_zone_and_country_can_be_said(send, work, client):
    await send(
        "Wer;Rufnr;Wann;id\nEva;0171 1234567;10.06.2090 10:00;1\n",
        columns='{"Wer": "name", "Rufnr": "phone_number", "Wann": "starts_at"}',
        time_zone="Europe/Berlin",
        country="DE",
    )
    assert counts(await work()) == (1, 0, 0, 0)
    query = {"external_id": "1"}
    [made] = (await client.get("/api/v1/appointments", params=query)).json()["data"]
    assert made["starts_at_utc"] == "2090-06-10T08:00:00.000Z"


@pytest.mark.parametrize("charset", ["cp1252", "utf-16"])
async def test_a_file_of_a_spreadsheet_of_old_is_read_too(send, work, client, charset):
    await send((HEADER + EVA.replace("Eva", "Zoë Müßig")).encode(charset))
    await work()
    found = await client.get("/api/v1/contacts", params={"phone_number": "+18181270001"})
    assert [each["name"] for each in found.json()["data"]] == ["Zoë Müßig"]


async def test_a_calendar_is_read(send, work):
    await send(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        "DTSTART:20260101T100000Z\r\nRRULE:FREQ=DAILY\r\nATTENDEE:tel:+18181270001\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n",
        headers=CALENDAR,
    )
    done = await work()
    assert done["state"] == "done"
    assert done["rows_created"] > 100


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\0,\0"], ids=["empty", "columns", "NUL"])
async def test_a_file_that_is_no_use_says_why(send, work, content):
    await send(content)
    done = await work()
    assert (done["state"], counts(done)) == ("failed", (0, 0, 0, 0))
    assert "phone_number" in done["failure"] or "NUL" in done["failure"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"columns": "no JSON"}, "columns"),
        ({"columns": '{"a": "colour"}'}, "columns"),
        ({"columns": "[1]"}, "columns"),
        ({"time_zone": "Berlin"}, "time_zone"),
        ({"country": "Germany"}, "country"),
        ({"dry_run": "perhaps"}, "dry_run"),
    ],
)
async def test_options_that_are_no_good_are_refused_by_name(query, field, account, client):
    url = "/api/v1/appointments/import"
    reply = await client.post(url, content=EVA, headers=CSV, params=query)
    assert reply.status_code == 422
    assert field in reply.json()["errors"]


async def test_a_body_of_another_kind_is_refused(account, client):
    reply = await client.post("/api/v1/appointments/import", json={"a": 1})
    assert reply.status_code == 422
    assert "text/csv" in reply.json()["errors"]["body"][0]


async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(
    account, client, execute, monkeypatch
):
    monkeypatch.setattr(imports, "MAX_BYTES", 1000)
    reply = await client.post("/api/v1/appointments/import", content="x" * 2000, headers=CSV)
    assert reply.status_code == 413
    assert await execute("SELECT count(*) FROM imports, import_parts") == [(0,)]


async def test_an_import_that_was_cut_short_is_gone_on_with(
    send, work, database, execute, monkeypatch, client
):
    monkeypatch.setattr(taking_in, "BATCH", 25)
    rows = [f"N{n},+1818127{n:04},2090-06-10 10:00,v-{n}\n" for n in range(1000, 1500)]
    begun = await send(HEADER + "".join(rows))
    async with await database.connect() as connection:
        work_of_the_first = asyncio.create_task(take_in_next(connection, IMPORTERS))
        while True:
            [(read,)] = await execute("SELECT rows_read FROM imports")
            if read:
                break
        work_of_the_first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work_of_the_first
    cut = (await client.get(f"/api/v1/imports/{begun['id']}")).json()
    assert (cut["state"], 0 < cut["progress"] < 1) == ("running", True)
    assert cut["rows_created"] == cut["rows_read"]
    await execute("UPDATE imports SET leased_until = now()")
    done = await work()
    assert (done["progress"], counts(done)) == (1, (500, 0, 0, 0))
    assert await execute("SELECT count(*) FROM appointments WHERE external_id IS NOT NULL") == [
        (500,)
    ]


async def test_a_file_that_takes_long_to_read_is_not_taken_for_abandoned(
    send, work, database, execute, monkeypatch
):
    monkeypatch.setattr(taking_in, "LEASE_SECONDS", 3)
    may_go_on = threading.Event()
    patient = IMPORTERS[ImportKind.APPOINTMENTS_CSV]

    def read(taken, file):
        may_go_on.wait()
        yield from patient.read(taken, file)

    await send(HEADER + EVA)
    importers = {ImportKind.APPOINTMENTS_CSV: replace(patient, read=read)}
    async with await database.connect() as one, await database.connect() as other:
        taking = asyncio.create_task(take_in_next(one, importers))
        leases = set()
        while len(leases - {(None,)}) < 3:
            leases.update(await execute("SELECT leased_until FROM imports"))
        assert not await take_in_next(other, IMPORTERS)
        may_go_on.set()
        assert await taking
    assert counts(await work()) == (1, 0, 0, 0)
