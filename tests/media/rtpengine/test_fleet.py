"""Several nodes: which one a call goes to, and what becomes of it when a node fails."""

import asyncio

import pytest
from foreign_peers.rtpengine import Rtpengine

from twoleg.media import steady
from twoleg.media.rtpengine import NoNodeLeft, nodes
from twoleg.media.rtpengine.session import SessionLost

from .conftest import plane_at, until

pytestmark = pytest.mark.peer


@pytest.fixture
def own_node(monkeypatch):
    """A node that the test may kill."""
    monkeypatch.setattr(nodes, "PING_SECONDS", 0.1)
    with Rtpengine() as node:
        yield node


def node_of(port):
    return port.call.node.name


async def test_a_call_goes_to_the_node_with_the_fewest_legs_and_stays_there(node, own_node, here):
    async with (
        plane_at(here, node, own_node) as plane,
        plane.open_port() as one,
        plane.open_port(one) as beside,
        plane.open_port() as other,
        plane.open_port() as third,
    ):
        assert node_of(one) == node_of(beside)
        assert node_of(other) == node_of(third) != node_of(one)


async def test_new_calls_avoid_a_node_that_died_until_it_is_back(node, own_node, here, agent):
    async with plane_at(here, node, own_node) as plane:
        own_node.kill()
        for _ in range(3):
            async with plane.open_port() as port:
                assert node_of(port).endswith(str(node.place[1]))
        assert plane.ports_free == nodes.MAX_LEGS

        own_node.start()
        await until(lambda: plane.ports_free == 2 * nodes.MAX_LEGS)
        async with plane.open_port(), plane.open_port() as port:
            agent.connect(port)
            port.play(steady((800,), 200), loop=True)
            await agent.hears(800)


async def test_a_call_whose_node_died_is_silent_and_its_end_leaves_nothing(
    own_node, here, agent, contact
):
    async with plane_at(here, own_node) as plane:
        async with plane.open_port() as left, plane.open_port(left) as right:
            agent.connect(left)
            contact.connect(right)
            bridge = plane.bridge(left, right)
            await asyncio.gather(agent.hears(620), contact.hears(440))

            own_node.kill()
            async with asyncio.timeout(10):
                await asyncio.gather(left.silent(0.3), right.silent(0.3))
            # What the script does with such a call.
            bridge.close()
            await left.play(steady((800,), 200), loop=True).finished()
        assert plane.ports_free == 0


async def test_a_node_that_was_started_again_has_forgotten_its_calls_and_is_asked_no_more_of_them(
    own_node, here, agent, contact
):
    async with plane_at(here, own_node) as plane:
        async with plane.open_port() as left:
            agent.connect(left)
            await left.first_packet()
            own_node.kill()
            own_node.start()
            await until(lambda: plane.ports_free)

            with pytest.raises(NoNodeLeft, match="has forgotten the call"):
                async with plane.open_port(left):
                    raise AssertionError
            assert left.session.lost
            left.play(steady((800,), 200), loop=True)
            async with asyncio.timeout(10):
                await left.silent(0.3)
        async with plane.open_port() as left, plane.open_port(left) as right:
            agent.connect(left)
            contact.connect(right)
            plane.bridge(left, right)
            await asyncio.gather(agent.hears(620), contact.hears(440))
        assert own_node.is_running


@pytest.mark.parametrize(
    "command", ["query", "play media", "stop media", "block media", "unblock DTMF"]
)
async def test_whatever_is_asked_of_a_forgotten_call_the_call_is_lost(plane, command):
    async with plane.open_port() as left:
        session = left.session
        await session.ask(session._delete_all)
        with pytest.raises(SessionLost):
            await session.ask(lambda: session.request(command, from_tag=left.tag))


async def test_a_node_forgets_a_call_without_rtp_but_not_while_its_phone_rings(here, agent):
    with Rtpengine("--timeout=1") as impatient:
        async with plane_at(here, impatient) as plane, plane.open_port() as left:
            await asyncio.sleep(3)
            assert impatient.calls == 1
            left.connect(agent.stream())
            await until(lambda: impatient.calls == 0)
            async with asyncio.timeout(10):
                await left.silent(0.2)
            assert left.session.lost


async def test_without_a_node_no_port_is_opened_and_the_refusal_says_so(own_node, here):
    own_node.kill()
    async with plane_at(here, own_node) as plane:
        assert plane.ports_free == 0
        with pytest.raises(NoNodeLeft, match="none of the rtpengine nodes answers"):
            async with plane.open_port():
                raise AssertionError


async def test_a_port_that_is_cancelled_while_it_opens_leaves_nothing(own_node, here):
    async with plane_at(here, own_node) as plane:

        async def open_port():
            async with plane.open_port():
                raise AssertionError

        for turns in range(6):
            opening = asyncio.create_task(open_port())
            for _ in range(turns):
                await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            assert plane.ports_open == 0
        await until(lambda: not plane._tasks)
        assert own_node.calls == 0
