"""Legs whose audio a real rtpengine encrypts under keys that stand in SDP."""

import asyncio
import logging
import secrets
from base64 import b64encode
from types import SimpleNamespace

import pytest
from foreign_peers.rtpengine import Rtpengine

from twoleg.media import Codec, KeyAgreement, SrtpKeys, SrtpSuite, steady
from twoleg.media.rtpengine import NoNodeLeft, protected
from twoleg.media.rtpengine.descriptions import ALL_FORMATS, described
from twoleg.media.rtpengine.ng import NgClient

from .conftest import EVENT, LOOPBACK, Line, plane_at, until

pytestmark = pytest.mark.peer

SDES = KeyAgreement.SDES
HIGH, LOW = SrtpSuite.AES_CM_128_HMAC_SHA1_80, SrtpSuite.AES_CM_128_HMAC_SHA1_32


SILENT = described(LOOPBACK, 9, ALL_FORMATS)
"""One that never sends, although it might."""


class Encrypted:
    """A phone of SRTP at a leg: what each of the two is told of the other."""

    def __init__(self, line, leg, suite=HIGH):
        self.line, self.leg, self.suite = line, leg, suite
        self.node_key = dict(leg.own_end(SDES).keys)[suite]
        self.key = secrets.token_bytes(30)

    def connect(self, codec=Codec.PCMU, event=EVENT):
        self.line.decode(codec)
        keys = SrtpKeys(self.suite, self.key, self.node_key)
        there = self.line._stream(self.leg.address, self.leg.port, codec, event, keys=keys)
        self.line.phone.connect(there)
        self.leg.connect(self.stream(codec, event=event))
        self.line.speak()

    def stream(self, codec=Codec.PCMU, event=EVENT, **changes):
        keys = SrtpKeys(self.suite, self.node_key, self.key)
        return self.line.stream(codec, event=event, keys=keys, **changes)


def failure_of(leg):
    """A future with what the leg says has gone wrong."""
    failed = asyncio.get_running_loop().create_future()
    leg.listener = SimpleNamespace(media_failed=failed.set_result)
    return failed


@pytest.mark.parametrize("suite", list(SrtpSuite))
async def test_an_encrypted_leg_and_a_plain_one_hear_each_other(plane, agent, contact, suite):
    async with plane.open_port(None, SDES) as left, plane.open_port(left) as right:
        Encrypted(agent, left, suite).connect()
        contact.connect(right)
        plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))
        assert agent.phone.quality().packets_rejected == 0


@pytest.mark.parametrize("codec", list(Codec))
async def test_two_encrypted_legs_hear_each_other_in_every_codec(plane, agent, contact, codec):
    async with plane.open_port(None, SDES) as left, plane.open_port(left, SDES) as right:
        Encrypted(agent, left).connect(Codec.PCMA)
        Encrypted(contact, right, LOW).connect(codec)
        plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))


async def test_an_encrypted_leg_hears_ringback_then_the_other_and_a_prompt_over_it(
    plane, agent, contact
):
    async with plane.open_port(None, SDES) as left:
        Encrypted(agent, left).connect()
        left.play(steady((800,), 200), loop=True)
        await agent.hears(800)
        await left.first_packet()
        async with plane.open_port(left) as right:
            contact.connect(right)
            plane.bridge(left, right)
            await asyncio.gather(agent.hears(620), contact.hears(440))
            playing = left.play(steady((1200,), 400), loop=True)
            await asyncio.gather(agent.hears(1200), contact.hears(440))
            playing.stop()
            await agent.hears(620)


async def test_a_hold_and_a_new_key_of_the_far_ends_leave_ours_in_use(plane, agent, contact):
    async with plane.open_port(None, SDES) as left, plane.open_port(left, SDES) as right:
        phone = Encrypted(agent, left)
        phone.connect()
        Encrypted(contact, right).connect()
        plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))

        left.connect(phone.stream(sending=False, receiving=False))
        await asyncio.gather(agent.hears_nothing(), contact.hears_nothing())

        phone.key = secrets.token_bytes(30)
        phone.connect()
        await asyncio.gather(agent.hears(620), contact.hears(440))
        assert agent.phone.quality().packets_rejected == 0


