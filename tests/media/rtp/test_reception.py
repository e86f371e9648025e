"""Loss, reordering and jitter of a received stream (RFC 3550 appendix A)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.media.reception import RESTARTED, Reception


def fed(sequences, *, frame=0.02):
    reception = Reception()
    steps = [
        reception.arrived(number & 0xFFFF, 160 * number & 0xFFFFFFFF, frame * number)
        for number in sequences
    ]
    return reception, steps


def test_a_whole_stream_loses_nothing_and_has_no_jitter():
    reception, steps = fed(range(1000))
    assert steps == [RESTARTED] + [1] * 999
    assert (reception.received, reception.lost) == (1000, 0)
    assert reception.jitter < 1e-6


def test_a_wrap_of_the_sequence_numbers_is_no_loss():
    reception, _ = fed(range(65_500, 65_600))
    assert (reception.received, reception.lost) == (100, 0)
    assert reception.extended_highest == 65_599


def test_packets_that_do_not_come_are_lost():
    reception, _ = fed(number for number in range(100) if number % 10 != 5)
    assert (reception.received, reception.lost) == (90, 10)


def test_a_late_packet_is_not_lost_and_counts_once():
    reception, steps = fed([1, 2, 4, 5, 3, 3, 6])
    assert steps == [RESTARTED, 1, 2, 1, -2, 0, 1]
    assert (reception.received, reception.lost) == (6, 0)
    assert (reception.late, reception.duplicates) == (1, 1)


def test_a_duplicate_of_the_newest_packet_counts_once():
    reception, steps = fed([1, 2, 2])
    assert steps[-1] == 0
    assert (reception.received, reception.duplicates) == (2, 1)


def test_one_wild_packet_changes_nothing():
    reception, steps = fed([1, 2, 40_000, 3])
    assert steps == [RESTARTED, 1, 0, 1]
    assert (reception.received, reception.lost) == (3, 0)


def test_a_sender_that_restarts_keeps_its_totals():
    reception, steps = fed([1, 2, 4, 40_000, 40_001, 40_002])
    assert steps == [RESTARTED, 1, 2, 0, RESTARTED, 1]
    assert (reception.received, reception.lost) == (5, 1)


def test_another_source_keeps_the_totals():
    reception, _ = fed([1, 2, 4])
    reception.new_source()
    assert reception.arrived(9000, 0, 1.0) == RESTARTED
    assert reception.arrived(9002, 320, 1.04) == 2
    assert (reception.received, reception.lost) == (5, 2)


def test_a_clock_that_jumps_is_a_restart_and_no_jitter():
    reception, _ = fed(range(10))
    assert reception.arrived(10, 5_000_000, 0.2) == RESTARTED
    assert reception.arrived(11, 5_000_160, 0.22) == 1
    assert reception.jitter < 1


def test_jitter_settles_at_the_mean_change_of_transit():
    reception = Reception()
    for number in range(400):
        # Every other packet comes 4 ms late: each transit differs by 32 ticks from the last.
        reception.arrived(number, 160 * number, 0.02 * number + 0.004 * (number % 2))
    assert reception.jitter == pytest.approx(32, rel=0.01)


def test_the_loss_of_a_report_is_that_since_the_one_before():
    reception, _ = fed([*range(50), *range(75, 100)])
    assert reception.loss_since_last_report() == 64
    assert reception.loss_since_last_report() == 0


@given(st.lists(st.integers(0, 0xFFFF), max_size=60))
def test_any_order_of_numbers_keeps_the_counts_sane(sequences):
    reception, _ = fed(sequences)
    assert 0 <= reception.received <= len(sequences)
    assert reception.lost >= 0
    assert 0 <= reception.loss_since_last_report() <= 255
    assert 0 <= reception.extended_highest <= 0xFFFFFFFF
