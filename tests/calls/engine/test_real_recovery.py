"""What an engine that was lost has left is ended by another, with real phones at the ends."""

import asyncio

import pytest
from calls.engine.world import LOOPBACK, agent_and_contact, config

from twoleg.calls.engine import Engine
from twoleg.sip import parse_message


@pytest.fixture
async def world(office):
    async with agent_and_contact(office) as world:
        yield world


async def test_another_engine_ends_the_dialogs_of_one_that_was_lost(world, database_url):
    """The rows of a call are what a crash would leave: its engine is silent, its legs are up."""
    office = world.office
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=world.alice)
        contact_call = await world.contact.next_call()
        assert await contact_call.leg.established()
        lost = await office.join()
        await office.rows("UPDATE engines SET heartbeat_at = 'epoch' WHERE id = %s", lost)
        await office.rows("UPDATE calls SET engine_id = %s WHERE id = %s", lost, call_id)
        async with Engine.open(config(), database_url):
            assert await world.ended(call_id) == ("failed", "system")
            assert (await world.contact.end()).reason == "Engine lost"
            assert (await world.agent.end()).by_remote
    assert (await office.events(call_id)).count("ended") == 1


class Asking(asyncio.DatagramProtocol):
    """A trunk that asks who we are, and then says that it tries, and no more."""

    def __init__(self):
        self.invites = []
        self.knows = asyncio.Event()
        self.cancels = asyncio.Queue()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        request = parse_message(data)
        if request.method == "INVITE":
            self.invites.append(request)
            known = "Proxy-Authorization" in request.headers
            response = request.make_response(100 if known else 407, to_tag="trunk")
            if known:
                self.knows.set()
            else:
                challenge = 'Digest realm="trunk", nonce="1", qop="auth", algorithm=MD5'
                response.headers.add("Proxy-Authenticate", challenge)
            self.transport.sendto(response.to_bytes(), addr)
        elif request.method == "CANCEL":
            self.cancels.put_nowait(request)
            self.transport.sendto(request.make_response(200, to_tag="trunk").to_bytes(), addr)


async def test_another_engine_cancels_an_invite_that_was_challenged_and_has_not_rung(
    world, database_url
):
    """Of the second INVITE nothing is stored: it is known from the first."""
    office = world.office
    loop = asyncio.get_running_loop()
    transport, trunk = await loop.create_datagram_endpoint(Asking, local_addr=(LOOPBACK, 0))
    port = transport.get_extra_info("sockname")[1]
    await office.rows("UPDATE trunks SET port = %s, username = 'line', password = 'secret'", port)
    async with Engine.open(config(), database_url):
        call_id = await office.queue(user_id=world.alice)
        async with asyncio.timeout(15):
            await trunk.knows.wait()
        await world.until(2, "SELECT count(*) FROM legs WHERE call_id = %s", call_id)
        lost = await office.join()
        await office.rows("UPDATE engines SET heartbeat_at = 'epoch' WHERE id = %s", lost)
        await office.rows("UPDATE calls SET engine_id = %s WHERE id = %s", lost, call_id)
        async with Engine.open(config(), database_url):
            async with asyncio.timeout(15):
                canceled = [await trunk.cancels.get() for _ in range(2)]
            assert await world.ended(call_id) == ("failed", "system")
    transport.close()
    first, second = trunk.invites[0], trunk.invites[-1]
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert [each.via.branch for each in canceled] == [first.via.branch, second.via.branch]
    assert [each.cseq.number for each in canceled] == [1, 2]
