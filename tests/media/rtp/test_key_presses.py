"""A far end that tells of a key in several ways has pressed it once."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.key_presses import MAX_REMEMBERED, SAME_PRESS_SECONDS, KeyPresses, Way


def digits(told):
    """Give the digits that count of what is told, as (digit, way, time)."""
    presses = KeyPresses()
    return [digit for digit, way, at in told if presses.is_new(digit, way, at)]


def test_the_same_key_in_all_ways_is_one_digit():
    assert digits([("1", Way.EVENT, 0.0), ("1", Way.TONES, 0.05), ("1", Way.INFO, 0.3)]) == ["1"]


def test_the_same_key_twice_in_two_ways_is_two_digits_in_whatever_order_they_come():
    one_after_another = [(way, at) for at in (0.0, 0.4) for way in (Way.EVENT, Way.INFO)]
    assert digits([("1", way, at) for way, at in one_after_another]) == ["1", "1"]
    late = [(Way.EVENT, 0.0), (Way.EVENT, 0.2), (Way.INFO, 0.4), (Way.INFO, 0.5)]
    assert digits([("1", way, at) for way, at in late]) == ["1", "1"]


@pytest.mark.parametrize("way", list(Way))
def test_a_far_end_that_knows_one_way_is_taken_at_its_word(way):
    assert digits([("1", way, at / 10) for at in range(5)]) == ["1"] * 5


def test_what_comes_much_later_is_another_press():
    assert digits([("1", Way.EVENT, 0.0), ("1", Way.INFO, SAME_PRESS_SECONDS)]) == ["1", "1"]


@given(
    st.text("0123456789*#", max_size=3 * MAX_REMEMBERED),
    st.sampled_from([{Way.EVENT, Way.INFO}, {Way.INFO, Way.TONES}, set(Way)]),
)
def test_whatever_is_pressed_is_counted_as_it_was_pressed(pressed, ways):
    clock = count()
    told = [(digit, way, next(clock) / 10) for digit in pressed for way in sorted(ways, key=str)]
    assert "".join(digits(told)) == pressed
