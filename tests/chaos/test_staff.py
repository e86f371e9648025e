"""What a chaos run makes of a user who is rung by two calls at once."""

import pytest
from chaos.answerers import RungLeg
from chaos.staff import number_of, rung_by_two


def leg(rang_at, over_at, **values):
    number = values.pop("number", number_of(1))
    return RungLeg(number, 5060, rang_at, over_at=over_at, **values)


@pytest.mark.parametrize("over_at", [None, 15.0, 11.5])
def test_a_user_who_is_rung_during_another_call_is_a_fault(over_at):
    assert len(rung_by_two([leg(5.0, over_at), leg(10.0, 20.0)], [])) == 1


@pytest.mark.parametrize(
    ("before", "crashes"),
    [
        (leg(5.0, 10.1), []),
        (leg(5.0, None, is_left=True), []),
        (leg(5.0, None), [6.5]),
        (leg(5.0, None, number=number_of(2)), []),
        (leg(5.0, None, number="+41435550001"), []),
    ],
)
def test_one_call_after_another_and_what_a_crash_has_left_are_none(before, crashes):
    assert rung_by_two([leg(10.0, 20.0), before], crashes) == []
