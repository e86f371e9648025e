"""Which numbers may be dialled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.calls.destinations import Refusal, destination
from twoleg.directory.phone_numbers import looks_like_e164


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+18181276543", None, "+18181276543"),
        ("(818) 127-6543", "US", "+18181276543"),
        ("\u202a+1 818 127 6543\u202c", None, "+18181276543"),
        ("030 123456", "DE", "+4930123456"),
        ("tel:+18181276543", None, "+18181276543"),
    ],
)
def test_a_number_is_read_with_the_lines_country_as_default(text, region, number):
    assert destination(text, region).number == number


@pytest.mark.parametrize("text", ["abc", "12", "+1", "", "9" * 60, "\ud800", "+1818127654", "()"])
def test_what_is_no_number_has_none(text):
    assert destination(text, "US").number is None


@pytest.mark.parametrize(
    ("text", "region"),
    [
        *[("911", "US"), ("+1911", "US"), ("9 1 1", "US"), ("112", "US"), ("tel:911", "US")],
        *[("911#", "US"), ("９１１", "US"), ("112", "DE"), ("110", "DE"), ("+49110", None)],
        *[
            ("999", "GB"),
            ("000", "AU"),
            ("15", "FR"),
            ("+33 17", "DE"),
            ("117", "CH"),
            ("144", "CH"),
        ],
        *[("119", "JP"), ("190", "BR"), ("108", "IN"), ("911", "CA")],
    ],
)
def test_emergency_numbers_are_known_by_the_lines_country(text, region):
    assert destination(text, region).refusal(None) is Refusal.EMERGENCY_NUMBER


def test_premium_rate_is_refused_whatever_the_account_allows():
    assert destination("+19005551234", None).refusal(["US"]) is Refusal.DESTINATION_NOT_ALLOWED


@pytest.mark.parametrize("number", ["+499001123456", "+4990011234567", "+49900112345678"])
def test_digits_behind_a_premium_rate_number_do_not_hide_it(number):
    assert destination(number, None).refusal(None) is Refusal.DESTINATION_NOT_ALLOWED


@pytest.mark.parametrize("number", ["+49800112345678", "+18181276543", "+493012345678901"])
def test_a_number_that_no_plan_has_is_not_taken_for_premium_rate(number):
    assert destination(number, None).refusal(None) is None


def test_only_countries_that_the_account_allows_are_dialled():
    german = destination("+4930123456", None)
    assert german.refusal(["US", "CA"]) is Refusal.DESTINATION_NOT_ALLOWED
    assert german.refusal(["DE"]) is None
    assert german.refusal([]) is None


def test_a_country_is_told_even_for_a_block_that_the_plan_does_not_have():
    assert destination("+18181276543", None).country == "US"


@given(st.text(max_size=64), st.sampled_from([None, "US", "DE", "GB"]))
def test_whatever_the_text_the_number_is_e164_or_none(text, region):
    number = destination(text, region).number
    assert number is None or looks_like_e164(number)
