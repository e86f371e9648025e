"""Audio over IPv6, on real sockets."""

from media.rtp.conftest import PORTS

from twoleg.media import EmbeddedPlane
from twoleg.media.latch import PACKETS_TO_LEARN

LOOPBACK = "::1"


async def test_two_far_ends_hear_each_other_over_ipv6(far_end):
    agent, contact = far_end(ssrc=1, host=LOOPBACK), far_end(ssrc=2, host=LOOPBACK)
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=PORTS) as plane,
        plane.open_port() as left,
        plane.open_port() as right,
    ):
        assert left.address == LOOPBACK
        left.connect(agent.stream())
        right.connect(contact.stream())
        plane.bridge(left, right)
        for number in range(3):
            agent.send(left, bytes([number]) * 160)
            contact.send(right, bytes([100 + number]) * 160)
            assert (await contact.receive()).payload == bytes([number]) * 160
            assert (await agent.receive()).payload == bytes([100 + number]) * 160
        assert left.quality().packets_received == 3
        assert right.quality().packets_received == 3


async def test_a_phone_behind_a_nat_is_latched_onto_over_ipv6(far_end):
    told, real = far_end(ssrc=1, host=LOOPBACK), far_end(ssrc=1, host=LOOPBACK)
    async with EmbeddedPlane.open(host=LOOPBACK, ports=PORTS) as plane, plane.open_port() as port:
        port.connect(told.stream())
        for _ in range(PACKETS_TO_LEARN):
            real.send(port)
        await port.first_packet()

        class Frame:
            def frames(self, codec):
                return [bytes(codec.frame_bytes)] * 3

        await port.play(Frame()).finished()
        assert (await real.receive()).payload == bytes(160)
        assert told.waiting() == []
