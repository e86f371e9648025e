"""Appointments in iCalendar files: series, exceptions, zones and what is broken."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.directory.importing.rows import CannotRead, RefusedRow
from twoleg.reminders.importing import calendar_rows
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
        ("DTSTART:20260610T083000Z", "2026-06-10 10:30"),
        ("DTSTART:20260610T103000", "2026-06-10 10:30"),
        ("DTSTART;TZID=America/New_York:20260610T043000", "2026-06-10 04:30"),
    ],
)
def test_times_are_of_their_zone_or_of_the_calendars(start, expected):
    [row] = read(f"UID:1\n{start}\n{PHONE}")
    assert starts([row])["1"] == expected
    assert row.starts_at == datetime(2026, 6, 10, 8, 30, tzinfo=UTC)


# A calendar of Outlook's, with a zone that has no name elsewhere.
OWN_ZONE = """BEGIN:VTIMEZONE
TZID:Practice time
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""


@pytest.mark.parametrize(
    ("zone", "defined"),
    [
        ("Practice time", OWN_ZONE),
        ("W. Europe Standard Time", OWN_ZONE.replace("Practice time", "W. Europe Standard Time")),
        ("W. Europe Standard Time", ""),
    ],
    ids=["of its own", "of Windows", "of Windows, not defined"],
)
def test_a_zone_that_the_calendar_defines_changes_its_clocks_too(zone, defined):
    data = calendar(
        f"UID:1\nDTSTART;TZID={zone}:20261015T090000\nRRULE:FREQ=WEEKLY;COUNT=3\n{PHONE}"
    ).replace(b"BEGIN:VEVENT", defined.replace("\n", "\r\n").encode() + b"BEGIN:VEVENT", 1)
    rows = list(read_calendar(data, BERLIN, datetime(2026, 10, 1, tzinfo=UTC)))
    assert [row.wall_starts_at.hour for row in rows] == [9, 9, 9]
    assert [row.starts_at.hour for row in rows] == [7, 7, 8]


def test_a_time_in_utc_stays_that_instant_where_the_clocks_show_it_twice():
    second = "UID:1\nDTSTART:20261025T013000Z\n" + PHONE
    [row] = read(second, now=datetime(2026, 10, 1, tzinfo=UTC))
    assert row.wall_starts_at == datetime(2026, 10, 25, 2, 30)
    assert row.starts_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


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


def test_one_of_a_series_that_is_cancelled_says_so_and_the_others_do_not():
    rows = read(
        f"""UID:weekly
        DTSTART;TZID=Europe/Berlin:20260610T090000
        RRULE:FREQ=WEEKLY;COUNT=3
        {PHONE}""",
        f"""UID:weekly
        RECURRENCE-ID;TZID=Europe/Berlin:20260617T090000
        DTSTART;TZID=Europe/Berlin:20260617T090000
        STATUS:CANCELLED
        {PHONE}""",
    )
    assert [(row.wall_starts_at.day, row.cancelled) for row in rows] == [
        (10, False),
        (17, True),
        (24, False),
    ]


def test_where_the_rest_of_a_series_is_moved_each_stays_the_same():
    series = f"""UID:weekly
        DTSTART;TZID=Europe/Berlin:20260610T090000
        RRULE:FREQ=WEEKLY;COUNT=4
        {PHONE}"""
    before = starts(read(series))
    after = starts(
        read(
            series,
            f"""UID:weekly
            RECURRENCE-ID;TZID=Europe/Berlin;RANGE=THISANDFUTURE:20260617T090000
            DTSTART;TZID=Europe/Berlin:20260618T113000
            {PHONE}""",
        )
    )
    assert list(after) == list(before)
    assert list(after.values()) == [
        "2026-06-10 09:00",
        "2026-06-18 11:30",
        "2026-06-25 11:30",
        "2026-07-02 11:30",
    ]


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
        (f"UID:1\n{PHONE}", "DTSTART"),
        (f"UID:1\nDTSTART:2026\n{PHONE}", "DTSTART"),
        (f"UID:1\nDTSTART:20260610T083000Z\nRRULE:FREQ=NEVER\n{PHONE}", "RRULE"),
        (f"UID:1\nDTSTART:20260610T083000Z\nRRULE:FREQ=DAILY;UNTIL=1\n{PHONE}", "RRULE"),
    ],
)
def test_an_event_that_cannot_be_taken_is_refused_alone(event, column):
    rows = read(event, f"UID:good\nDTSTART:20260611T083000Z\n{PHONE}")
    [refused] = [row for row in rows if isinstance(row, RefusedRow)]
    assert refused.column == column
    assert refused.values["uid"] == event.partition("\n")[0].removeprefix("UID:")[:255]
    assert [row.external_id for row in rows if isinstance(row, ImportedAppointment)] == ["good"]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MINUTELY",
        "FREQ=DAILY;BYHOUR=8,9;BYMINUTE=" + ",".join(map(str, range(60))),
        "FREQ=YEARLY;BYSECOND=" + ",".join(map(str, range(60))),
    ],
)
def test_a_line_that_stands_for_millions_of_events_is_refused_with_its_file(rule):
    with pytest.raises(CannotRead, match="'1' is repeated by the hour or more often"):
        read(f"UID:1\nDTSTART:20260610T083000Z\nRRULE:{rule}\n{PHONE}")


def test_a_calendar_with_too_many_events_is_left_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(calendar_rows, "MAX_EVENTS", 150)
    daily = [f"UID:{n}\nDTSTART:20260610T083000Z\nRRULE:FREQ=DAILY\n{PHONE}" for n in range(3)]
    assert len(read(daily[0])) == 111
    with pytest.raises(CannotRead, match="more than 150 events"):
        read(*daily)


def test_a_calendar_whose_series_take_too_long_is_left(monkeypatch):
    monkeypatch.setattr(calendar_rows, "UNROLL_SECONDS", -1.0)
    with pytest.raises(CannotRead, match="series take more than"):
        read(f"UID:1\nDTSTART:20260610T083000Z\nRRULE:FREQ=DAILY\n{PHONE}")


@pytest.mark.parametrize("data", [b"", b"phone,start\n", b"BEGIN:VCALENDAR\r\n", b"\xff\xfe\0\0"])
def test_what_is_no_calendar_is_refused_whole(data):
    with pytest.raises(CannotRead):
        list(read_calendar(data, BERLIN, NOW))


@given(st.lists(st.sampled_from([
    "BEGIN:VEVENT", "END:VEVENT", "UID:1", "DTSTART:20260610T083000Z", "DTSTART:2026",
    "RRULE:FREQ=SECONDLY", "RRULE:FREQ=YEARLY;UNTIL=1", "DTEND:19990101T000000Z", PHONE, "X",
    "RECURRENCE-ID:20260610T083000Z", "DURATION:-PT5M", "STATUS:\0", "EXDATE:x", "UID:2",
    "RECURRENCE-ID;RANGE=THISANDFUTURE:20260610T083000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:x",
    "RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=NEVER", "DTSTART;VALUE=DATE:20260610", "RDATE:x",
    "DTSTART;TZID=Europe/Berlin:20260610T083000", "EXDATE:20260610T083000Z", "DTEND:x",
    "RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20260610",
])))  # fmt: skip
def test_whatever_lines_a_calendar_has_each_event_is_taken_or_refused(lines):
    data = "\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()
    try:
        rows = [row for row, _ in zip(read_calendar(data, BERLIN, NOW), range(50), strict=False)]
    except CannotRead:
        return
    assert all(isinstance(row, ImportedAppointment | RefusedRow) for row in rows)
