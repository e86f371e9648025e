"""Digits as telephone-events (RFC 4733)."""

from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.dtmf import DIGITS, DigitReceiver, event_payload


def press(digit, timestamp, *, ends=3, frames=5):
    """All packets of one key press: updates, then the end three times."""
    updates = [event_payload(digit, 160 * (n + 1)) for n in range(frames)]
    end = [event_payload(digit, 160 * frames, end=True)] * ends
    return [(payload, timestamp) for payload in updates + end]


def heard(packets):
    receiver = DigitReceiver()
    return [digit for packet in packets if (digit := receiver.receive(*packet)) is not None]


def test_a_key_press_is_one_digit_however_often_it_is_repeated():
    assert heard(press("5", 1000)) == ["5"]


def test_the_same_key_twice_is_two_digits():
    assert heard(press("5", 1000) + press("5", 3000)) == ["5", "5"]


def test_a_lost_end_neither_loses_nor_doubles_a_digit():
    assert heard(press("1", 1000, ends=0) + press("2", 3000, ends=0)) == ["1", "2"]


def test_a_lost_start_does_not_lose_the_digit():
    assert heard(press("#", 1000)[4:]) == ["#"]


def test_a_late_repetition_of_an_earlier_digit_is_not_a_new_one():
    assert heard(press("1", 1000) + press("2", 3000) + press("1", 1000)[-1:]) == ["1", "2"]


def test_a_key_held_for_many_seconds_is_one_digit():
    first = [*press("9", 1000, ends=0), (event_payload("9", 0xFFFF), 1000)]
    assert heard(first + press("9", 1000 + 0xFFFF)) == ["9"]


def test_events_that_are_no_digits_are_left_alone():
    flash = b"\x10\x0a\x00\xa0"
    assert heard([(flash, 1000)]) == []


def test_all_sixteen_digits_are_known():
    packets = [p for n, digit in enumerate(DIGITS) for p in press(digit, 4000 * n)]
    assert heard(packets) == list(DIGITS)


@given(st.lists(st.tuples(st.binary(max_size=8), st.integers(0, 0xFFFFFFFF)), max_size=20))
def test_nothing_that_a_phone_sends_raises(packets):
    assert set(heard(packets)) <= set(DIGITS)
