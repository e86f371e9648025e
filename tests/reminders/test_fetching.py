"""Calendars are fetched within bounds, and from nowhere that is not allowed."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme
from foreign_peers.ports import silent_port
from reminders.calendar_server import CalendarServer

from twoleg.events.addresses import AddressPolicy
from twoleg.reminders.feeds import fetching
from twoleg.reminders.feeds.fetching import CannotFetch, Fetcher, Validators

ANYWHERE = AddressPolicy(allow_private=True)
NOTHING = Validators()


@pytest.fixture
async def server():
    async with CalendarServer.open() as server:
        server.body = b"BEGIN:VCALENDAR"
        yield server


@pytest.fixture
async def fetch():
    async with Fetcher.open(ANYWHERE) as fetcher:

        async def run(url, known=NOTHING):
            return await fetcher.fetch(url, known)

        yield run


async def refusal(fetch, url):
    with pytest.raises(CannotFetch) as refused:
        await fetch(url)
    assert "secret" not in refused.value.message
    return refused.value.message


async def test_a_calendar_comes_with_what_its_server_knows_it_by(server, fetch):
    server.headers = {"ETag": '"7"', "Last-Modified": "Tue, 10 Jun 2026 08:00:00 GMT"}
    fetched = await fetch(server.url())
    assert fetched.data == b"BEGIN:VCALENDAR"
    assert fetched.validators == Validators('"7"', "Tue, 10 Jun 2026 08:00:00 GMT")
    assert server.asked[0]["target"] == "/basic.ics?key=secret"


async def test_a_calendar_that_is_known_is_not_sent_again(server, fetch):
    server.status = 304
    known = Validators('"7"', "Tue, 10 Jun 2026 08:00:00 GMT")
    assert await fetch(server.url(), known) == fetching.Fetched(None, known)
    assert server.asked[0]["if-none-match"] == '"7"'
    assert server.asked[0]["if-modified-since"] == known.last_modified


async def test_the_name_is_asked_for_whatever_address_it_has(server, fetch):
    await fetch(server.url(host="localhost"))
    assert server.asked[0]["host"] == f"localhost:{server.port}"


async def test_a_redirect_is_followed_and_many_are_not(server, fetch):
    async with CalendarServer.open() as other:
        other.body = b"moved here"
        server.status, server.headers = 302, {"Location": other.url("/there")}
        assert (await fetch(server.url())).data == b"moved here"
        server.headers = {"Location": "/round"}
        assert "more than 5 times" in await refusal(fetch, server.url())


async def test_what_the_server_does_instead_is_said(server, fetch):
    server.status = 404
    assert await refusal(fetch, server.url()) == "The server answers 404."
    server.status, server.headers = 200, {"Content-Length": "999"}
    assert await refusal(fetch, server.url()) == "The server broke the reply off."
    server.status, server.headers = 302, {"Location": "gopher://secret"}
    assert await refusal(fetch, server.url()) == "The URL must begin with https:// or http://."


@pytest.mark.parametrize(
    "location",
    ["http://[secret", "http://[::1", "http://h:99999/", "http://h:secret/", "http://a..b/", "//"],
)
async def test_whatever_a_server_leads_on_to_the_poll_fails_and_nothing_else(
    server, fetch, location
):
    server.status, server.headers = 302, {"Location": location}
    await refusal(fetch, server.url())


async def test_a_version_that_cannot_be_asked_for_is_fetched_again(server, fetch):
    server.headers = {"ETag": '"\u00e9"', "Last-Modified": "Tue, 10 Jun 2026 08:00:00 GMT"}
    fetched = await fetch(server.url())
    assert fetched.validators == Validators(None, "Tue, 10 Jun 2026 08:00:00 GMT")
    assert (await fetch(server.url(), fetched.validators)).data == b"BEGIN:VCALENDAR"


async def test_a_port_where_nobody_listens_is_no_connection(fetch):
    with silent_port() as port:
        assert await refusal(fetch, f"http://127.0.0.1:{port}/") == "No connection."


async def test_a_name_that_nobody_has_is_said(fetch):
    message = await refusal(fetch, "http://nobody.invalid/secret.ics")
    assert message == "The host's name is not known."


async def test_a_calendar_that_does_not_end_is_left(server, fetch, monkeypatch):
    monkeypatch.setattr(fetching, "MAX_BYTES", 1 << 20)
    server.body = bytes((1 << 20) + 1)
    assert await refusal(fetch, server.url()) == "The calendar is larger than 1 MB."


async def test_a_server_that_says_nothing_is_left(fetch, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT_SECONDS", 0.05)
    async with CalendarServer.open() as server:
        server.headers = {"Content-Length": "999"}

        async def hold(reader, writer):
            await reader.read()
            writer.close()

        server.serve = hold
        assert "within 0.05 s" in await refusal(fetch, server.url())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_no_private_address_is_asked(server, host):
    async with Fetcher.open(AddressPolicy()) as fetcher:
        with pytest.raises(CannotFetch):
            await fetcher.fetch(f"https://{host}:{server.port}/", NOTHING)
    assert not server.asked


async def test_no_redirect_leads_to_a_private_address(monkeypatch):
    """A public server may not send us to one inside: each step is judged."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("calendar.test").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    class OneAddress(AddressPolicy):
        def allows(self, address):
            return address == "127.0.0.1"

    async with (
        CalendarServer.open(tls) as outside,
        CalendarServer.open() as inside,
        Fetcher.open(OneAddress(), trusting) as fetcher,
    ):
        resolve_to(monkeypatch, {"calendar.test": "127.0.0.1", "inside.test": "127.0.0.2"})
        outside.status = 302
        outside.headers = {"Location": f"https://inside.test:{inside.port}/"}
        with pytest.raises(CannotFetch, match="no public address"):
            await fetcher.fetch(f"https://calendar.test:{outside.port}/", NOTHING)
        assert len(outside.asked) == 1
        assert not inside.asked


async def test_the_certificate_must_be_that_of_the_name(monkeypatch):
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("calendar.test").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    resolve_to(monkeypatch, {"calendar.test": "127.0.0.1", "other.test": "127.0.0.1"})
    async with CalendarServer.open(tls) as server, Fetcher.open(ANYWHERE, trusting) as fetcher:
        server.body = b"trusted"
        found = await fetcher.fetch(f"https://calendar.test:{server.port}/", NOTHING)
        assert found.data == b"trusted"
        with pytest.raises(CannotFetch, match="certificate is not good"):
            await fetcher.fetch(f"https://other.test:{server.port}/", NOTHING)


def resolve_to(monkeypatch, names):
    """Have names that only a test knows."""
    loop = asyncio.get_running_loop()
    ask = loop.getaddrinfo

    async def getaddrinfo(host, port, **options):
        return await ask(names.get(host, host), port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
