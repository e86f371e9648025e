"""Legs whose audio a real rtpengine encrypts: with keys in SDP, and with a browser's by DTLS."""

import asyncio
import secrets

import pytest

from twoleg.media import Codec, KeyAgreement, SrtpKeys, SrtpSuite

from .conftest import EVENT

pytestmark = pytest.mark.peer

SDES, DTLS = KeyAgreement.SDES, KeyAgreement.DTLS


class Encrypted:
    """A phone of SRTP, connected to a leg with both sides' keys."""

    def __init__(self, line, leg, suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80):
        self.line, self.leg = line, leg
        node = dict(leg.own_end(SDES).keys)[suite]
        phone = secrets.token_bytes(30)
        self.ours = SrtpKeys(suite, node, phone)
        self.theirs = SrtpKeys(suite, phone, node)

    def connect(self, codec=Codec.PCMU):
        line, leg = self.line, self.leg
        line.decode(codec)
        there = line._stream(leg.address, leg.port, codec, EVENT, keys=self.theirs)
        line.phone.connect(there)
        leg.connect(self.stream(codec))
        line.speak()

    def stream(self, codec=Codec.PCMU, **changes):
        return self.line.stream(codec, keys=self.ours, **changes)


@pytest.mark.parametrize("suite", list(SrtpSuite))
async def test_an_encrypted_leg_and_a_plain_one_hear_each_other(plane, agent, contact, suite):
    async with plane.open_port(None, SDES) as left, plane.open_port(left) as right:
        Encrypted(agent, left, suite).connect()
        contact.connect(right)
        plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))
        assert agent.phone.quality().packets_rejected == 0


async def test_two_encrypted_legs_hear_each_other(plane, agent, contact):
    async with plane.open_port(None, SDES) as left, plane.open_port(left, SDES) as right:
        Encrypted(agent, left).connect()
        Encrypted(contact, right).connect()
        plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))
