"""Browsers' legs at a real rtpengine: who is let in, who is heard, what ends the leg."""

import asyncio
import logging
from array import array
from collections import deque
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from media.webrtc.conftest import THEIRS, Browser

from twoleg.media import Codec, Decoder, KeyAgreement, SrtpKeys, SrtpSuite, dominant_tone, steady
from twoleg.media.rtpengine import gateway
from twoleg.media.webrtc.dtls import Certificate
from twoleg.media.webrtc.terms import NOT_FOUND, NOT_PROVED, NOT_SECURED

from .conftest import FRAMES, LOOPBACK, TONES, Line, until

pytestmark = pytest.mark.peer

DTLS = KeyAgreement.DTLS
SPEECH = steady((440,), 1000).frames(Codec.PCMU)


class Page(Browser):
    """A browser at a leg, which says a tone of 440 Hz once it is connected, and hears."""

    def __init__(self, leg, **options):
        own = leg.own_end(DTLS)
        super().__init__(LOOPBACK, password=own.ice[1], **options)
        self.leg = leg
        self.username = f"{own.ice[0]}:{THEIRS}"
        self.frames = 0
        self._last = deque(maxlen=FRAMES)
        self._decoder = Decoder(Codec.PCMU)
        self._tasks = []

    async def talk(self):
        """Be connected, and speak and listen from now on."""
        await self.connect(self.leg)
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._listen())]

    async def pause(self):
        """Neither speak nor listen, until it talks again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def go(self, *, says_so=True):
        """Talk from another place from now on."""
        await self.pause()
        self.move()
        if says_so:
            self.check()
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._listen())]

    async def hears(self, hertz):
        self._last.clear()
        await until(lambda: self._tone() == hertz)

    async def end(self):
        await self.pause()
        for each in self.sockets:
            each.close()

    async def _speak(self):
        while True:
            for frame in SPEECH:
                self.say(frame)
                await asyncio.sleep(0.02)

    async def _listen(self):
        while True:
            packet = await self.hear()
            if packet.payload_type == Codec.PCMU.payload_type:
                self.frames += 1
                self._last.append(self._decoder.decode(packet.payload))

    def _tone(self):
        if len(self._last) < FRAMES:
            return None
        samples = array("h")
        for frame in self._last:
            samples.extend(frame)
        return dominant_tone(samples, 8000, TONES)


@pytest.fixture
async def page():
    made = []

    def make(leg, **options):
        made.append(Page(leg, **options))
        return made[-1]

    yield make
    for each in made:
        await each.end()


@asynccontextmanager
async def talking(plane, contact, page):
    """A browser and the contact, who hear each other."""
    async with plane.open_port(None, DTLS) as left, plane.open_port(left) as right:
        browser = page(left)
        left.connect(browser.stream())
        contact.connect(right)
        plane.bridge(left, right)
        await browser.talk()
        await asyncio.gather(browser.hears(620), contact.hears(440))
        yield browser


def failure_of(leg):
    """A future with what the leg says has gone wrong."""
    failed = asyncio.get_running_loop().create_future()
    leg.listener = SimpleNamespace(media_failed=failed.set_result)
    return failed


def wrong(page):
    """What a page's answer says if its certificate is another one."""
    digest = bytes.fromhex(Certificate().fingerprint.replace(":", ""))
    return page.stream(terms=page.terms(fingerprints=(("sha-256", digest),)))


@pytest.mark.parametrize("is_server", [False, True])
async def test_a_browser_and_a_phone_hear_each_other(plane, contact, page, is_server):
    async with plane.open_port(None, DTLS) as left, plane.open_port(left) as right:
        browser = page(left, is_server=is_server)
        left.connect(browser.stream())
        contact.connect(right)
        plane.bridge(left, right)
        await browser.talk()
        await asyncio.gather(browser.hears(620), contact.hears(440))


async def test_a_browser_that_comes_before_its_answer_is_heard_after_it(plane, contact, page):
    async with plane.open_port(None, DTLS) as left, plane.open_port(left) as right:
        browser = page(left)
        contact.connect(right)
        await browser.talk()
        left.connect(browser.stream())
        plane.bridge(left, right)
        await asyncio.gather(browser.hears(620), contact.hears(440))


async def test_what_is_played_waits_for_the_keys(plane, page):
    async with plane.open_port(None, DTLS) as left:
        browser = page(left)
        left.connect(browser.stream())
        playing = left.play(steady((1200,), 400))
        await until(lambda: left._gateway._told is not None)
        await browser.talk()
        await browser.hears(1200)
        assert await playing.finished()
        await until(lambda: browser.frames >= 19)


