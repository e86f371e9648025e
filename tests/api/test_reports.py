"""Reports and lists as their clients have them: JSON, and CSV that a spreadsheet opens."""

import csv
import io

import pytest

from twoleg.directory.importing.rows import RefusedRow
from twoleg.reminders.importing.csv_rows import CsvOptions, read_csv
from twoleg.reports import appointment_list

MARK = "\ufeff"


@pytest.fixture
async def called(execute, account):
    """One reminder that was confirmed, on 2026-06-09 at 23:30 of the account's clock."""
    await execute("UPDATE accounts SET time_zone = 'Europe/Berlin'")
    await execute(
        """INSERT INTO reminders (id, account_id, appointment_id, moment, line_id, state, starts_at)
           VALUES (1, %s, 1, 0, 1, 'done', '2020-01-01 10:00+00')""",
        account.id,
    )
    await execute(
        """INSERT INTO calls (id, account_id, source, contact_id, contact_phone_number,
             line_phone_number, status, outcome, ended_at, created_at)
           VALUES (1, %s, 'reminder', 1234, '+1', '+1', 'ended', 'connected', now(), now())""",
        account.id,
    )
    await execute(
        """INSERT INTO reminder_attempts (call_id, reminder_id, account_id, contact_id, placed_at,
             reminder_plan_id, moment, starts_at, time_zone, answer)
           VALUES (1, 1, %s, 1234, '2026-06-09T21:30Z', 1, '{"days_before": 1}',
             '2020-01-01 10:00+00', 'UTC', 'confirmed')""",
        account.id,
    )


async def get(client, path, accept="application/json", **query):
    reply = await client.get(f"/api/v1{path}", params=query, headers={"Accept": accept})
    assert reply.status_code == 200, reply.text
    return reply


def table(reply):
    assert reply.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(reply.text.removeprefix(MARK))))


async def test_a_day_is_one_of_the_accounts_clock(client, called):
    for day, calls in (("2026-06-08", 0), ("2026-06-09", 1), ("2026-06-10", 0)):
        report = (await get(client, "/reports/reminders", **{"from": day, "to": day})).json()
        assert report["total"]["calls"] == calls
        assert (report["time_zone"], report["group_by"]) == ("Europe/Berlin", "plan")
    assert report["from"] == "2026-06-09T22:00:00.000Z"
    assert report["to"] == "2026-06-10T22:00:00.000Z"


async def test_the_report_has_a_line_a_group(client, called):
    reply = await get(client, "/reports/reminders", to="2026-06-30", group_by="offset")
    [line] = reply.json()["data"]
    assert (line["group"], line["confirmed"]) == ("1 day before", 1)
    assert (line["reached_rate"], line["confirmed_rate"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("path", "accept", "marked"),
    [("/reports/reminders", "text/csv", False), ("/reports/reminders.csv", "*/*", True)],
)
async def test_the_report_is_csv_where_that_is_asked_for(client, called, path, accept, marked):
    reply = await get(client, path, accept, to="2026-06-30", group_by="plan")
    assert reply.text.startswith(MARK) is marked
    assert 'filename="reminders.csv"' in reply.headers["Content-Disposition"]
    line, total = table(reply)
    assert (line["plan"], line["group_id"], line["confirmed"]) == ("Before", "1", "1")
    assert (total["plan"], total["calls"]) == ("total", "1")


async def test_calls_have_a_report_too(client, account):
    body = {"user_id": 1, "contact_id": 1234, "line_id": 1}
    call = (await client.post("/api/v1/calls", json=body)).json()
    await client.delete(f"/api/v1/calls/{call['id']}")
    report = (await get(client, "/reports/calls", group_by="agent")).json()
    assert [(line["group"], line["other"]) for line in report["data"]] == [("Alice", 1)]
    for path, accept in (("/reports/calls", "text/csv;q=0.9, */*"), ("/reports/calls.csv", "*/*")):
        line, total = table(await get(client, path, accept, group_by="outcome"))
        assert (line["outcome"], line["calls"], total["calls"]) == ("canceled", "1", "1")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-06-02", "to": "2026-06-01"}, "to"),
        ({"from": "2020-01-01", "to": "2026-06-01"}, "to"),
        ({"from": "yesterday"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"to": "1999-12-31"}, "to"),
        ({"group_by": "colour"}, "group_by"),
    ],
)
@pytest.mark.parametrize("path", ["/reports/reminders", "/reports/reminders.csv", "/reports/calls"])
async def test_what_is_wrong_is_said_by_field(client, path, query, field):
    reply = await client.get(f"/api/v1{path}", params=query)
    assert reply.status_code == 422
    assert list(reply.json()["errors"]) == [field]


async def test_reports_need_the_scope_of_what_they_are_about(client, execute):
    await execute("UPDATE tokens SET scopes = '{appointments:read}'")
    assert (await client.get("/api/v1/reports/reminders")).status_code == 200
    assert (await client.get("/api/v1/reports/calls.csv")).status_code == 403
    await execute("UPDATE tokens SET scopes = '{calls:read}'")
    assert (await client.get("/api/v1/reports/reminders.csv")).status_code == 403
    assert (await client.get("/api/v1/appointments.csv")).status_code == 403


async def test_appointments_are_exported_with_what_became_of_them(client, called, execute):
    await execute("UPDATE appointments SET status = 'confirmed', staff = '=cmd()'")
    [row] = table(await get(client, "/appointments.csv"))
    assert (row["phone_number"], row["starts_at"]) == ("+18181276544", "2020-01-01T10:00:00")
    assert (row["status"], row["staff"]) == ("confirmed", "'=cmd()")
    assert (row["calls"], row["last_answer"]) == ("1", "confirmed")
    assert row["last_called_at"] == "2026-06-09T21:30:00Z"
    assert table(await get(client, "/appointments", "text/csv", status="scheduled")) == []
    assert len(table(await get(client, "/appointments", "text/csv", status="confirmed"))) == 1


async def test_an_export_has_every_appointment_once_whatever_is_read_at_once(
    client, account, execute, monkeypatch
):
    monkeypatch.setattr(appointment_list, "PAGE", 3)
    await execute(
        """INSERT INTO appointments (account_id, contact_id, wall_starts_at, time_zone, starts_at)
           SELECT %s, 1234, '2030-01-01', 'UTC', '2030-01-01Z' FROM generate_series(1, 8)""",
        account.id,
    )
    rows = table(await get(client, "/appointments.csv"))
    assert [int(row["twoleg_id"]) for row in rows] == list(range(1, 10))


async def test_an_export_can_be_taken_in_again(client, account, execute):
    await execute("UPDATE contacts SET name = 'Eva, die \"Große\"', phone_number = '+491711234567'")
    await execute("UPDATE appointments SET external_id = 'T-17', starts_at = now()")
    reply = await get(client, "/appointments.csv")
    [row] = read_csv(io.StringIO(reply.text), CsvOptions(time_zone="Asia/Tokyo"))
    assert not isinstance(row, RefusedRow), row
    assert (row.name, row.phone_number) == ('Eva, die "Große"', "+491711234567")
    assert (row.external_id, row.starts_at.isoformat()) == ("T-17", "2020-01-01T10:00:00+00:00")
