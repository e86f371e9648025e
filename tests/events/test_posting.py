"""No message leaves for the inside of the operator's network, whatever a name says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import httpcore
import pytest
import trustme
from events.receiver import receiving
from hypothesis import given
from hypothesis import strategies as st

from twoleg.events.addresses import AddressPolicy, InvalidUrl, is_public
from twoleg.events.delivery import posting
from twoleg.events.delivery.posting import AddressNotAllowed, AllowedNetwork, Poster, Request

PUBLIC = AddressPolicy()
ANYWHERE = AddressPolicy(allow_private=True)
NAME = "hooks.example.com"
INSIDE = [
    "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd12::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2002:a00:1::", "::127.0.0.1",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.fixture
def resolve(monkeypatch):
    """Have names lead to addresses, one list after another."""

    def resolve(*lists: list[str]) -> None:
        left = list(lists)

        async def getaddrinfo(host, port, **_):
            addresses = left.pop(0) if len(left) > 1 else left[0]
            return [(2, 1, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    return resolve


@pytest.fixture
def connected_to(monkeypatch) -> list[str]:
    """The addresses that a connection was opened to; none answers."""
    asked: list[str] = []

    async def connect_tcp(self, host, port, *_, **__):
        asked.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
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


async def test_a_name_that_leads_inside_is_not_connected_to(resolve, connected_to) -> None:
    resolve(["10.0.0.1", "127.0.0.1", "::ffff:192.168.1.1"])
    with pytest.raises(AddressNotAllowed):
        await AllowedNetwork(PUBLIC).connect_tcp(NAME, 443)
    assert connected_to == []


async def test_what_was_judged_is_what_is_connected_to(resolve, connected_to) -> None:
    # The next answer would lead inside: it is not asked for.
    resolve(["93.184.216.34", "10.0.0.1"], ["127.0.0.1"])
    with pytest.raises(httpcore.ConnectError):
        await AllowedNetwork(PUBLIC).connect_tcp(NAME, 443)
    assert connected_to == ["93.184.216.34"]


async def test_a_name_is_judged_anew_for_each_connection(resolve, connected_to) -> None:
    resolve(["93.184.216.34"], ["127.0.0.1"])
    network = AllowedNetwork(PUBLIC)
    with pytest.raises(httpcore.ConnectError):
        await network.connect_tcp(NAME, 443)
    with pytest.raises(AddressNotAllowed):
        await network.connect_tcp(NAME, 443)
    assert connected_to == ["93.184.216.34"]


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
    try:
        return await poster.post(Request(url, (("webhook-id", "m"),), b"{}"))
    finally:
        await poster.close()


async def test_tls_and_host_name_the_host_not_the_address(authority, resolve) -> None:
    names = []
    tls = server_tls(authority, NAME)
    tls.sni_callback = lambda _, name, __: names.append(name)
    async with receiving(tls=tls) as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        resolve(["127.0.0.1"])
        reply = await post(Poster(ANYWHERE, client_tls(authority), 1), f"https://{NAME}:{port}/x")
    assert reply.taken
    assert names == [NAME]
    assert receiver.received[0].headers["host"] == f"{NAME}:{port}"


async def test_a_certificate_of_another_name_is_refused(authority, resolve) -> None:
    async with receiving(tls=server_tls(authority, "other.example.com")) as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        resolve(["127.0.0.1"])
        reply = await post(Poster(ANYWHERE, client_tls(authority), 1), f"https://{NAME}:{port}/x")
    assert not reply.answered
    assert reply.error.startswith("the certificate is not good")
    assert receiver.received == []


async def test_nothing_is_sent_inside_unless_that_is_allowed(authority, resolve) -> None:
    async with receiving(tls=server_tls(authority, NAME)) as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        resolve(["127.0.0.1"])
        poster = Poster(PUBLIC, client_tls(authority), 1)
        reply = await post(poster, f"https://{NAME}:{port}/x")
        assert reply.error == "the host has no public address"
        poster = Poster(PUBLIC, client_tls(authority), 1)
        assert not (await post(poster, f"http://{NAME}:{port}/x")).answered
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
