"""Where DNS leads: one destination after another (RFC 3263 4.3)."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sip_io.phones import ANSWER, address_of, established, phone, request_to

from twoleg.sip import Destination, RefusalCause, SipUri, Transport
from twoleg.sip_io import LegRefused, RequestFailed, ResolverConfig, UnresolvedHost

TCP, UDP = Transport.TCP, Transport.UDP
TARGET = SipUri.parse("sip:bob@example.com;transport=tcp")


def looking_at(server, *transports, **config):
    """A phone that asks this name server."""
    resolver = ResolverConfig(nameservers=(server.address,), lookup_seconds=20.0)
    return phone(*transports, resolver=resolver, **config)


def served_by(*phones, transport=TCP, name="example.com"):
    """Records that name these phones, the first of them first."""
    service = f"_sip._{transport.value.lower()}.{name}."
    servers = [
        f"{priority} 0 {address_of(each, transport).port} loopback.{name}."
        for priority, each in enumerate(phones)
    ]
    return ((service, 60, "SRV", *servers), (f"loopback.{name}.", 60, "A", "127.0.0.1"))


async def test_a_call_fails_over_to_the_next_server_and_remembers_which_failed(name_server):
    async with phone(TCP) as backup:
        async with phone(TCP) as main:
            pass  # nobody listens there any more
        async with (
            name_server(*served_by(main, backup)) as server,
            looking_at(server, TCP) as alice,
        ):
            for _ in range(2):
                async with alice.ring(request_to(TARGET)) as leg:
                    call = await anext(backup.incoming())
                    call.accept(ANSWER)
                    assert (await leg.answered()).body == ANSWER
                await call.ended()
            assert alice.counters.connections_failed == 1


async def test_a_503_leads_on_and_other_refusals_do_not(name_server):
    async with (
        phone(UDP) as main,
        phone(UDP) as backup,
        name_server(*served_by(main, backup, transport=UDP)) as server,
        looking_at(server) as alice,
    ):
        target = SipUri.parse("sip:bob@example.com;transport=UDP")
        async with alice.ring(request_to(target)) as leg:
            (await anext(main.incoming())).reject(503)
            (await anext(backup.incoming())).reject(486)
            with pytest.raises(LegRefused) as refused:
                await leg.answered()
            assert refused.value.status == 486
        assert main.counters.calls_incoming == 1


async def test_nothing_that_listens_is_a_transport_failure(name_server):
    async with phone(TCP) as gone:
        pass
    async with name_server(*served_by(gone)) as server, looking_at(server, TCP) as alice:
        async with alice.ring(request_to(TARGET)) as leg:
            with pytest.raises(LegRefused) as refused:
                await leg.answered()
            assert (refused.value.status, refused.value.cause) == (503, RefusalCause.TRANSPORT)
        with pytest.raises(RequestFailed):
            await alice.options(TARGET)


async def test_a_domain_that_does_not_exist_is_a_transport_failure(name_server):
    async with name_server() as server, looking_at(server) as alice:
        async with alice.ring(request_to(TARGET)) as leg:
            with pytest.raises(LegRefused) as refused:
                await leg.answered()
            assert refused.value.cause is RefusalCause.TRANSPORT
        with pytest.raises(UnresolvedHost):
            await alice.options(TARGET)


async def test_requests_within_a_call_find_a_contact_that_is_a_name(name_server):
    """The far end's Contact may name a host; ACK and BYE are sent once DNS has answered."""
    async with (
        name_server(("bob.example.com.", 60, "A", "127.0.0.1")) as server,
        looking_at(server) as alice,
        looking_at(server, public_address="bob.example.com") as bob,
    ):
        target = SipUri.parse(f"sip:bob@127.0.0.1:{address_of(bob).port}")
        async with established(alice, bob, request_to(target)) as (leg, call):
            assert "@bob.example.com:" in leg.identity.remote_target
        assert (await call.ended()).by_remote
        assert server.asked[("bob.example.com.", "A")] == 1


async def test_ack_and_bye_get_through_where_one_address_of_a_contact_is_dead(name_server):
    """RFC 3263 4.3: the ACK when its 2xx comes again, the BYE when the first refuses it."""
    records = ("bob.example.com.", 60, "A", "127.0.0.2", "127.0.0.1")
    async with (
        name_server(records) as server,
        looking_at(server, TCP, t1=0.05) as alice,
        looking_at(server, TCP, t1=0.05, public_address="bob.example.com") as bob,
    ):
        target = SipUri.parse(f"sip:bob@127.0.0.1:{address_of(bob, TCP).port};transport=tcp")
        async with established(alice, bob, request_to(target)) as (_, call):
            assert alice.counters.connections_failed == 1
        assert (await call.ended()).by_remote
        assert alice.counters.connections_failed == 2


async def test_a_bye_leaves_an_address_of_a_contact_that_says_nothing(name_server):
    """A datagram has no connection to be refused: silence has to tell."""
    records = ("bob.example.com.", 60, "A", "127.0.0.2", "127.0.0.1")
    async with (
        name_server(records) as server,
        looking_at(server, t1=0.02) as alice,
        looking_at(server, t1=0.02, public_address="bob.example.com") as bob,
        silent("127.0.0.2", address_of(bob).port) as asked,
    ):
        target = SipUri.parse(f"sip:bob@127.0.0.1:{address_of(bob).port}")
        async with established(alice, bob, request_to(target)) as (_, call):
            pass
        assert (await call.ended()).by_remote
        assert set(asked.methods()) == {"ACK", "BYE"}


class Asked(asyncio.DatagramProtocol):
    """Keeps what came, and says nothing."""

    def __init__(self):
        self.got = []

    def datagram_received(self, data, addr):
        self.got.append(data)

    def methods(self):
        return [data.partition(b" ")[0].decode() for data in self.got]


@asynccontextmanager
async def silent(host, port):
    """Listen where nothing is ever answered."""
    loop = asyncio.get_running_loop()
    transport, asked = await loop.create_datagram_endpoint(Asked, local_addr=(host, port))
    try:
        yield asked
    finally:
        transport.close()


async def test_the_dialog_of_a_lost_process_is_ended_by_another_address_of_its_name(name_server):
    records = ("bob.example.com.", 60, "A", "127.0.0.2", "127.0.0.1")
    async with (
        name_server(records) as server,
        looking_at(server, TCP) as alice,
        looking_at(server, TCP) as heir,
        looking_at(server, TCP, public_address="bob.example.com") as bob,
    ):
        port = address_of(bob, TCP).port
        target = SipUri.parse(f"sip:bob@127.0.0.1:{port};transport=tcp")
        async with established(alice, bob, request_to(target)) as (leg, call):
            dead = Destination(TCP, "127.0.0.2", port, domain="bob.example.com")
            await heir.hang_up_dialog(replace(leg.identity, destination=dead))
            assert (await call.ended()).by_remote
            assert heir.counters.connections_failed == 1


async def test_closing_while_dns_is_asked_leaves_nobody_waiting(name_server):
    async with name_server() as server:
        server.silent = True
        async with looking_at(server, drain_seconds=0.0) as alice:
            asking = asyncio.create_task(alice.options(TARGET))
            ringing = asyncio.create_task(alice.place(request_to(TARGET)))
            await asyncio.sleep(0)
        with pytest.raises(UnresolvedHost):
            await asking
        with pytest.raises(LegRefused):
            await (await ringing).answered()
