"""How the fields of a call request are read, and which of them are refused at sight."""

import pytest
from call_contract import ENOUGH
from hypothesis import given
from hypothesis import strategies as st

from twoleg.calls.requests import FIELDS, integer, read_call_request

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "value", [1, "1", " 1 ", "+1", 1.0, "\t1\n", True], ids=lambda value: repr(value)
)
def test_an_id_may_be_a_number_or_digits_with_blanks_around(value):
    assert read_call_request(ENOUGH | {"user_id": value}).user_id == 1


@pytest.mark.parametrize(
    "value",
    ["1.0", 1.5, "abc", False, [1], {"id": 1}, "01", "1e3", "٣", 2**63, "9" * 30, 1e300],
    ids=lambda value: repr(value)[:20],
)
def test_an_id_that_is_no_integer_is_named_as_such(value):
    errors = read_call_request(ENOUGH | {"user_id": value}).errors
    assert errors == {"user_id": ["The user_id must be an integer."]}


@pytest.mark.parametrize("nothing", ["", "  ", None, "\0", [], {}])
def test_empty_strings_and_null_count_as_missing(nothing):
    errors = read_call_request(ENOUGH | {"user_id": nothing}).errors
    assert errors == {"user_id": ["The user_id field is required."]}


def test_a_field_that_is_wrong_gets_no_second_error_and_its_pair_is_not_required():
    errors = read_call_request({"user_id": "x", "contact_id": "y", "line_id": "z"}).errors
    assert errors == {
        "contact_id": ["The contact_id must be an integer."],
        "line_id": ["The line_id must be an integer."],
        "user_id": ["The user_id must be an integer."],
    }


@pytest.mark.parametrize("nothing", [[], {}])
def test_an_empty_list_is_no_id_where_nothing_is_required(nothing):
    fields = ENOUGH | {"ring_group_id": nothing, "user_phone_number": nothing}
    assert read_call_request(fields).errors == {
        "ring_group_id": ["The ring_group_id must be an integer."],
        "user_phone_number": ["The user_phone_number field must be a valid phone number."],
    }


def test_a_ring_group_stands_in_for_the_user():
    request = read_call_request({"ring_group_id": "7", "contact_id": 1, "line_id": 1})
    assert (request.ring_group_id, request.user_id, request.errors) == (7, None, {})


def test_a_users_own_number_needs_the_user():
    errors = read_call_request(
        {"ring_group_id": 1, "contact_id": 1, "line_id": 1, "user_phone_number": "+18181234567"}
    ).errors
    assert errors == {
        "user_id": ["The user_id field is required when user_phone_number is present."]
    }


def test_a_phone_number_may_come_as_a_json_number():
    request = read_call_request(ENOUGH | {"contact_phone_number": 18181276543})
    assert request.contact_phone_number == "18181276543"


@pytest.mark.parametrize("value", [["+1"], {"a": 1}, True, "1" * 65, 1.5])
def test_a_phone_number_of_another_type_or_without_end_is_not_valid(value):
    errors = read_call_request(ENOUGH | {"contact_phone_number": value}).errors
    assert errors == {
        "contact_phone_number": ["The contact_phone_number field must be a valid phone number."]
    }


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_whatever_the_fields_hold_each_is_read_or_has_one_error(fields):
    request = read_call_request(fields)
    for name in FIELDS:
        assert getattr(request, name) is None or name not in request.errors
    assert all(len(texts) == 1 for texts in request.errors.values())


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_id_that_the_database_can_hold_reads_back(number):
    assert integer(str(number)) == integer(number) == number
