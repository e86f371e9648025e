"""Appointments in CSV files, as spreadsheets and practice systems write them."""

import codecs
import io
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.directory.importing.csv_tables import lines_of
from twoleg.directory.importing.rows import CannotRead, RefusedRow
from twoleg.reminders.importing.csv_rows import Column, CsvOptions, read_csv
from twoleg.reminders.importing.rows import ImportedAppointment

GERMAN = CsvOptions(time_zone="Europe/Berlin", country="DE")


def read(text, options=GERMAN):
    return list(read_csv(text.splitlines(keepends=True), options))


def only(text, options=GERMAN):
    [row] = read(text, options)
    assert isinstance(row, ImportedAppointment), row
    return row


def test_a_file_with_everything_is_read():
    row = only(
        "Patient Name,Phone,Start,Duration,Location,Doctor,Notes,Appointment ID,Language\n"
        '"Muster, Eva",0171 1234567,2026-06-10 10:30,30 min,Hauptstr. 1,Dr. Grau,,T-17,de\n'
    )
    assert row.name == "Muster, Eva"
    assert row.phone_number == "+491711234567"
    assert row.wall_starts_at == datetime(2026, 6, 10, 10, 30)
    assert row.starts_at.isoformat() == "2026-06-10T08:30:00+00:00"
    assert (row.duration_minutes, row.place, row.staff) == (30, "Hauptstr. 1", "Dr. Grau")
    assert (row.notes, row.external_id, row.language) == (None, "T-17", "de")


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("phone;start", "+491711234567;10.06.2026 10:30"),
        ("phone\tdate\ttime", "+491711234567\t10/06/2026\t10:30 am"),
        ("phone;fecha;hora", "+491711234567;10/06/2026;10h30"),
        ("phone;date;heure", "+491711234567;2026/06/10;10H30"),
        ("phone;start", "+491711234567;10.06.2026 10:30 Uhr"),
        ("Telefon;Datum;Uhrzeit", "+491711234567;10.06.2026;10.30"),
        ("phone,starts_at", "+491711234567,2026-06-10T10:30"),
        ("phone,starts_at", "+491711234567,2026-06-10T08:30:00Z"),
        ("phone,start,time zone", "+491711234567,2026-06-10 04:30,America/New_York"),
        ("\ufeffPhone Number,Start Time", "+491711234567,20260610 1030"),
    ],
)
def test_the_ways_in_which_people_write_dates_and_columns_are_known(header, cells):
    assert only(f"{header}\n{cells}\n").starts_at.isoformat() == "2026-06-10T08:30:00+00:00"


@pytest.mark.parametrize(
    ("country", "month"), [("US", 6), ("CA", 6), (None, 6), ("GB", 10), ("FR", 10), ("AU", 10)]
)
def test_which_of_two_numbers_is_the_month_is_what_people_mean_there(country, month):
    options = CsvOptions(time_zone="UTC", country=country)
    row = only("phone,start\n+491711234567,06/10/2026 10:30\n", options)
    assert row.wall_starts_at == datetime(2026, month, 16 - month, 10, 30)
    [refused] = read("phone,start\n+491711234567,13/13/2026 10:30\n", options)
    assert f"({'10.06.2026 and 06/10/2026' if month == 6 else '10.06.2026 and 10/06/2026'}" in (
        refused.message
    )


def test_an_instant_stays_it_where_the_clocks_show_it_twice():
    row = only("phone,start\n+491711234567,2026-10-25T02:30:00+01:00\n")
    assert row.wall_starts_at == datetime(2026, 10, 25, 2, 30)
    assert row.starts_at.isoformat() == "2026-10-25T01:30:00+00:00"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_files_are_read_in_the_charsets_and_with_the_line_ends_that_spreadsheets_write(
    charset, ends
):
    text = ends.join(
        ["Name;Telefon;Termin", '"Müßig;\n""Zoë""";+491711234567;10.06.2026 10:30', ""]
    ).replace("\n", ends)
    mark = codecs.BOM_UTF16_LE if charset == "utf-16-le" else b""
    file = io.BytesIO(mark + text.encode(charset))
    [row] = read_csv(lines_of(file), GERMAN)
    assert row.name == f'Müßig;{ends}"Zoë"'
    assert row.wall_starts_at == datetime(2026, 6, 10, 10, 30)
    assert not file.closed
    assert file.tell() == len(file.getvalue()), "its reader is told how far it is"