async def test_a_hold_may_last_longer_than_nodes_wait_for_audio(here, agent, contact):
    with Rtpengine("--timeout=2") as node:
        async with (
            plane_at(here, node) as plane,
            plane.open_port(None, SDES) as left,
            plane.open_port(left, SDES) as right,
        ):
            phone = Encrypted(agent, left)
            phone.connect()
            Encrypted(contact, right).connect()
            plane.bridge(left, right)
            await asyncio.gather(agent.hears(620), contact.hears(440))
            left.connect(phone.stream(sending=False, receiving=False))
            agent.phone.stop_playing()
            calls = node.calls
            async with NgClient.open(*node.place) as another:
                forgotten = {"call-id": "x", "from-tag": "a", "to-tag": "b", "sdp": SILENT}
                await another.request("offer", forgotten)
                await another.request("answer", forgotten)
            assert node.calls == calls + 1
            await until(lambda: node.calls == calls)

            left.connect(phone.stream())
            agent.speak()
            await asyncio.gather(agent.hears(620), contact.hears(440))


async def test_what_is_not_protected_with_the_far_ends_key_is_not_heard_and_hears_nothing_in_clear(
    plane, agent, contact, here
):
    async with (
        plane.open_port(None, SDES) as left,
        plane.open_port(left) as right,
        here.open_port() as third,
    ):
        phone = Encrypted(agent, left)
        phone.connect()
        agent.phone.stop_playing()
        contact.connect(right)
        plane.bridge(left, right)
        await agent.hears(620)
        stranger, overheard = Line(third, 330), set()
        third.tap(lambda _, payload: overheard.add(bytes(payload)))
        third.connect(stranger._stream(left.address, left.port, Codec.PCMU, EVENT))
        stranger.speak()
        await contact.hears_nothing()
        assert contact.frames == 0

        third.stop_playing()
        agent.speak()
        await asyncio.gather(agent.hears(620), contact.hears(440))
        # 12.5 sends to whoever sent last as long as the far end is silent, and 10.5 does not: what
        # is sent is encrypted.
        assert overheard.isdisjoint(steady((620,), 1000).frames(Codec.PCMU))


async def test_an_encrypted_legs_digits_are_heard_and_go_through_the_bridge(plane, agent, contact):
    async with plane.open_port(None, SDES) as left, plane.open_port(left) as right:
        # Another payload type than the gateway's, as far ends may have.
        Encrypted(agent, left).connect(event=96)
        contact.connect(right, event=96)
        plane.bridge(left, right)
        await contact.hears(440)
        agent.phone.stop_playing()
        with left.listening():
            await until(lambda: left._ear._heard is not None)
            agent.phone.send_digit("4")
            async with asyncio.timeout(10):
                assert [await left.digit(), await contact.phone.digit()] == ["4", "4"]


async def test_an_encrypted_far_end_that_falls_silent_is_found_out(plane, agent):
    async with plane.open_port(None, SDES) as left:
        Encrypted(agent, left).connect()
        await left.first_packet()
        agent.phone.stop_playing()
        async with asyncio.timeout(10):
            await left.silent(0.4)


async def test_another_suite_than_was_agreed_on_ends_the_leg(plane, agent):
    async with plane.open_port(None, SDES) as left:
        failed = failure_of(left)
        Encrypted(agent, left, HIGH).connect()
        await left.first_packet()
        left.connect(Encrypted(agent, left, LOW).stream())
        async with asyncio.timeout(10):
            assert "another suite" in await failed


async def test_an_encrypted_leg_leaves_nothing_at_the_node(node, plane, agent):
    before = node.calls
    async with plane.open_port(None, SDES) as left, plane.open_port(left, SDES):
        Encrypted(agent, left).connect()
        await left.first_packet()
        assert node.calls > before
    await until(lambda: node.calls == before)


async def test_a_node_that_does_not_encrypt_has_no_port_for_such_a_leg(
    node, plane, agent, monkeypatch
):
    before = node.calls
    clear = {SDES: "RTP/AVP"}
    monkeypatch.setattr("twoleg.media.rtpengine.gateway.PROTOCOLS", clear)
    with pytest.raises(NoNodeLeft, match="does not encrypt"):
        async with plane.open_port(None, SDES):
            pass
    assert protected.PROTOCOLS[SDES] == "RTP/SAVP"
    await until(lambda: node.calls == before)


async def test_no_key_is_in_the_log_nor_in_what_a_leg_shows_of_itself(plane, agent, caplog):
    caplog.set_level(logging.DEBUG)
    async with plane.open_port(None, SDES) as left:
        phone = Encrypted(agent, left)
        phone.connect()
        await left.first_packet()
        shown = caplog.text + repr(left.own_end(SDES)) + repr(left.remote)
    for key in (phone.key, phone.node_key):
        for written in (b64encode(key).decode(), key.hex(), repr(key)):
            assert written not in shown
