"""Who may send an engine requests: its trunks, and phones that have registered; nobody else."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from calls.engine.world import (
    LOOPBACK,
    PASSWORD,
    RTP_PORTS,
    World,
    config,
    far_end,
    registered_at,
)
from sip_io.phones import request_to

from twoleg.calls import trunk_watch
from twoleg.calls.engine import Engine
from twoleg.media import EmbeddedPlane
from twoleg.sip import Destination, SipUri, Transport, make_ha1s
from twoleg.sip_io import LegRefused, Listen, Phone, PhoneConfig

ELSEWHERE = "127.0.0.2"


@pytest.fixture
def world(office):
    return World(office, None, None, None)


@asynccontextmanager
async def somebody():
    """A phone at another address than all that an engine of these tests knows."""
    async with Phone.open(PhoneConfig(listen=(Listen(Transport.UDP, ELSEWHERE),))) as phone:
        yield phone


def place_of(engine):
    host, port = engine.sip_address.rsplit(":", 1)
    target = SipUri("sip", "sales", None, host, int(port))
    return target, (Destination(Transport.UDP, host, int(port)),)


async def status_of(phone, engine):
    """What the engine says to an OPTIONS."""
    target, there = place_of(engine)
    return (await phone.options(target, there)).status


async def refusal_of(phone, engine):
    """How the engine refuses a call."""
    target, there = place_of(engine)
    async with phone.ring(request_to(target, destinations=there)) as leg:
        with pytest.raises(LegRefused) as refused:
            await leg.answered()
    return refused.value.status


async def test_a_stranger_is_forbidden_all_of_it(world, database_url):
    async with Engine.open(config(), database_url) as engine, somebody() as stranger:
        assert await status_of(stranger, engine) == 403
        assert await refusal_of(stranger, engine) == 403
    assert await world.office.rows("SELECT FROM calls") == []


async def test_a_trunk_is_let_in_from_its_address_as_long_as_it_is_one(
    world, database_url, monkeypatch
):
    monkeypatch.setattr(trunk_watch, "RELOAD_SECONDS", 0.05)
    async with Engine.open(config(), database_url) as engine, somebody() as carrier:
        assert await status_of(carrier, engine) == 403
        [(_, address)] = carrier.addresses
        trunk = await world.office.add_trunk(host=ELSEWHERE, port=address.port)
        await world.until("reachable", "SELECT state FROM trunks WHERE id = %s", trunk)
        assert await status_of(carrier, engine) == 200
        # Calls from outside are none of ours, whoever makes them.
        assert await refusal_of(carrier, engine) == 403
        await world.office.rows("UPDATE trunks SET deleted_at = now() WHERE id = %s", trunk)
        while await status_of(carrier, engine) != 403:
            pass
    assert await world.office.rows("SELECT FROM calls") == []


@pytest.fixture
async def bob(office):
    return await office.add_user("bob", sip_ha1=make_ha1s("bob", "twoleg", PASSWORD))


async def test_a_phone_is_let_in_once_it_has_registered(bob, database_url):
    async with Engine.open(config(), database_url) as engine, somebody() as phone:
        [(_, address)] = phone.addresses
        there = SimpleNamespace(phone=phone, address=address)
        async with registered_at(engine, there, "bob", "wrong"):
            assert await status_of(phone, engine) == 403
        async with registered_at(engine, there, "bob"):
            assert await status_of(phone, engine) == 200
            assert await refusal_of(phone, engine) == 403


async def test_two_phones_of_a_user_are_bound_beside_each_other(world, bob, database_url):
    bound = "SELECT count(*) FROM bindings WHERE user_id = %s AND expires_at > now()"
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=RTP_PORTS) as plane,
        far_end(plane) as desk,
        far_end(plane) as mobile,
        Engine.open(config(), database_url) as engine,
        registered_at(engine, desk, "bob"),
    ):
        async with registered_at(engine, mobile, "bob"):
            await world.until(2, bound, bob)
        await world.until(1, bound, bob)
        contacts = await world.office.rows("SELECT contact_uri FROM bindings")
        assert contacts == [(f"sip:bob@{LOOPBACK}:{desk.port}",)]
