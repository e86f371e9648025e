"""TCP and TLS connections: reused, reopened, bounded, and proved."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import trustme
from foreign_peers.ports import silent_port
from sip_io.phones import (
    LOOPBACK,
    address_of,
    call_to,
    destination_of,
    established,
    phone,
    request_to,
    uri_of,
)

from twoleg.sip import Destination, Flow, RefusalCause, SipUri, Transport
from twoleg.sip_io import ConnectionLimits, KnownAddresses, RequestFailed
from twoleg.sip_io import connections as connections_module

TCP, TLS = Transport.TCP, Transport.TLS
RESPONSE = """\
SIP/2.0 200 OK\r
{via}\r
From: <sip:a@b>;tag=1\r
To: <sip:a@b>;tag=2\r
{call_id}\r
CSeq: 1 OPTIONS\r
Content-Length: 0\r
\r
"""
OPTIONS = """\
OPTIONS sip:bob@127.0.0.1 SIP/2.0\r
Via: SIP/2.0/TCP 192.0.2.1:9;branch=z9hG4bK1\r
Max-Forwards: 70\r
From: <sip:a@192.0.2.1>;tag=1\r
To: <sip:bob@127.0.0.1>\r
Call-ID: 1\r
CSeq: 1 OPTIONS\r
Content-Length: 0\r
\r
"""


class Server:
    """A SIP server over TCP that answers OPTIONS; a test may have it break connections."""

    def __init__(self):
        self.accepted = 0
        self.answers = []
        """What to do with each request: True answers it, False breaks the connection off."""
        self.gone = asyncio.Event()
        self.connections = []

    async def serve(self, reader, writer):
        self.accepted += 1
        self.connections.append(writer)
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                if self.answers and not self.answers.pop(0):
                    writer.transport.abort()
                    return
                lines = request.split("\r\n")
                via = next(line for line in lines if line.startswith("Via:"))
                call_id = next(line for line in lines if line.startswith("Call-ID:"))
                writer.write(RESPONSE.format(via=via, call_id=call_id).encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()

    @property
    def destinations(self):
        return (Destination(TCP, LOOPBACK, self.port),)


@asynccontextmanager
async def server():
    it = Server()
    listener = await asyncio.start_server(it.serve, LOOPBACK, 0)
    it.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield it
        for writer in it.connections:
            writer.transport.abort()
    await listener.wait_closed()


@asynccontextmanager
async def stream_to(phone, transport=TCP):
    """A bare connection: (reader, writer)."""
    address = address_of(phone, transport)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


TARGET = SipUri.parse("sip:bob@127.0.0.1")


async def test_one_connection_carries_one_request_after_another():
    async with server() as there, phone(TCP) as alice:
        for _ in range(3):
            await alice.options(TARGET, there.destinations)
        assert there.accepted == 1
        assert alice.counters.connections_opened == 1


async def test_requests_at_the_same_time_share_the_opening_of_a_connection():
    async with server() as there, phone(TCP) as alice:
        await asyncio.gather(*(alice.options(TARGET, there.destinations) for _ in range(20)))
        assert there.accepted == 1


async def test_a_connection_that_the_peer_closed_is_opened_again():
    async with server() as there, phone(TCP) as alice:
        await alice.options(TARGET, there.destinations)
        there.connections[0].close()
        await there.connections[0].wait_closed()
        await alice.options(TARGET, there.destinations)
        assert there.accepted == 2


async def test_a_request_lost_in_a_breaking_connection_is_sent_again_over_a_new_one():
    async with server() as there, phone(TCP) as alice:
        there.answers = [True, False, True]
        await alice.options(TARGET, there.destinations)
        assert (await alice.options(TARGET, there.destinations)).status == 200
        assert there.accepted == 2


async def test_a_peer_that_breaks_off_every_connection_is_a_failure_at_once():
    async with server() as there, phone(TCP) as alice:
        there.answers = [False]
        with pytest.raises(RequestFailed) as failed:
            await alice.options(TARGET, there.destinations)
        assert failed.value.cause is RefusalCause.TRANSPORT
        assert there.accepted == 1


async def test_a_refused_connection_is_a_failure_at_once():
    with silent_port() as port:
        async with phone(TCP) as alice:
            with pytest.raises(RequestFailed) as failed:
                await alice.options(TARGET, (Destination(TCP, LOOPBACK, port),))
            assert failed.value.cause is RefusalCause.TRANSPORT
            assert alice.counters.connections_failed == 1


async def test_replies_go_back_by_the_connection_that_the_request_came_by():
    """Whatever the Via says: it may name an address behind NAT (RFC 3261 18.2.2)."""
    async with phone(TCP) as bob, stream_to(bob) as (reader, writer):
        writer.write(OPTIONS.encode())
        assert (await reader.readuntil(b"\r\n")).startswith(b"SIP/2.0 200 ")


async def test_a_keep_alive_is_answered():
    """RFC 5626 4.4.1: a double CRLF is answered by a single one, also between messages."""
    async with phone(TCP) as bob, stream_to(bob) as (reader, writer):
        writer.write(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\r\n"
        writer.write(OPTIONS.encode() + b"\r\n\r\n")
        response = await reader.readuntil(b"\r\n\r\n")
        assert response.startswith(b"SIP/2.0 200 ")
        assert await reader.readexactly(2) == b"\r\n"


async def test_a_stream_that_is_no_sip_is_closed():
    async with phone(TCP) as bob, stream_to(bob) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: example.com\r\nContent-Length: nothing\r\n\r\n")
        await reader.read()
        assert bob.counters.stream_errors == 1


async def test_silent_connections_are_closed(monkeypatch):
    monkeypatch.setattr(connections_module, "SWEEP_SECONDS", 0.01)
    loop = asyncio.get_running_loop()
    now = loop.time
    limits = ConnectionLimits(idle_seconds=200.0, unproven_seconds=100.0)
    async with (
        server() as there,
        phone(TCP, connections=limits) as alice,
        stream_to(alice) as (reader, _),
    ):
        await alice.options(TARGET, there.destinations)
        monkeypatch.setattr(loop, "time", lambda: now() + 300)
        await there.gone.wait()
        assert await reader.read() == b""
        assert alice.counters.connections_idle_closed == 2


async def test_connections_are_bounded_in_all_and_for_one_host():
    limits = ConnectionLimits(connections=3, accepted_of_one_host=2)
    async with (
        server() as there,
        server() as another,
        phone(TCP, connections=limits) as bob,
        stream_to(bob),
        stream_to(bob),
        stream_to(bob) as (refused, _),
    ):
        assert await refused.read() == b""
        assert (await bob.options(TARGET, there.destinations)).status == 200
        with pytest.raises(RequestFailed):
            await bob.options(TARGET, another.destinations)
        assert bob.counters.connections_refused == 2


class Watching(KnownAddresses):
    """A gatekeeper that remembers how requests came."""

    def __init__(self):
        super().__init__({LOOPBACK})
        self.flows = []

    def judge(self, request, flow):
        self.flows.append(flow)
        return super().judge(request, flow)


async def test_a_phone_is_rung_by_the_connection_that_it_keeps_open():
    """Its Contact names an address that nobody can connect to (RFC 5626 5.3)."""
    watching = Watching()
    async with phone(TCP, gatekeeper=watching) as alice, phone(TCP) as bob:
        await bob.options(uri_of(alice, TCP), (destination_of(alice, TCP),))
        (flow,) = watching.flows
        target = SipUri.parse("sip:bob@192.0.2.1:5070;transport=tcp")
        async with established(alice, bob, request_to(target, flow=flow)) as (_, call):
            assert call.flow.local == flow.remote
        assert (await call.ended()).by_remote


async def test_a_flow_of_another_process_is_not_taken_for_one_of_ours():
    async with phone(TCP) as alice, phone(TCP) as bob, server() as there:
        await alice.options(TARGET, there.destinations)
        stale = Flow(TCP, address_of(alice, TCP), address_of(bob, TCP), connection=1)
        async with established(alice, bob, request_to(uri_of(bob, TCP), flow=stale)):
            assert there.accepted == 1


@pytest.mark.parametrize("transport", [TCP, TLS])
@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_call_whose_connection_broke_is_hung_up_over_a_new_one(
    transport, who, tls, monkeypatch
):
    made = []
    admit = connections_module.Connections.admit

    def admit_and_keep(self, connection, certificate):
        made.append(connection)
        return admit(self, connection, certificate)

    monkeypatch.setattr(connections_module.Connections, "admit", admit_and_keep)
    async with (
        phone(transport, tls=tls) as alice,
        phone(transport, tls=tls) as bob,
        established(alice, bob, call_to(bob, transport)) as (leg, call),
    ):
        for connection in made:
            connection.abort()
        await asyncio.gather(*(connection.closed for connection in made))
        ends, hears, phone_of = (leg, call, alice) if who == "caller" else (call, leg, bob)
        before = phone_of.counters.connections_opened
        ends.hang_up()
        assert (await hears.ended()).by_remote
        assert phone_of.counters.connections_opened == before + 1


async def test_a_certificate_must_name_the_domain_that_the_request_is_for(issue):
    """RFC 5922 7.2: the SIP domain, not the host that DNS gave for it."""
    async with (
        phone(TLS, tls=issue("192.0.2.1", "client.example")) as alice,
        phone(TLS, tls=issue("example.com")) as bob,
    ):
        wrong = (
            destination_of(bob, TLS),
            destination_of(bob, TLS, domain="example.org"),
            destination_of(bob, TLS, domain="sub.example.com"),
        )
        for there in wrong:
            with pytest.raises(RequestFailed):
                await alice.options(uri_of(bob, TLS), (there,))
        assert alice.counters.wrong_certificates == 3
        right = (destination_of(bob, TLS, domain="EXAMPLE.com"),)
        assert (await alice.options(uri_of(bob, TLS), right)).status == 200


async def test_requests_within_a_call_prove_the_same_domain_again(issue):
    async with (
        phone(TLS, tls=issue("192.0.2.1")) as alice,
        phone(TLS, tls=issue("example.com")) as bob,
    ):
        there = (destination_of(bob, TLS, domain="example.com"),)
        async with established(alice, bob, call_to(bob, TLS, destinations=there)) as (_, call):
            pass
        assert (await call.ended()).by_remote
        assert alice.counters.wrong_certificates == 0
        assert alice.counters.connections_opened == 1


async def test_a_certificate_of_an_unknown_authority_will_do_only_where_none_is_checked(issue, tls):
    unknown = issue(LOOPBACK, authority=trustme.CA())
    async with phone(TLS, tls=tls) as alice, phone(TLS, tls=unknown) as bob:
        with pytest.raises(RequestFailed):
            await alice.options(uri_of(bob, TLS), (destination_of(bob, TLS),))
        there = (destination_of(bob, TLS, verify=False),)
        assert (await alice.options(uri_of(bob, TLS), there)).status == 200


async def test_a_client_that_never_begins_tls_is_dropped(tls, monkeypatch):
    monkeypatch.setattr(connections_module, "CONNECT_SECONDS", 0.01)
    async with phone(TLS, tls=tls) as bob, stream_to(bob, TLS) as (reader, _):
        assert await reader.read() == b""
