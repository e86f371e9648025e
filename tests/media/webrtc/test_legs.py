"""A browser's leg in the media plane: who is let in, who is heard, what ends it."""

import asyncio
from types import SimpleNamespace

import pytest

from twoleg.media import Codec, RemoteStream
from twoleg.media.webrtc import transport as transport_module
from twoleg.media.webrtc.dtls import Certificate

PASSWORD = "our password of 22 signs"


class Frames:
    def __init__(self, count):
        self.count = count

    def frames(self, codec):
        return [bytes([codec.payload_type]) * 160] * self.count


def failure_of(port):
    """A future with what the port says has gone wrong."""
    failed = asyncio.get_running_loop().create_future()
    port.listener = SimpleNamespace(media_failed=failed.set_result)
    return failed


def fingerprints(certificate):
    return (("sha-256", bytes.fromhex(certificate.fingerprint.replace(":", ""))),)


@pytest.mark.parametrize("is_server", [False, True])
async def test_two_browsers_hear_each_other(plane, browser, is_server):
    one, other = browser(is_server=is_server), browser()
    async with plane.open_port() as left, plane.open_port() as right:
        left.connect(one.stream())
        right.connect(other.stream(Codec.PCMA))
        plane.bridge(left, right)
        await one.connect(left)
        await other.connect(right)
        for number in range(5):
            one.say(bytes([number]) * 160)
            assert (await other.hear()).payload_type == 8
            other.say(bytes([number]) * 160, payload_type=8)
            assert (await one.hear()).payload_type == 0
        assert left.quality().packets_received == right.quality().packets_received == 5


async def test_a_browser_hears_what_is_played_and_its_digits_come(plane, browser):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
        await port.play(Frames(3)).finished()
        assert (await page.hear()).payload == bytes(160)
        page.say()
        page.say(b"\x05\x8a\x00\xa0", payload_type=101)
        assert await port.digit() == "5"


async def test_nothing_leaves_before_all_is_proved(plane, browser):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        playing = port.play(Frames(3))
        page.reach(port)
        page.check()
        assert (await page.answer())[:2] == b"\x01\x01"
        assert port.outgoing.send is None
        await page.handshake()
        # From its first frame on.
        await playing.finished()
        assert [(await page.hear()).sequence - port.outgoing.sequence for _ in range(3)] == [
            -2,
            -1,
            0,
        ]
        assert port.quality().packets_sent == 3


async def test_a_check_without_the_password_is_not_answered(plane, browser, until):
    thief = browser(password="a guess of twenty-two")
    async with plane.open_port() as port:
        port.connect(thief.stream())
        thief.reach(port)
        thief.check()
        await until(lambda: port.quality().packets_rejected == 1)
        thief.password = PASSWORD
        thief.username = "somebody:else"
        thief.check()
        await until(lambda: port.quality().packets_rejected == 2)
        thief.username = "ours:theirs"
        thief.check()
        assert (await thief.received())[8:20] == (3).to_bytes(12, "big")


async def test_dtls_of_whom_no_check_was_right_is_not_looked_at(plane, browser, until):
    page, thief = browser(), browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        thief.reach(port)
        thief._dtls.begin()
        await until(lambda: port.quality().packets_rejected == 1)
        await page.connect(port)


async def test_another_certificate_than_the_described_one_ends_the_leg(plane, browser):
    page, expected = browser(), Certificate()
    async with plane.open_port() as port:
        failed = failure_of(port)
        port.connect(page.stream(terms=page.terms(fingerprints=fingerprints(expected))))
        await page.connect(port)
        assert await failed == "the far end's certificate is not that of its a=fingerprint"
        page.say()
        page.check()
        await page.answer()
        assert port.incoming.source is None


async def test_one_of_several_fingerprints_is_enough(plane, browser):
    page = browser()
    several = (("sha-1", bytes(20)), *fingerprints(Certificate()), *fingerprints(page.certificate))
    async with plane.open_port() as port:
        port.connect(page.stream(terms=page.terms(fingerprints=several)))
        await page.connect(port)
        page.say()
        await port.first_packet()


async def test_a_browser_that_is_not_nominated_is_not_heard(plane, browser, until):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        page.reach(port)
        page.check(nominates=False)
        await page.answer()
        await page.handshake()
        page.say()
        await until(lambda: port.quality().packets_rejected == 1)
        page.check()
        await page.answer()
        page.say()
        await port.first_packet()
        assert port.quality().packets_received == 1


@pytest.mark.parametrize("nominates", [True, False])
async def test_a_browser_that_moves_is_followed_once_it_speaks_from_there(
    plane, browser, until, nominates
):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
        page.say()
        await port.first_packet()
        before = page.place
        page.move()
        # Without a check what comes from there is nobody's.
        page.say()
        await until(lambda: port.quality().packets_rejected == 1)
        page.check(nominates=nominates)
        await page.answer()
        assert port.incoming.source == before
        page.say()
        await until(lambda: port.incoming.source == page.place)
        await port.play(Frames(1)).finished()
        assert (await page.hear()).payload == bytes(160)


async def test_who_repeats_what_was_overheard_moves_nothing(plane, browser, until):
    page, thief = browser(), browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
        overheard = page.say()
        await port.first_packet()
        thief.reach(port)
        thief.check()
        await thief.answer()
        thief.send(overheard)
        await until(lambda: port.quality().packets_rejected == 1)
        assert port.incoming.source == page.place