async def test_a_browser_that_moves_is_heard_from_there(plane, contact, page):
    async with talking(plane, contact, page) as browser:
        await browser.go()
        await asyncio.gather(browser.hears(620), contact.hears(440))


async def test_a_browser_that_moves_is_heard_before_it_says_so_and_hears_once_it_has(
    plane, contact, page
):
    async with talking(plane, contact, page) as browser:
        await browser.go(says_so=False)
        await contact.hears(440)
        browser.check()
        await browser.hears(620)


async def test_who_is_not_the_browser_is_not_heard_and_takes_nothing_over(
    plane, contact, page, here
):
    async with (
        plane.open_port(None, DTLS) as left,
        plane.open_port(left) as right,
        here.open_port() as third,
    ):
        browser = page(left)
        left.connect(browser.stream())
        contact.connect(right)
        plane.bridge(left, right)
        await browser.talk()
        await asyncio.gather(browser.hears(620), contact.hears(440))
        stranger = Line(third, 330)
        keys = SrtpKeys(SrtpSuite.AES_CM_128_HMAC_SHA1_80, bytes(30), bytes(range(30)))
        third.connect(stranger.stream()._replace(host=left.address, port=left.port, keys=keys))
        stranger.speak()
        await until(lambda: third.outgoing.packets > 50)
        await asyncio.gather(browser.hears(620), contact.hears(440))
        assert third.quality().packets_rejected == 0


@pytest.mark.parametrize("is_told_first", [False, True])
async def test_a_browser_with_another_certificate_than_described_hears_and_says_nothing(
    plane, contact, page, monkeypatch, is_told_first
):
    monkeypatch.setattr(gateway, "SECURE_WITHIN_SECONDS", 1.0)
    async with plane.open_port(None, DTLS) as left, plane.open_port(left) as right:
        failed = failure_of(left)
        browser = page(left)
        contact.connect(right)
        if is_told_first:
            left.connect(wrong(browser))
            plane.bridge(left, right)
            await until(lambda: left._gateway._told is not None)
            trying = asyncio.create_task(browser.connect(left))
            # The node ends the handshake: 10.5 without a word, 12.5 with an alert.
            assert await failed == NOT_SECURED
            assert browser.srtp is None
            trying.cancel()
            await asyncio.gather(trying, return_exceptions=True)
        else:
            await browser.talk()
            left.connect(wrong(browser))
            plane.bridge(left, right)
            assert await failed == NOT_PROVED
        await contact.hears_nothing()
        assert (contact.frames, browser.frames, left.quality().packets_received) == (0, 0, 0)


async def test_a_browser_that_never_comes_ends_the_leg(plane, page, monkeypatch):
    monkeypatch.setattr(gateway, "SECURE_WITHIN_SECONDS", 0.3)
    async with plane.open_port(None, DTLS) as left:
        failed = failure_of(left)
        left.connect(page(left).stream())
        assert await failed == NOT_FOUND


async def test_who_has_not_the_password_finds_no_way(plane, page, monkeypatch):
    monkeypatch.setattr(gateway, "SECURE_WITHIN_SECONDS", 0.5)
    async with plane.open_port(None, DTLS) as left:
        failed = failure_of(left)
        browser = page(left)
        left.connect(browser.stream())
        browser.password = "another password of 22 signs"
        browser.reach(left)
        browser.check()
        assert await failed == NOT_FOUND


async def test_another_certificate_in_mid_call_is_proved_anew(plane, contact, page):
    async with talking(plane, contact, page) as browser:
        await browser.pause()
        browser.renew()
        browser.leg.connect(browser.stream())
        await until(lambda: browser.leg._gateway._told.count(browser.certificate.fingerprint))
        await browser.talk()
        await asyncio.gather(browser.hears(620), contact.hears(440))


async def test_no_password_is_in_the_log_nor_in_what_a_leg_shows_of_itself(plane, page, caplog):
    caplog.set_level(logging.DEBUG)
    async with plane.open_port(None, DTLS) as left:
        browser = page(left)
        left.connect(browser.stream())
        await browser.talk()
        await left.first_packet()
        shown = caplog.text + repr(left.own_end(DTLS)) + repr(left.remote)
        assert left.own_end(DTLS).ice[1] not in shown
