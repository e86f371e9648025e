"""UDP: who is not there is told by ICMP, and much that comes at once is read in goes."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sip_io.phones import ANSWER, call_to, destination_of, phone
from waiting import until

from twoleg.sip import Destination, RefusalCause, Transport
from twoleg.sip_io import KnownAddresses, LegRefused, Listen, Phone, PhoneConfig, RequestFailed
from twoleg.sip_io.pace import BUSY, LOOK_SECONDS, QUIET, Pace
from twoleg.sip_io.udp import BATCH, UdpEndpoint


class Received:
    """An inbox that keeps what comes, and has more read at its own pace."""

    def __init__(self):
        self.received = []
        self.beginnings = []
        self.pace = Pace()

    def datagrams(self, received):
        self.received += [data for data, _ in received]
        busy = self.pace.is_busy(len(received), asyncio.get_running_loop().time())
        return self.pace.seconds if busy else 0.0

    def undelivered(self, beginning):
        self.beginnings.append(beginning)


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request):
    return request.param


@pytest.fixture
def endpoint(host):
    inbox = Received()

    async def opened():
        return UdpEndpoint.open(inbox, host, 0), inbox

    return opened


def nobody_at(host):
    """Give a port that has just been closed."""
    with far_end(host) as closed:
        return closed.getsockname()[1]


def far_end(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.bind((host, 0))
    return opened


async def test_a_request_to_nobody_is_refused_by_icmp_and_not_sent_again():
    async with phone() as alice:
        async with phone() as bob:
            request = call_to(bob)
        async with alice.ring(request) as leg:
            with pytest.raises(LegRefused) as refused:
                await leg.answered()
        assert (refused.value.status, refused.value.cause) == (503, RefusalCause.TRANSPORT)
        with pytest.raises(RequestFailed):
            await alice.options(request.target, request.destinations)
        assert alice.core_counters.undelivered == 2
        assert alice.core_counters.retransmissions_sent == 0


async def test_where_nobody_is_the_next_destination_is_tried():
    async with phone() as alice, phone() as bob:
        nobody = Destination(Transport.UDP, "127.0.0.1", nobody_at("127.0.0.1"))
        request = call_to(bob, destinations=(nobody, destination_of(bob)))
        async with alice.ring(request) as leg:
            call = await anext(bob.incoming())
            call.accept(ANSWER)
            assert (await leg.answered()).body == ANSWER
        assert alice.core_counters.retransmissions_sent == 0


async def test_nobody_is_noticed_over_ipv6_too():
    config = PhoneConfig(listen=(Listen(Transport.UDP, "::1"),))
    async with Phone.open(config, KnownAddresses({"::1"})) as alice:
        nobody = Destination(Transport.UDP, "::1", nobody_at("::1"))
        with pytest.raises(RequestFailed):
            await alice.options(call_to(alice).target, (nobody,))
        assert alice.core_counters.undelivered == 1


async def test_what_icmp_says_of_one_far_end_fails_no_datagram_to_another(endpoint, host):
    opened, inbox = await endpoint()
    nobody = nobody_at(host)
    with far_end(host) as there:
        for number in range(5):
            assert opened.send(b"to nobody", host, nobody)
            assert opened.send(b"%d" % number, host, there.getsockname()[1])
        assert [there.recv(100) for _ in range(5)] == [b"%d" % number for number in range(5)]
        there.sendto(b"still here", (host, opened.local.port))
        await until(lambda: inbox.received == [b"still here"])
    await until(lambda: inbox.beginnings)
    assert set(inbox.beginnings) == {b"to nobody"}
    opened.close()


async def test_what_cannot_be_sent_at_all_is_said_at_once(endpoint, host):
    opened, inbox = await endpoint()
    assert not opened.send(b"x" * 70_000, host, 5060)
    assert not opened.send(b"x", "not an address", 5060)
    with far_end(host) as there:
        assert opened.send(b"x", host, there.getsockname()[1])
        assert there.recv(100) == b"x"
    assert b"x" not in inbox.beginnings
    opened.close()


async def test_all_of_a_burst_is_read_in_its_order_and_what_comes_later_too(endpoint, host):
    opened, inbox = await endpoint()
    burst = [b"%d" % number for number in range(20 * BATCH)]
    with far_end(host) as there:
        for data in burst:
            there.sendto(data, (host, opened.local.port))
            if len(inbox.received) % BATCH == 0:
                await asyncio.sleep(0)
        await until(lambda: len(inbox.received) == len(burst))
        assert inbox.received == burst
        await until(lambda: not opened.is_read_in_goes)
        there.sendto(b"later", (host, opened.local.port))
        await until(lambda: inbox.received[-1] == b"later")
    opened.close()


async def test_an_endpoint_may_close_while_it_is_read_in_goes(endpoint, host):
    opened, _ = await endpoint()
    with far_end(host) as there:
        async with asyncio.timeout(60):
            while not opened.is_read_in_goes:
                there.sendto(b"x", (host, opened.local.port))
                await asyncio.sleep(0)
    opened.close()
    assert not opened.is_read_in_goes
    assert not opened.send(b"x", host, 5060)


async def test_an_inbox_that_fails_under_load_does_not_end_the_reading(endpoint, host):
    opened, inbox = await endpoint()
    with far_end(host) as there:
        async with asyncio.timeout(60):
            while not opened.is_read_in_goes:
                there.sendto(b"x", (host, opened.local.port))
                await asyncio.sleep(0)
        failed = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda *_: failed.set())
        inbox.pace = None
        await failed.wait()
        inbox.pace = Pace()
        there.sendto(b"later", (host, opened.local.port))
        await until(lambda: inbox.received[-1] == b"later")
    opened.close()


@given(st.lists(st.integers(0, 64), min_size=1, max_size=200))
def test_reading_waits_only_where_much_has_come(counts):
    pace, now, each = Pace(), 0.0, LOOK_SECONDS / 10
    for count in counts:
        now += each
        if pace.is_busy(count, now):
            assert max(counts) >= QUIET * each
    for _ in range(21):
        now += each
        busy = pace.is_busy(0, now)
    assert not busy


def test_the_pace_is_entered_at_one_rate_and_left_at_a_lower_one():
    pace, now = Pace(), 0.0

    def told(rate):
        nonlocal now
        now += 2 * LOOK_SECONDS
        return pace.is_busy(round(rate * 2 * LOOK_SECONDS), now)

    between = (BUSY + QUIET) // 2
    assert [told(between), told(2 * BUSY), told(between), told(QUIET // 2), told(between)] == [
        False,
        True,
        True,
        False,
        False,
    ]
