"""What is seen of a trunk stands in its row, and it is watched on whatever it says."""

import asyncio

import pytest
from sip_io.phones import LOOPBACK, address_of, phone
from sip_io.test_registrar import Bindings
from waiting import until

from twoleg.calls import trunk_watch
from twoleg.calls.background import background
from twoleg.calls.known_peers import KnownPeers
from twoleg.calls.trunk_health import TrunkHealth
from twoleg.calls.trunk_watch import TrunkWatch
from twoleg.sip import Response


@pytest.fixture(autouse=True)
def reload_often(monkeypatch):
    monkeypatch.setattr(trunk_watch, "RELOAD_SECONDS", 0.02)


@pytest.fixture
def shows(office):
    """Tell whether the trunk's row has that state, and its detail begins so."""

    async def shows(state, detail=""):
        stored, said = await office.row("SELECT state, coalesce(state_detail, '') FROM trunks")
        return stored == state and said.startswith(detail)

    return shows


class Asked:
    """Asks a trunk that answers as `says` has it."""

    def __init__(self):
        self.says = asyncio.Queue()

    async def addresses_of(self, destination):
        return frozenset({destination.host})

    async def options(self, uri, destinations):
        return await self.says.get()


async def test_a_trunk_is_watched_on_although_its_words_are_no_utf_8(
    office, database, shows, monkeypatch
):
    monkeypatch.setattr(trunk_watch, "PROBE_SECONDS", 0)
    await office.add_trunk()
    asked = Asked()
    watch = TrunkWatch(database, asked, KnownPeers(), TrunkHealth())
    async with background(watch.run()):
        asked.says.put_nowait(Response(403, "Zur\udcfcck, nicht verf\udcfcgbar"))
        await until(lambda: shows("reachable", "403 Zur\ufffdck, nicht verf\ufffdgbar"))
        asked.says.put_nowait(Response(200, "OK"))
        await until(lambda: shows("reachable", "200 OK"))


@pytest.fixture
async def carrier():
    """A registrar that knows alice, and what it has bound."""
    bindings = Bindings()
    async with phone(bindings=bindings) as registrar:
        yield registrar, bindings


async def add_registering_trunk(office, registrar, password):
    port = address_of(registrar).port
    credentials = {"username": "alice", "password": password}
    return await office.add_trunk(host=LOOPBACK, port=port, register=True, **credentials)


async def test_a_trunk_that_wants_it_is_registered_with_until_it_is_gone(
    office, database, shows, carrier
):
    registrar, bindings = carrier
    await add_registering_trunk(office, registrar, "secret")
    peers, health = KnownPeers(), TrunkHealth()
    async with phone() as ours:
        watch = TrunkWatch(database, ours, peers, health)
        async with background(watch.run()), asyncio.timeout(20):
            [bound] = await bindings.changes.get()
            assert bound.uri.user == "alice"
            assert bound.uri.port == address_of(ours).port
            await until(lambda: shows("registered"))
            assert watch.registered == 1
            assert peers.trusts(LOOPBACK)
            await office.rows("UPDATE trunks SET deleted_at = now()")
            assert await bindings.changes.get() == ()

            async def is_left():
                return watch.registered == 0

            await until(is_left)


async def test_a_trunk_that_refuses_us_says_so_and_comes_last_until_it_is_mended(
    office, database, shows, carrier
):
    registrar, bindings = carrier
    trunk_id = await add_registering_trunk(office, registrar, "wrong")
    health = TrunkHealth()
    async with phone() as ours:
        watch = TrunkWatch(database, ours, KnownPeers(), health)
        async with background(watch.run()), asyncio.timeout(20):
            await until(lambda: shows("failed", "401"))
            assert watch.registered == 0
            assert health.is_failing(trunk_id)
            assert bindings.users["alice"] == ()
            await office.rows("UPDATE trunks SET password = 'secret'")
            assert len(await bindings.changes.get()) == 1
            await until(lambda: shows("registered"))
            assert not health.is_failing(trunk_id)


async def test_an_engine_that_stops_leaves_no_registration(office, database, carrier):
    registrar, bindings = carrier
    await add_registering_trunk(office, registrar, "secret")
    async with phone() as ours, asyncio.timeout(20):
        watch = TrunkWatch(database, ours, KnownPeers(), TrunkHealth())
        async with background(watch.run()):
            assert len(await bindings.changes.get()) == 1
        assert await bindings.changes.get() == ()
