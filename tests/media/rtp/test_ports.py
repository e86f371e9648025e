"""Pairs of ports: allocation, quarantine, exhaustion."""

import socket

import pytest

from twoleg.media import EmbeddedPlane, NoPortsLeft
from twoleg.media.ports import IN_USE_SECONDS, OPEN_TO_CHOOSE_FROM, PortPairs


def test_pairs_are_even_and_inside_the_range():
    pairs = PortPairs(range(10_001, 10_010))
    taken = {pairs.take(0) for _ in range(4)}
    assert taken == {10_002, 10_004, 10_006, 10_008}
    with pytest.raises(NoPortsLeft) as refused:
        pairs.take(0)
    assert refused.value.ports == range(10_001, 10_010)


def test_a_range_that_ends_on_an_even_port_leaves_it_out():
    assert PortPairs(range(10_000, 10_003)).free(0) == 1


def test_a_released_pair_rests_before_it_is_used_again():
    pairs = PortPairs(range(10_000, 10_002), quarantine_seconds=5)
    port = pairs.take(0)
    pairs.release(port, 1)
    assert pairs.free(5.9) == 0
    with pytest.raises(NoPortsLeft):
        pairs.take(5.9)
    assert pairs.take(6) == port


def test_pairs_that_were_left_open_come_first_once_there_are_enough_to_choose_from():
    several = OPEN_TO_CHOOSE_FROM + 2
    pairs = PortPairs(range(10_000, 20_000), quarantine_seconds=5)
    used = [pairs.take(0) for _ in range(several)]
    for port in used:
        pairs.release(port, 0, left_open=True)
    again = [pairs.take(6) for _ in range(several)]
    assert [port in used for port in again] == [True] * 2 + [False] * (several - 2)


def test_pairs_that_were_left_open_are_all_taken_before_a_range_is_said_to_be_full():
    pairs = PortPairs(range(10_000, 10_004), quarantine_seconds=5)
    both = {pairs.take(0), pairs.take(0)}
    for port in both:
        pairs.release(port, 0, left_open=True)
    assert pairs.free(6) == 2
    assert {pairs.take(6), pairs.take(6)} == both


def test_pairs_that_were_left_open_are_closed_where_nobody_needed_as_many():
    pairs = PortPairs(range(10_000, 10_008), quarantine_seconds=5)
    for port in [pairs.take(0) for _ in range(4)]:
        pairs.release(port, 0, left_open=True)
    assert pairs.close_unneeded(6) == [], "they have only just become free"
    taken = [pairs.take(7), pairs.take(7)]
    for port in taken:
        pairs.release(port, 7, left_open=True)
    closed = pairs.close_unneeded(14)
    assert len(closed) == 2
    assert not set(closed) & set(taken)
    assert sorted(pairs.close_unneeded(20)) == sorted(taken)
    assert pairs.free(20) == 4


def test_a_pair_held_by_somebody_else_is_tried_again_later():
    pairs = PortPairs(range(10_000, 10_004))
    held = pairs.take(0)
    pairs.found_in_use(held, 0)
    assert pairs.take(0) != held
    assert pairs.take(IN_USE_SECONDS) == held


async def test_a_pair_of_which_another_process_holds_one_port_is_skipped():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        even = held.getsockname()[1] & ~1
        async with EmbeddedPlane.open(host="127.0.0.1", ports=range(even, even + 2)) as plane:
            with pytest.raises(NoPortsLeft):
                async with plane.open_port():
                    pass
            assert plane.ports_free == 0


async def test_ports_run_out_and_closing_one_puts_it_to_rest(plane_of):
    async with plane_of(pairs=2) as plane:
        async with plane.open_port() as first, plane.open_port() as second:
            assert first.port != second.port
            assert plane.ports_free == 0
            with pytest.raises(NoPortsLeft):
                async with plane.open_port():
                    pass
        assert plane.ports_open == 0
        assert plane.ports_free == 0, "both are resting"
