"""SIP over WebSocket: a page's phone that only its connection leads to (RFC 7118)."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from browser_phone import browser_phone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sip_io.phones import ANSWER, LOOPBACK, OFFER, address_of, phone, request_to
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from twoleg.sip import RefusalCause, SipUri, Transport, make_ha1s
from twoleg.sip_io import ConnectionLimits, Counters, LegRefused
from twoleg.sip_io import connections as connections_module
from twoleg.sip_io import websocket as websocket_module
from twoleg.sip_io.websocket import MAX_HANDSHAKE, MAX_MESSAGE

WS, WSS = Transport.WS, Transport.WSS
CONT, TEXT, CLOSE = 0, 1, 8
OPTIONS = (
    "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\n"
    "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:a@b>;tag=1\r\n"
    "To: <sip:bob@127.0.0.1>\r\n"
    "Call-ID: 1\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "\r\n"
)
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)


def any_frame(opcode, data, fin=True, masked=True):
    """A frame as RFC 6455 5.2 draws it, whether or not it is allowed; of a length only its head."""
    length = data if isinstance(data, int) else len(data)
    head = bytes([fin << 7 | opcode, masked << 7 | (length if length < 126 else 127)])
    if length > 125:
        head += length.to_bytes(8, "big")
    return head + bytes(4) * masked + (b"" if isinstance(data, int) else data)


class Bindings:
    """A BindingStore of one user, in memory."""

    def __init__(self):
        self.kept = ()
        self.changed = asyncio.Event()

    async def ha1s(self, username):
        return make_ha1s(username, "twoleg", "secret")

    async def update(self, username, change):
        result = change(self.kept)
        self.kept = result.bindings
        self.changed.set()
        return result


@pytest.fixture
def bindings():
    return Bindings()


def url_of(service, transport=WS):
    return f"{transport.value.lower()}://{address_of(service, transport)}"


@asynccontextmanager
async def raw(service, handshake=HANDSHAKE):
    """A connection whose bytes the test writes itself."""
    address = address_of(service, WS)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(handshake)
        yield reader, writer
    finally:
        writer.close()


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


@asynccontextmanager
async def registered_page(service, bindings, transport=WS, encode=str, **options):
    async with browser_phone(url_of(service, transport), "alice", **options) as page:
        page.encode = encode
        assert (await page.register("secret")).status == 200
        [binding] = bindings.kept
        assert binding.contact in page.contact
        yield page, binding


def ringing(service, binding):
    return service.ring(request_to(SipUri.parse(binding.contact), flow=binding.flow))


@asynccontextmanager
async def talking(service, page, binding):
    """A call that the page has taken; give our leg, and its INVITE."""
    async with ringing(service, binding) as leg:
        invite = await page.receive()
        await page.reply(invite, "180 Ringing")
        await page.reply(invite, "200 OK", ANSWER.decode())
        assert (await leg.answered()).body == ANSWER
        leg.acknowledge()
        assert (await page.receive()).method == "ACK"
        yield leg, invite


@pytest.mark.parametrize("transport", [WS, WSS])
@pytest.mark.parametrize("encode", [str, str.encode])
async def test_a_page_registers_is_rung_and_hangs_up(transport, encode, bindings, tls):
    options = {}
    if transport is WSS:
        options["ssl"] = ssl.create_default_context(cafile=tls.authorities)
    async with (
        phone(transport, bindings=bindings, tls=tls) as service,
        registered_page(service, bindings, transport, encode, **options) as (page, binding),
        talking(service, page, binding) as (leg, invite),
    ):
        assert binding.flow.transport is transport
        assert (invite.body, invite.via.transport) == (OFFER, transport.value)
        # One name for both kinds in URIs (RFC 7118 5.2).
        assert ";transport=ws>" in invite.headers.get("Contact")
        await page.hang_up(invite)
        assert (await page.receive()).status == 200
        assert (await leg.ended()).by_remote
        assert service.counters.connections_opened == 0


async def test_requests_within_a_call_go_by_the_pages_connection(bindings):
    async with (
        phone(WS, Transport.UDP, bindings=bindings) as service,
        registered_page(service, bindings) as (page, binding),
        talking(service, page, binding) as (leg, _),
    ):
        leg.send_info("application/dtmf-relay", b"Signal=5")
        info = await page.receive()
        assert (info.method, str(info.uri)) == ("INFO", binding.contact)
        await page.reply(info, "200 OK")
        leg.hang_up()
        bye = await page.receive()
        assert bye.method == "BYE"
        await page.reply(bye, "200 OK")


async def test_a_page_that_is_closed_in_mid_call_leaves_nothing(bindings):
    async with phone(WS, bindings=bindings, drain_seconds=0.1) as service:
        async with (
            registered_page(service, bindings) as (page, binding),
            talking(service, page, binding) as (leg, _),
        ):
            page.socket.transport.abort()
            await page.socket.wait_closed()
            leg.hang_up()
            assert not (await leg.ended()).by_remote
        await until(lambda: service.legs == 0)


async def test_a_page_that_is_closed_is_registered_no_longer(bindings):
    async with phone(WS, bindings=bindings) as service:
        async with registered_page(service, bindings) as (_, binding):
            # Another phone of the same user stays.
            other = replace(binding, contact="sip:desk@192.0.2.7", flow=None)
            bindings.kept += (other,)
            bindings.changed.clear()
        await asyncio.wait_for(bindings.changed.wait(), 5)
        assert bindings.kept == (other,)


async def test_a_page_that_is_gone_is_not_reached(bindings):
    async with phone(WS, bindings=bindings) as service:
        async with registered_page(service, bindings) as (_, binding):
            pass
        async with ringing(service, binding) as leg:
            with pytest.raises(LegRefused) as refused:
                await leg.answered()
        assert refused.value.cause is RefusalCause.TRANSPORT
        # What it registered by is of no use to another process either.
        async with service.ring(request_to(SipUri.parse(binding.contact))) as leg:
            with pytest.raises(LegRefused, match="WebSocket"):
                await leg.answered()


async def test_a_page_that_goes_while_it_rings_takes_no_call(bindings):
    async with (
        phone(WS, bindings=bindings, t1=0.01) as service,
        registered_page(service, bindings) as (page, binding),
        ringing(service, binding) as leg,
    ):
        await page.receive()
        page.socket.transport.abort()
        with pytest.raises(LegRefused):
            await leg.answered()


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"subprotocols": None}, 400),
        ({"subprotocols": ["xmpp"]}, 400),
        ({"origin": "https://elsewhere.example"}, 403),
        ({}, 403),
    ],
)
async def test_who_asks_for_something_else_is_refused(options, status):
    limits = ConnectionLimits(origins=frozenset({"https://crm.example"}))
    async with phone(WS, connections=limits) as service:
        wanted = {"subprotocols": ["sip"], **options}
        if status == 400:
            wanted["origin"] = "https://crm.example"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url_of(service), **wanted):
                raise AssertionError("taken")
        assert refused.value.response.status_code == status
        await until(lambda: service.counters.stream_errors == 1)


async def test_a_page_of_an_origin_that_is_named_is_taken():
    limits = ConnectionLimits(origins=frozenset({"https://crm.example"}))
    async with (
        phone(WS, connections=limits) as service,
        connect(url_of(service), subprotocols=["sip"], origin="https://crm.example") as socket,
    ):
        assert socket.subprotocol == "sip"


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 426 "),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 405 "),
        (HANDSHAKE.replace(b"sip", b"xmpp") + b"\x88\x80abcd", b"HTTP/1.1 400 "),
        (b"REGISTER sip:a SIP/2.0\r\n\r\n", b""),
        (b"\x16\x03\x01\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HANDSHAKE, b""),
    ],
    ids=["no upgrade", "POST", "other protocol", "SIP", "TLS", "long"],
)
async def test_what_is_no_handshake_is_answered_and_closed(request_, reply):
    async with phone(WS) as service, raw(service, request_) as (reader, _):
        answer = await reader.read()
        assert answer.startswith(reply)
        assert bool(answer) is bool(reply)
        assert service.counters.stream_errors == 1


async def test_a_handshake_may_come_in_pieces_with_what_follows_it():
    frame = any_frame(TEXT, OPTIONS.encode())
    data = HANDSHAKE + frame
    async with phone(WS) as service, raw(service, b"") as (reader, writer):
        for start in range(0, len(data), 37):
            writer.write(data[start : start + 37])
            await asyncio.sleep(0)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Protocol: sip\r\n" in head
        assert b"SIP/2.0 200" in await reader.readuntil(b"SIP/2.0 200")


async def test_a_message_may_come_in_frames():
    async with phone(WS) as service, connect(url_of(service), subprotocols=["sip"]) as socket:
        await socket.send([OPTIONS[:20], OPTIONS[20:50], OPTIONS[50:]])
        assert (await socket.recv()).startswith("SIP/2.0 200 ")


async def test_each_message_is_one_request_whatever_it_holds():
    async with phone(WS) as service, connect(url_of(service), subprotocols=["sip"]) as socket:
        await socket.send("nonsense")
        await socket.send(b"\xff\x00\r\n\r\n")
        await socket.send("")
        await socket.send(OPTIONS.replace("1 OPTIONS", "1 INVITE"))
        assert (await socket.recv()).startswith("SIP/2.0 400 ")
        # The connection goes on.
        await socket.send(OPTIONS.replace("bK1", "bK2"))
        assert (await socket.recv()).startswith("SIP/2.0 200 ")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        # The beginning says how long it is.
        (any_frame(TEXT, MAX_MESSAGE + 1), 1009),
        (any_frame(TEXT, b"a", fin=False) + any_frame(CONT, MAX_MESSAGE), 1009),
        (any_frame(TEXT, b"in the clear", masked=False), 1002),
        (any_frame(CONT, b"of nothing"), 1002),
        (b"\xff\xff\xff\xff", 1002),
        (any_frame(CLOSE, b"\x03\xe8"), 1000),
    ],
    ids=["long", "long in frames", "unmasked", "no beginning", "garbage", "close"],
)
async def test_what_breaks_the_rules_ends_the_connection_with_a_reason(frames, code):
    async with phone(WS) as service, raw(service) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frames)
        last = await reader.read()
        assert last[:1] == b"\x88"
        assert int.from_bytes(last[2:4], "big") == code
        assert service.counters.stream_errors == (code != 1000)


async def test_keep_alives_are_answered():
    async with phone(WS) as service, connect(url_of(service), subprotocols=["sip"]) as socket:
        await asyncio.wait_for(await socket.ping(), 5)
        await socket.send("\r\n\r\n")
        assert await socket.recv() == "\r\n"
        await socket.send("\r\n")
        await socket.send(OPTIONS)
        assert (await socket.recv()).startswith("SIP/2.0 200 ")


async def test_a_silent_page_is_asked_whether_it_is_there(monkeypatch):
    monkeypatch.setattr(connections_module, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(websocket_module, "PING_SECONDS", 0.0)
    async with phone(WS) as service, raw(service) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\x89\x00"


async def test_a_page_that_does_not_say_that_it_is_there_is_gone(monkeypatch):
    monkeypatch.setattr(connections_module, "SWEEP_SECONDS", 0.01)
    async with phone(WS) as service, raw(service) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        monkeypatch.setattr(websocket_module, "GONE_SECONDS", 0.05)
        assert await reader.read() == b""


async def test_a_phone_that_closes_says_so_to_its_pages():
    async with phone(WS) as service:
        socket = await connect(url_of(service), subprotocols=["sip"])
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd.code == 1001


class Wire(asyncio.Transport):
    """Where a connection writes to; nothing comes of it."""

    def __init__(self):
        super().__init__()
        self.closing = False

    def get_extra_info(self, name, default=None):
        return {"sockname": (LOOPBACK, 1), "peername": (LOOPBACK, 2)}.get(name, default)

    def write(self, data):
        assert not self.closing
        assert data

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    abort = close


class Table:
    """Takes what a connection brings, and lets everything in."""

    def __init__(self):
        self.counters = Counters()
        self.inbox = self

    def admit(self, connection, certificate):
        return True

    def admits(self, host):
        return True

    def message(self, message, flow):
        pass

    def forget(self, connection):
        pass


@given(
    st.lists(
        st.binary(max_size=40)
        | st.just(HANDSHAKE)
        | st.just(HANDSHAKE.replace(b"sip", b"other"))
        | st.builds(
            any_frame,
            st.integers(0, 15),
            st.binary(max_size=100) | st.just(OPTIONS.encode()),
            st.booleans(),
            st.sampled_from([True, True, True, False]),
        ),
        max_size=6,
    ),
    st.booleans(),
    st.integers(1, 200),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # nothing_is_left
async def test_nothing_that_comes_raises(messages, opened, size):
    data = HANDSHAKE * opened + b"".join(messages)
    connection = websocket_module.WebSocketConnection(Table(), 1, WS, None)
    wire = Wire()
    connection.connection_made(wire)
    for start in range(0, len(data), size):
        if wire.closing:
            break
        connection.data_received(data[start : start + size])
    connection.connection_lost(None)
