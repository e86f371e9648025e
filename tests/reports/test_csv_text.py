"""Cells of a CSV file mean what they say, and nothing else."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.reports.csv_text import csv_line

PLAIN = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1-1",
        "@SUM(A1)",
        '=HYPERLINK("http://x")',
        "\t=1",
        " =1",
        "-x",
        "+",
        "\n@x",
    ],
)
def test_what_would_be_a_formula_is_text(text) -> None:
    [[cell]] = csv.reader([csv_line([text])])
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", ["+18181276543", "-1.5", "Dr. Gray", "", "a=b", "1-2", "ä,ö;ü"])
def test_numbers_and_words_stay_as_they_are(text) -> None:
    [[cell, _]] = csv.reader([csv_line([text, "x"])])
    assert cell == text


def test_values_are_written_as_the_api_has_them() -> None:
    at = datetime(2026, 6, 10, 8, 30, tzinfo=UTC)
    line = csv_line([None, 3, 0.25, at, at.replace(tzinfo=None), 'a "b"'])
    assert line == ',3,0.25,2026-06-10T08:30:00Z,2026-06-10T08:30:00,"a ""b"""\r\n'


@given(st.lists(PLAIN, min_size=2))
def test_a_line_is_read_back_as_one_line(cells) -> None:
    [read] = csv.reader([csv_line(cells)])
    assert [cell.removeprefix("'") for cell in read] == [cell.removeprefix("'") for cell in cells]
