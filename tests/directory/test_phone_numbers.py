"""Phone numbers, however people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.directory.phone_numbers import (
    InvalidPhoneNumber,
    country_of,
    looks_like_e164,
    normalise,
    parse,
)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+18181276543", None, "+18181276543"),
        ("+1 (818) 127-6543", None, "+18181276543"),
        ("(818) 127-6543", "US", "+18181276543"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 20 7946 0958", "US", "+442079460958"),
        ("tel:+1-818-127-6543", None, "+18181276543"),
        ("1-800-FLOWERS", "US", "+18003569377"),
    ],
)
def test_a_number_becomes_e164(text, region, number):
    assert normalise(text, region) == number


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("8181276543", None),
        ("12", "US"),
        ("abc", "US"),
        ("", "US"),
        ("+", None),
        ("+999123456789", None),
        ("+1818127654321234", None),
        ("1" * 10_000, "US"),
    ],
)
def test_what_is_no_number_is_refused_with_what_was_given(text, region):
    with pytest.raises(InvalidPhoneNumber) as refused:
        normalise(text, region)
    assert len(refused.value.text) <= 64


@pytest.mark.parametrize(
    ("number", "country"),
    [("+18181276543", "US"), ("+16132345678", "CA"), ("+4930901820", "DE"), ("+80012345678", None)],
)
def test_a_number_tells_its_country_where_it_has_one(number, country):
    assert country_of(parse(number, None)) == country


@given(st.text(max_size=80), st.sampled_from([None, "US", "GB", "DE", "ZZ"]))
def test_any_text_is_a_number_or_refused_and_a_number_stays_what_it_is(text, region):
    try:
        number = normalise(text, region)
    except InvalidPhoneNumber:
        return
    assert looks_like_e164(number)
    assert normalise(number) == number