def test_a_row_that_is_too_short_or_too_long_is_read_as_far_as_it_goes():
    rows = read(
        "phone,start,notes\n+491711234567,2026-06-10 10:30\n"
        "+491711234567,2026-06-10 11:30,bring,the,card\n"
    )
    assert [row.notes for row in rows] == [None, "bring"]


def test_what_a_spreadsheet_would_take_for_a_formula_is_text():
    row = only("name,phone,start,notes\n=1+1,+491711234567,2026-06-10 10:30,@SUM(A1)\n")
    assert (row.name, row.notes) == ("=1+1", "@SUM(A1)")


def test_columns_can_be_named():
    options = CsvOptions(
        time_zone="UTC",
        country="US",
        columns={"Rufnr": Column.PHONE_NUMBER, "Wann": Column.STARTS_AT},
    )
    row = only("Rufnr,Wann,Phone\n818 127 6543,2026-06-10 10:30,nothing\n", options)
    assert row.phone_number == "+18181276543"


def test_a_cancelled_one_says_so():
    row = only("phone,start,status\n+491711234567,2026-06-10 10:30,Cancelled\n")
    assert row.cancelled


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (",2026-06-10 10:30,,", "phone_number"),
        ("nobody,2026-06-10 10:30,,", "phone_number"),
        ("+491711234567,,,", "starts_at"),
        ("+491711234567,next week,,", "starts_at"),
        ("+491711234567,2026-06-10,,", "starts_at"),
        ("+491711234567,2026-02-30 10:00,,", "starts_at"),
        ("+491711234567,1826-06-10 10:00,,", "starts_at"),
        ("+491711234567,2026-06-10 10:30,Berlin,", "time_zone"),
        ("+491711234567,2026-06-10 10:30,,long", "duration_minutes"),
        ("+491711234567,2026-06-10 10:30,,99999", "duration_minutes"),
        ("+49171\0" + "1234567,2026-06-10 10:30,,", "phone_number"),
    ],
)
def test_a_row_that_cannot_be_taken_is_refused_alone_and_says_why(cells, column):
    good = "+491711234567,2026-06-10 10:30,,"
    rows = read(f"phone,start,zone,duration\n{good}\n{cells}\n\n{good}\n")
    assert [type(row) for row in rows] == [ImportedAppointment, RefusedRow, ImportedAppointment]
    assert (rows[1].row, rows[1].column) == (2, column)
    assert column in rows[1].message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "phone_number"),
        ("a,b,c\n1,2,3\n", "phone_number"),
        ("phone,colour\n1,2\n", "starts_at"),
        ("phone,start\n" + '"' + "x" * 200_000, "Line 2"),
        (",".join(map(str, range(300))), "columns"),
    ],
)
def test_a_file_that_is_no_use_is_refused_whole(text, part):
    with pytest.raises(CannotRead) as caught:
        read(text)
    assert part in caught.value.message


def test_a_mapping_of_a_column_that_is_not_there_is_said():
    with pytest.raises(CannotRead, match="Wann"):
        read("phone,start\n", CsvOptions(time_zone="UTC", columns={"Wann": Column.STARTS_AT}))


@given(st.text(max_size=200))
def test_whatever_the_rows_hold_each_is_taken_or_refused(text):
    try:
        rows = read("phone,start,duration,zone,name\n" + text)
    except CannotRead:
        return
    assert all(isinstance(row, ImportedAppointment | RefusedRow) for row in rows)
