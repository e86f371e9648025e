"""No message leaves for the inside of the operator's network, whatever a name says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest
import trustme
from events.receiver import ANYWHERE, receiving
from hypothesis import given
from hypothesis import strategies as st

from twoleg.events.addresses import AddressPolicy, InvalidUrl, is_public
from twoleg.events.delivery import names, posting
from twoleg.events.delivery.connection import MAX_READ, Connection, ConnectionBroken
from twoleg.events.delivery.names import Names
from twoleg.events.delivery.posting import Poster, Request

PUBLIC = AddressPolicy()
NAME = "hooks.example.com"
INSIDE = [
    "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd12::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2002:a00:1::", "::127.0.0.1", "fec0::1", "feff::1", "64:ff9b:1::a00:1", "2001:0:a00:1::",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.fixture
def resolve(monkeypatch):
    """Have names lead to addresses, one list after another."""

    def resolve(*lists: list[str]) -> None:
        left = list(lists)

        def look_up(host: str) -> list[str]:
            return left.pop(0) if len(left) > 1 else left[0]

        monkeypatch.setattr(names, "look_up", look_up)

    return resolve


@pytest.fixture
def resolver():
    resolver = Names()
    yield resolver
    resolver.close()


@pytest.fixture
def poster(resolver):
    """Make posters; they are closed at the end."""
    made: list[Poster] = []

    def poster(policy: AddressPolicy = ANYWHERE, tls: ssl.SSLContext | None = None) -> Poster:
        made.append(Poster(policy, tls or ssl.create_default_context(), resolver))
        return made[-1]

    yield poster
    for each in made:
        each.close()


@pytest.fixture
def ask(poster):
    """Send messages to NAME; returns why each was not taken."""

    async def ask(policy: AddressPolicy, times: int = 1) -> list[str | None]:
        asking, request = poster(policy), Request(f"https://{NAME}/", (), b"")
        return [(await asking.post(request)).error for _ in range(times)]

    return ask


@pytest.fixture
async def connected_to(monkeypatch) -> list[str]:
    """The addresses that a connection was opened to; none answers."""
    asked: list[str] = []

    async def create_connection(protocol, host, port, **_):
        asked.append(host)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
    return asked


@pytest.mark.parametrize("address", INSIDE)
def test_the_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_outside_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_ipv6_is_judged_as_itself(address) -> None:
    for written in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_public(written) == is_public(str(address))


async def test_a_name_that_leads_inside_is_not_connected_to(resolve, connected_to, ask) -> None:
    resolve(["10.0.0.1", "127.0.0.1", "::ffff:192.168.1.1"])
    assert await ask(PUBLIC) == ["the host has no public address"]
    assert connected_to == []


async def test_what_was_judged_is_what_is_connected_to(resolve, connected_to, ask) -> None:
    # The next answer would lead inside: it is not asked for.
    resolve(["93.184.216.34", "10.0.0.1"], ["127.0.0.1"])
    assert await ask(PUBLIC) == ["no connection"]
    assert connected_to == ["93.184.216.34"]


async def test_a_name_is_judged_anew_for_each_connection(resolve, connected_to, ask) -> None:
    resolve(["93.184.216.34"], ["127.0.0.1"])
    assert await ask(PUBLIC, times=2) == ["no connection", "the host has no public address"]
    assert connected_to == ["93.184.216.34"]


async def test_further_addresses_of_a_name_are_tried(resolve, connected_to, ask) -> None:
    resolve(["93.184.216.34", "8.8.8.8", "10.0.0.1", "1.1.1.1", "9.9.9.9"])
    assert await ask(PUBLIC) == ["no connection"]
    assert connected_to == ["93.184.216.34", "8.8.8.8", "1.1.1.1"]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def post(poster: Poster, url: str) -> posting.Reply:
    return await poster.post(Request(url, (("webhook-id", "m"),), b"{}"))


@contextlib.asynccontextmanager
async def saying(*texts: bytes, close: bool = False):
    """A server that answers each request of a connection with one of `texts`; gives its URL."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        for text in texts:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            writer.write(text)
        if close:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", writers
    finally:
        server.close()
        for writer in writers:
            writer.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (OK, 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 X\r\n\r\n", 202),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
        (b"HTTP/1.0 500 X\r\n\r\nuntil the end", 500),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * MAX_READ, 200),
        (b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_READ, None),
        (b"no http at all\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-", None),
        (b"", None),
    ],
)
async def test_replies_are_told_by_their_status_whatever_they_hold(text, status, poster) -> None:
    sending = poster()
    async with saying(text, close=True) as (url, _):
        reply = await post(sending, url)
    assert reply.status == status


async def test_a_connection_is_kept_for_the_next_message(poster) -> None:
    sending = poster()
    async with saying(OK, OK, OK) as (url, writers):
        request = Request(url, (), b"{}")
        assert [(await sending.post(request)).status for _ in range(3)] == [200] * 3
        sending.close()
    assert len(writers) == 1


@pytest.mark.parametrize(
    "text", [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK + OK]
)
async def test_a_connection_that_may_hold_more_than_one_reply_is_closed(text, poster) -> None:
    sending = poster()
    async with saying(text, text) as (url, writers):
        request = Request(url, (), b"{}")
        assert [(await sending.post(request)).status for _ in range(2)] == [200] * 2
        sending.close()
    assert len(writers) == 2


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(poster) -> None:
    sending = poster()
    async with saying(OK, close=True) as (url, _):
        request = Request(url, (), b"{}")
        assert [(await sending.post(request)).status for _ in range(3)] == [200] * 3


