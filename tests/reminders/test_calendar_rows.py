"""Appointments in iCalendar files: series, exceptions, zones and what is broken."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.directory.importing.rows import CannotRead, RefusedRow
from twoleg.reminders.importing.calendar_rows import CalendarOptions, read_calendar
from twoleg.reminders.importing.rows import ImportedAppointment

BERLIN = CalendarOptions(time_zone="Europe/Berlin", country="DE")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PHONE = "ATTENDEE;CN=Eva Muster:tel:+491711234567"


def calendar(*events):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"]
    for event in events:
        lines += ["BEGIN:VEVENT", *event.strip().splitlines(), "END:VEVENT"]
    return "\r\n".join([*(line.strip() for line in lines), "END:VCALENDAR", ""]).encode()


def read(*events, now=NOW):
    return list(read_calendar(calendar(*events), BERLIN, now))


def starts(rows):
    return {row.external_id: row.wall_starts_at.isoformat(" ", "minutes") for row in rows}


def test_an_event_is_an_appointment():
    [row] = read(
        f"""UID:visit-1
        DTSTART;TZID=Europe/Berlin:20260610T103000
        DTEND;TZID=Europe/Berlin:20260610T110000
        SUMMARY:Check-up
        LOCATION:Hauptstr. 1
        ORGANIZER;CN=Dr. Grau:mailto:grau@example.com
        {PHONE}"""
    )
    assert (row.external_id, row.phone_number, row.name) == (
        "visit-1",
        "+491711234567",
        "Eva Muster",
    )
    assert row.wall_starts_at == datetime(2026, 6, 10, 10, 30)
    assert row.time_zone == "Europe/Berlin"
    assert (row.duration_minutes, row.place, row.staff) == (30, "Hauptstr. 1", "Dr. Grau")
    assert row.notes == "Check-up"


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("DTSTART:20260610T083000Z", "2026-06-10 08:30"),
        ("DTSTART:20260610T103000", "2026-06-10 10:30"),
        ("DTSTART;TZID=America/New_York:20260610T043000", "2026-06-10 04:30"),
    ],
)
def test_times_are_of_their_zone_or_of_the_calendars(start, expected):
    [row] = read(f"UID:1\n{start}\n{PHONE}")
    assert starts([row])["1"] == expected
    assert row.starts_at == datetime(2026, 6, 10, 8, 30, tzinfo=UTC)


def test_a_series_is_unrolled_and_keeps_the_clock_over_a_change_of_clocks():
    rows = read(
        f"UID:weekly\nDTSTART;TZID=Europe/Berlin:20261015T090000\nRRULE:FREQ=WEEKLY;COUNT=3\n{PHONE}",
        now=datetime(2026, 10, 1, tzinfo=UTC),
    )
    assert [row.wall_starts_at.hour for row in rows] == [9, 9, 9]
    assert [row.starts_at.hour for row in rows] == [7, 7, 8]
    assert len({row.external_id for row in rows}) == 3


def test_one_of_a_series_that_is_moved_stays_the_same_and_one_taken_out_is_gone():
    series = f"""UID:weekly
        DTSTART;TZID=Europe/Berlin:20260610T090000
        RRULE:FREQ=WEEKLY;COUNT=3
        {PHONE}"""
    before = starts(read(series))
    after = starts(
        read(
            series + "\nEXDATE;TZID=Europe/Berlin:20260624T090000",
            f"""UID:weekly
            RECURRENCE-ID;TZID=Europe/Berlin:20260617T090000
            DTSTART;TZID=Europe/Berlin:20260618T140000
            {PHONE}""",
        )
    )
    assert list(before.values()) == ["2026-06-10 09:00", "2026-06-17 09:00", "2026-06-24 09:00"]
    first, second, third = before
    assert after == {first: "2026-06-10 09:00", second: "2026-06-18 14:00"}
    assert third not in after


def test_a_cancelled_event_says_so():
    [row] = read(f"UID:1\nDTSTART:20260610T083000Z\nSTATUS:CANCELLED\n{PHONE}")
    assert row.cancelled


@pytest.mark.parametrize("name", ["CONTACT", "DESCRIPTION", "LOCATION", "SUMMARY"])
def test_a_number_in_the_text_will_do(name):
    [row] = read(f"UID:1\nDTSTART:20260610T083000Z\n{name}:Eva Muster 0171 1234567")
    assert row.phone_number == "+491711234567"


@pytest.mark.parametrize(
    ("event", "column"),
    [
        (f"UID:1\nDTSTART;VALUE=DATE:20260610\n{PHONE}", "DTSTART"),
        ("UID:1\nDTSTART:20260610T083000Z\nSUMMARY:nobody", "ATTENDEE"),
        ("UID:1\nDTSTART:20260610T083000Z\nATTENDEE:tel:12", "ATTENDEE"),
        (f"UID:{'x' * 300}\nDTSTART:20260610T083000Z\n{PHONE}", "UID"),
    ],
)
def test_an_event_that_cannot_be_taken_is_refused_alone(event, column):
    rows = read(event, f"UID:good\nDTSTART:20260611T083000Z\n{PHONE}")
    [refused] = [row for row in rows if isinstance(row, RefusedRow)]
    assert refused.column == column
    assert [row.external_id for row in rows if isinstance(row, ImportedAppointment)] == ["good"]


@pytest.mark.parametrize("data", [b"", b"phone,start\n", b"BEGIN:VCALENDAR\r\n", b"\xff\xfe\0\0"])
def test_what_is_no_calendar_is_refused_whole(data):
    with pytest.raises(CannotRead):
        list(read_calendar(data, BERLIN, NOW))


@given(st.lists(st.sampled_from([
    "BEGIN:VEVENT", "END:VEVENT", "UID:1", "DTSTART:20260610T083000Z", "DTSTART:2026",
    "RRULE:FREQ=SECONDLY", "RRULE:FREQ=YEARLY;UNTIL=1", "DTEND:19990101T000000Z", PHONE, "X",
    "RECURRENCE-ID:20260610T083000Z", "DURATION:-PT5M", "STATUS:\0", "EXDATE:x",
])))  # fmt: skip
def test_whatever_lines_a_calendar_has_each_event_is_taken_or_refused(lines):
    data = "\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()
    try:
        rows = [row for row, _ in zip(read_calendar(data, BERLIN, NOW), range(50), strict=False)]
    except CannotRead:
        return
    assert all(isinstance(row, ImportedAppointment | RefusedRow) for row in rows)
