"""Trunks that want a registration: an engine registers, says how that stands, and leaves."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from calls.engine.world import LOOPBACK, World, config
from foreign_peers.ports import silent_port
from sip_io.phones import phone
from sip_io.test_registrar import Bindings

from twoleg.calls import trunk_watch
from twoleg.calls.engine import Engine
from twoleg.sip_io import KnownAddresses

STATE = "SELECT state FROM trunks WHERE id = %s"


@pytest.fixture
def bindings():
    return Bindings()


@pytest.fixture
def carrier(bindings):
    """A registrar that knows the user alice with the password secret."""

    @asynccontextmanager
    async def run():
        async with phone(bindings=bindings, gatekeeper=KnownAddresses()) as registrar:
            [(_, address)] = registrar.addresses
            yield address.port

    return run


@pytest.fixture
def add_trunk(office):
    async def add(port, **columns):
        login = {"username": "alice", "password": "secret", "register": True}
        return await office.add_trunk(host=LOOPBACK, port=port, **login | columns)

    return add


@pytest.fixture
def world(office):
    return World(office, None, None, None)


async def until_bound(bindings, is_bound):
    """Wait until the carrier has been told of the engine, or of its leaving."""
    async with asyncio.timeout(15):
        while bool(bound := await bindings.changes.get()) is not is_bound:
            pass
    return bound


async def test_an_engine_registers_shows_it_and_leaves_at_its_end(
    world, carrier, bindings, add_trunk, database_url
):
    async with carrier() as port:
        trunk = await add_trunk(port)
        async with Engine.open(config(), database_url) as engine:
            await world.until("registered", STATE, trunk)
            [binding] = await until_bound(bindings, is_bound=True)
            assert binding.contact == f"sip:alice@{engine.sip_address}"
            figure = "SELECT figures->'gauges'->>'trunks_registered' FROM engines"
            await world.until("1", figure)
        assert await until_bound(bindings, is_bound=False) == ()


async def test_a_refusal_is_shown_with_what_the_carrier_says_until_it_is_mended(
    world, carrier, bindings, add_trunk, database_url, monkeypatch
):
    monkeypatch.setattr(trunk_watch, "RELOAD_SECONDS", 0.05)
    async with carrier() as port:
        trunk = await add_trunk(port, password="wrong")
        async with Engine.open(config(), database_url):
            await world.until("failed", STATE, trunk)
            detail = await world.office.value(
                "SELECT state_detail FROM trunks WHERE id = %s", trunk
            )
            assert detail.startswith("401 ")
            await world.office.rows("UPDATE trunks SET password = 'secret' WHERE id = %s", trunk)
            await world.until("registered", STATE, trunk)


async def test_a_trunk_that_wants_no_registration_any_more_is_left(
    world, carrier, bindings, add_trunk, database_url, monkeypatch
):
    monkeypatch.setattr(trunk_watch, "RELOAD_SECONDS", 0.05)
    async with carrier() as port:
        trunk = await add_trunk(port)
        async with Engine.open(config(), database_url):
            await until_bound(bindings, is_bound=True)
            await world.office.rows('UPDATE trunks SET "register" = false WHERE id = %s', trunk)
            assert await until_bound(bindings, is_bound=False) == ()
            # It is asked by OPTIONS from then on, whatever it says to that.
            await world.until("reachable", STATE, trunk)


async def test_a_carrier_that_is_not_there_is_shown_and_tried_again(world, add_trunk, database_url):
    with silent_port() as port:
        trunk = await add_trunk(port, transport="tcp")
        async with Engine.open(config(), database_url):
            await world.until("failed", STATE, trunk)
            detail = "SELECT state_detail FROM trunks WHERE id = %s"
            assert await world.office.value(detail, trunk)
