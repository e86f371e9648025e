"""Two legs joined: each far end hears the other."""

from twoleg.media import Codec


async def test_each_far_end_hears_the_other(plane, far_end):
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream())
        right.connect(contact.stream())
        plane.bridge(left, right)
        for number in range(3):
            agent.send(left, bytes([number]) * 160)
            contact.send(right, bytes([100 + number]) * 160)
            assert (await contact.receive()).payload == bytes([number]) * 160
            assert (await agent.receive()).payload == bytes([100 + number]) * 160


async def test_a_law_and_mu_law_are_translated_into_each_other(plane, far_end):
    agent, contact = far_end(ssrc=1), far_end(ssrc=2)
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(agent.stream(Codec.PCMU))
        right.connect(contact.stream(Codec.PCMA))
        plane.bridge(left, right)
        agent.send(left, b"\xff" * 160, payload_type=0)
        heard = await contact.receive()
        assert (heard.payload_type, heard.payload) == (8, b"\xd5" * 160)
        contact.send(right, b"\xd5" * 160, payload_type=8)
        heard = await agent.receive()
        assert (heard.payload_type, heard.payload) == (0, b"\xfe" * 160)