async def test_hold_and_resume_keep_the_association(plane, browser, until):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
        page.say()
        await port.first_packet()
        port.connect(page.stream(sending=False))
        port.connect(page.stream())
        page.say()
        await until(lambda: port.quality().packets_received == 2)
        await port.play(Frames(1)).finished()
        assert (await page.hear()).payload == bytes(160)


async def test_an_ice_restart_keeps_the_association_and_takes_new_checks(plane, browser, until):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
        restarted = {"fragment": "new", "password": "another password 22 c", "remote_fragment": "x"}
        port.connect(page.stream(terms=page.terms(**restarted)))
        page.check()
        assert (await page.answer())[:2] == b"\x01\x01"
        page.username, page.password = "new:x", restarted["password"]
        page.move()
        page.check()
        assert (await page.answer())[:2] == b"\x01\x01"
        page.say()
        await until(lambda: port.incoming.source == page.place)
        page.username, page.password = "ours:theirs", PASSWORD
        rejected = port.quality().packets_rejected
        page.check()
        await until(lambda: port.quality().packets_rejected == rejected + 1)


@pytest.mark.parametrize("is_server", [False, True])
async def test_another_certificate_in_a_later_description_is_another_association(
    plane, browser, is_server
):
    page = browser(is_server=is_server)
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
        page.say()
        await port.first_packet()
        page.renew()
        port.connect(page.stream())
        assert port.outgoing.send is None
        page.check()
        await page.answer()
        await page.handshake()
        await port.play(Frames(1)).finished()
        assert (await page.hear()).payload == bytes(160)


async def test_checks_go_on_being_answered_during_the_call(plane, browser):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
        page.say()
        await port.first_packet()
        for _ in range(3):
            page.check()
            assert (await page.answer())[:2] == b"\x01\x01"
        assert port.quality().packets_rejected == 0


async def test_a_flood_of_checks_is_answered_up_to_a_bound(plane, browser, monkeypatch, until):
    monkeypatch.setattr("twoleg.media.webrtc.ice.CHECKS_AT_ONCE", 5.0)
    monkeypatch.setattr("twoleg.media.webrtc.ice.CHECKS_PER_SECOND", 0.0)
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        page.reach(port)
        for _ in range(8):
            page.check()
        await until(lambda: port.quality().packets_rejected == 3)


async def test_a_browser_that_never_comes_ends_the_leg(plane, browser, monkeypatch):
    monkeypatch.setattr(transport_module, "SECURE_WITHIN_SECONDS", 0.0)
    page = browser()
    async with plane.open_port() as port:
        failed = failure_of(port)
        port.connect(page.stream())
        assert "found no way to us" in await failed


async def test_a_browser_that_does_no_dtls_ends_the_leg(plane, browser, monkeypatch):
    page = browser()
    async with plane.open_port() as port:
        failed = failure_of(port)
        port.connect(page.stream())
        page.reach(port)
        page.check()
        await page.answer()
        monkeypatch.setattr(port._webrtc, "_secure_by", 0.0)
        assert "no DTLS association" in await failed


async def test_a_page_that_is_closed_ends_the_leg(plane, browser, monkeypatch):
    monkeypatch.setattr(transport_module, "CLOSED_SECONDS", 0.0)
    page = browser()
    async with plane.open_port() as port:
        failed = failure_of(port)
        port.connect(page.stream())
        await page.connect(port)
        page.close()
        assert await failed == "the browser has closed its audio"


async def test_a_browser_that_asks_no_more_whether_we_are_there_ends_the_leg(
    plane, browser, monkeypatch
):
    page = browser()
    async with plane.open_port() as port:
        failed = failure_of(port)
        port.connect(page.stream(sending=False))
        await page.connect(port)
        monkeypatch.setattr(transport_module, "CHECKED_SECONDS", 0.0)
        page.say()
        port.connect(page.stream(sending=False))
        assert await failed == "the browser is gone"


async def test_a_port_that_is_closed_tells_the_browser(plane, browser):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        await page.connect(port)
    with pytest.raises(Exception, match="closed the DTLS association"):
        await page.hear()


async def test_lost_handshake_messages_are_sent_again(plane, browser):
    page = browser()
    async with plane.open_port() as port:
        port.connect(page.stream())
        page.reach(port)
        page.check()
        await page.answer()
        page._dtls.begin()
        # What the server says first gets lost; its own timer says it again.
        await page.received()
        while not page._dtls.is_established:
            page._take(await page.received())


async def test_whatever_a_checked_browser_sends_raises_nothing(plane, browser, until):
    page = browser()
    async with plane.open_port() as port:
        failed = failure_of(port)
        port.connect(page.stream())
        page.reach(port)
        page.check()
        await page.answer()
        # A record that is cut off, one that says it is longer, one of another version.
        for data in (
            *[bytes([first]) + bytes(40) for first in range(0, 256, 3)],
            b"",
            b"\x16\xfe\xfd" + bytes(8),
            b"\x16\xfe\xfd" + bytes(8) + b"\xff\xff\x01",
            b"\x16\x03\x01" + bytes(8) + b"\x00\x01\x01",
        ):
            page.send(data)
            page.check()
            await page.answer()
        await page.connect(port)
        assert not failed.done()


async def test_a_plain_leg_knows_nothing_of_it(plane, browser):
    page = browser()
    async with plane.open_port() as port:
        port.connect(
            RemoteStream(host=page.host, port=page.place[1], codec=Codec.PCMU, payload_type=0)
        )
        page.reach(port)
        page.check()
        await port.play(Frames(1)).finished()
        assert (await page.received())[0] == 0x80
