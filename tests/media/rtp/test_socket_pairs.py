"""Sockets that one leg gives back, and a later one gets."""

import asyncio
import os
import resource
import socket
from contextlib import contextmanager

import pytest

from twoleg.media.plane import SWEEP_SECONDS
from twoleg.media.ports import QUARANTINE_SECONDS
from twoleg.media.relay import ControlRelay, Relay
from twoleg.media.socket_pairs import LOOK_SECONDS, MAX_KEPT, SocketPairs, most_kept

LOOPBACK = "127.0.0.1"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def sockets(clock, free_ports):
    """Two pairs, of which one may be kept."""
    relay, control = Relay(loop := asyncio.get_running_loop()), ControlRelay(loop)
    pairs = SocketPairs(free_ports(4), LOOPBACK, relay, control, clock)
    yield pairs
    pairs.close()
    relay.close()
    control.close()


def test_what_is_kept_is_bounded_by_the_range_and_by_the_limit_of_open_files():
    assert most_kept(5000, 1 << 20) == 2500
    assert most_kept(5000, 1024) == 256
    assert most_kept(30_000, resource.RLIM_INFINITY) == MAX_KEPT


async def test_a_pair_that_has_rested_goes_to_a_later_leg_with_its_sockets(sockets, clock):
    kept, closed = sockets.take(), sockets.take()
    sockets.give_back(kept)
    sockets.give_back(closed)
    assert sockets.kept == 1
    assert sockets.free == 0, "both rest"
    assert closed.rtp.fileno() == -1
    clock.now += QUARANTINE_SECONDS
    assert sockets.free == 2
    again = [sockets.take(), sockets.take()]
    assert kept in again
    for pair in again:
        sockets.give_back(pair)


async def test_what_comes_for_a_leg_that_is_over_reaches_no_other(sockets, clock, until):
    told = []
    kept, other = sockets.take(), sockets.take()
    kept.control = _Told(told)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.sendto(b"to the first", (LOOPBACK, kept.port + 1))
        await until(lambda: told)
        sockets.give_back(kept)
        clock.now += QUARANTINE_SECONDS
        far_end.sendto(b"late", (LOOPBACK, kept.port))
        far_end.sendto(b"late", (LOOPBACK, kept.port + 1))
        assert sockets.take() is kept
    for each in (kept.rtp, kept.rtcp):
        with pytest.raises(BlockingIOError):
            each.recv(100)
    assert [data for data, _ in told] == [b"to the first"]
    for pair in (kept, other):
        sockets.give_back(pair)


async def test_a_pair_that_was_drained_while_it_rested_is_not_asked_for_more(sockets, clock):
    kept, other = sockets.take(), sockets.take()
    look_until(clock.now + QUARANTINE_SECONDS, sockets, clock)
    sockets.give_back(kept)
    look_until(clock.now + QUARANTINE_SECONDS, sockets, clock)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.sendto(b"just now", (LOOPBACK, kept.port))
    assert sockets.take() is kept
    assert kept.rtp.recv(100) == b"just now"
    for pair in (kept, other):
        sockets.give_back(pair)


@pytest.mark.parametrize("looks_before", [0.0, 1.0], ids=["before it looks", "after it has looked"])
async def test_what_came_while_the_loop_was_held_up_reaches_no_other(sockets, clock, looks_before):
    kept, other = sockets.take(), sockets.take()
    look_until(clock.now + 2 * QUARANTINE_SECONDS, sockets, clock)
    sockets.give_back(kept)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.sendto(b"late", (LOOPBACK, kept.port))
    clock.now += QUARANTINE_SECONDS
    look_until(clock.now + looks_before, sockets, clock)
    assert sockets.take() is kept
    assert _is_empty(kept.rtp)
    for pair in (kept, other):
        sockets.give_back(pair)


async def test_what_is_kept_is_closed_before_a_leg_has_to_go_without(sockets, clock):
    kept = sockets.take()
    sockets.give_back(kept)
    with no_more_files():
        taken = sockets.take()
    assert taken is not kept
    assert (sockets.kept, kept.rtp.fileno()) == (0, -1)
    clock.now += QUARANTINE_SECONDS
    again = sockets.take()
    assert again.port == kept.port
    for pair in (taken, again):
        sockets.give_back(pair)


async def test_where_nothing_is_kept_a_leg_is_told_that_there_are_no_more_files(sockets):
    with no_more_files(), pytest.raises(OSError, match="Too many open files"):
        sockets.take()
    assert sockets.free == 1, "the other rests"


@contextmanager
def no_more_files():
    """Let this process open no more files than it has open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def look_until(end, sockets, clock):
    """Look as often as a plane does."""
    while clock.now < end:
        clock.now += SWEEP_SECONDS
        sockets.look(clock.now)


async def test_a_pair_that_rests_is_drained(sockets, until):
    kept = sockets.take()
    sockets.give_back(kept)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.sendto(b"late", (LOOPBACK, kept.port))
        assert kept.rtp.recv(100, socket.MSG_PEEK) == b"late"
    await until(lambda: _is_empty(kept.rtp))


class _Told:
    def __init__(self, told):
        self._told = told

    def receive(self, data, source, _):
        self._told.append((bytes(data), source))


def _is_empty(bound):
    try:
        bound.recv(100, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    return False


async def test_what_nobody_has_needed_for_some_time_is_closed(sockets, clock, open_files):
    before = open_files()
    sockets.give_back(sockets.take())
    assert open_files() == before + 2
    clock.now += QUARANTINE_SECONDS
    sockets.look(clock.now)
    assert sockets.kept == 1, "it has only just become free"
    sockets.look(clock.now + LOOK_SECONDS)
    assert sockets.kept == 0
    assert open_files() == before
    assert sockets.free == 2