async def test_who_is_slow_with_the_body_has_taken_the_message(monkeypatch, poster) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time

    class HeardOf(Connection):
        """With the head of the reply, all the time that it may take has passed."""

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            monkeypatch.setattr(loop, "time", lambda: now() + posting.TIMEOUT_SECONDS)

    monkeypatch.setattr(posting, "Connection", HeardOf)
    sending = poster()
    async with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") as (url, _):
        assert (await post(sending, url)).status == 200


async def test_a_name_that_takes_long_holds_one_thread_and_no_other_name(
    resolver, monkeypatch
) -> None:
    asked: list[str] = []
    answer = threading.Event()

    def look_up(host: str) -> list[str]:
        asked.append(host)
        if host == "slow":
            answer.wait()
        return ["93.184.216.34"]

    monkeypatch.setattr(names, "look_up", look_up)
    slow = [asyncio.create_task(resolver.addresses("slow")) for _ in range(100)]
    assert await resolver.addresses("quick") == ["93.184.216.34"]
    slow[0].cancel()
    answer.set()
    assert await asyncio.gather(*slow[1:]) == [["93.184.216.34"]] * 99
    assert sorted(asked) == ["quick", "slow"]


async def test_an_address_is_its_own_name_and_an_unknown_name_an_error(resolver) -> None:
    assert await resolver.addresses("::1") == ["::1"]
    assert "127.0.0.1" in await resolver.addresses("localhost")
    with pytest.raises(socket.gaierror):
        await resolver.addresses("no-such-name.invalid")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_reply(data: bytes) -> None:
    async def read() -> None:
        connection = Connection()
        connection.connection_made(Discarding())
        reading = asyncio.ensure_future(connection.exchange(b""))
        await asyncio.sleep(0)
        for begin in range(0, len(data), 50):
            connection.data_received(data[begin : begin + 50])
        connection.connection_lost(None)
        with contextlib.suppress(ConnectionBroken):
            assert (await reading).status > 0

    asyncio.run(read())


class Discarding:
    """A transport to nowhere."""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        pass

    def abort(self) -> None:
        pass


async def test_tls_and_host_name_the_host_not_the_address(authority, resolve, poster) -> None:
    names = []
    tls = server_tls(authority, NAME)
    tls.sni_callback = lambda _, name, __: names.append(name)
    async with receiving(tls=tls) as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        resolve(["127.0.0.1"])
        reply = await post(poster(ANYWHERE, client_tls(authority)), f"https://{NAME}:{port}/x")
    assert reply.taken
    assert names == [NAME]
    assert receiver.received[0].headers["host"] == f"{NAME}:{port}"


async def test_a_certificate_of_another_name_is_refused(authority, resolve, poster) -> None:
    async with receiving(tls=server_tls(authority, "other.example.com")) as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        resolve(["127.0.0.1"])
        reply = await post(poster(ANYWHERE, client_tls(authority)), f"https://{NAME}:{port}/x")
    assert not reply.answered
    assert reply.error.startswith("the certificate is not good")
    assert receiver.received == []


async def test_nothing_is_sent_inside_unless_that_is_allowed(authority, resolve, poster) -> None:
    async with receiving(tls=server_tls(authority, NAME)) as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        resolve(["127.0.0.1"])
        public = poster(PUBLIC, client_tls(authority))
        reply = await post(public, f"https://{NAME}:{port}/x")
        assert reply.error == "the host has no public address"
        assert not (await post(public, f"http://{NAME}:{port}/x")).answered
    assert receiver.connections == 0


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "must begin with https://"),
        ("ftp://example.com/", "must begin with https://"),
        ("https:///x", "must name a host"),
        ("https://example.com:0/", "must name a host"),
        ("https://example.com:99999/", "must be a URL"),
        ("https://[::1/", "must be a URL"),
        ("https://user:secret@example.com/", "must have no password and no fragment"),
        ("https://example.com/#x", "must have no password and no fragment"),
        ("https://exa mple.com/", "must be ASCII without blanks"),
        ("https://ex\u00e4mple.com/", "must be ASCII without blanks"),
        ("https://example.com/\r\nX: y", "must be ASCII without blanks"),
        ("https://127.0.0.1/", "must be a public address"),
        ("https://[::1]/", "must be a public address"),
        ("https://[::ffff:10.0.0.1]/", "must be a public address"),
        ("https://example.com/" + "x" * 2000, "must not be longer than 2000 characters"),
    ],
)
def test_a_url_that_nothing_may_be_sent_to_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(InvalidUrl) as refused:
        PUBLIC.check(url)
    assert str(refused.value) == why


def test_a_url_is_kept_as_it_is_but_for_the_hosts_letters() -> None:
    assert PUBLIC.check("HTTPS://Example.COM/Path?Q=1") == "https://example.com/Path?Q=1"
    assert ANYWHERE.check("http://127.0.0.1:8000/x") == "http://127.0.0.1:8000/x"


@given(st.text())
def test_no_text_breaks_the_check(text: str) -> None:
    with contextlib.suppress(InvalidUrl):
        assert PUBLIC.check("https://" + text).startswith("https://")
