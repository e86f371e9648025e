"""Two legs at a real rtpengine, as the call script has them: what each far end hears."""

import asyncio
from types import SimpleNamespace

import pytest

from twoleg.media import Audio, Codec, NotConnected, PortClosed, dtmf, steady
from twoleg.media.rtpengine import NotTogether

from .conftest import until

pytestmark = pytest.mark.peer

RINGBACK = steady((800,), 200)
PROMPT = steady((1200,), 400)


async def test_the_agent_hears_ringback_until_the_contact_is_there_and_then_each_the_other(
    plane, agent, contact
):
    async with plane.open_port() as left:
        agent.connect(left)
        left.play(RINGBACK, loop=True)
        await agent.hears(800)
        async with plane.open_port(left) as right:
            contact.connect(right)
            await right.first_packet()
            plane.bridge(left, right)
            await asyncio.gather(agent.hears(620), contact.hears(440))


async def test_who_is_not_joined_hears_nothing(plane, agent, contact):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        await asyncio.gather(left.first_packet(), right.first_packet())
        assert (agent.frames, contact.frames) == (0, 0)


@pytest.mark.parametrize("codec", list(Codec))
async def test_legs_of_different_codecs_are_joined(plane, agent, contact, codec):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left, Codec.PCMA)
        contact.connect(right, codec)
        plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))


@pytest.mark.parametrize("codec", list(Codec))
async def test_a_prompt_is_heard_to_its_end_in_every_codec(plane, agent, codec):
    async with plane.open_port() as left:
        agent.connect(left, codec)
        playing = left.play(PROMPT)
        await agent.hears(1200)
        assert await playing.finished()
        await agent.hears_nothing()


async def test_a_prompt_of_several_pieces_is_one_to_who_hears_it(plane, agent, monkeypatch):
    monkeypatch.setattr("twoleg.media.rtpengine.prompts.MAX_FRAMES", 40)
    monkeypatch.setattr("twoleg.media.rtpengine.prompts.LOOK_BACK_FRAMES", 10)
    async with plane.open_port() as left:
        agent.connect(left)
        await left.play(steady((330,), 2000)).finished()
        await agent.hears_nothing()
        # A node sends what it has decoded ahead at once: a frame or two of a piece may fall short.
        assert agent.frames >= 95


async def test_a_prompt_is_heard_instead_of_the_other_who_is_heard_again_after_it(
    plane, agent, contact
):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        plane.bridge(left, right)
        await agent.hears(620)
        playing = left.play(PROMPT, loop=True)
        await asyncio.gather(agent.hears(1200), contact.hears(440))
        playing.stop()
        assert not await playing.finished()
        await agent.hears(620)


async def test_what_is_played_ends_with_the_bridge(plane, agent, contact):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        playing = left.play(RINGBACK, loop=True)
        await agent.hears(800)
        plane.bridge(left, right)
        await playing.finished()
        await agent.hears(620)


async def test_who_holds_hears_nothing_and_is_heard_no_more_until_it_resumes(plane, agent, contact):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))

        left.connect(agent.stream(sending=False, receiving=False))
        await asyncio.gather(agent.hears_nothing(), contact.hears_nothing())
        right.play(steady((330,), 200), loop=True)
        await contact.hears(330)

        right.stop_playing()
        left.connect(agent.stream())
        await asyncio.gather(agent.hears(620), contact.hears(440))


async def test_a_prompt_waits_for_the_end_of_a_hold(plane, agent):
    async with plane.open_port() as left:
        agent.connect(left)
        left.play(RINGBACK, loop=True)
        await agent.hears(800)
        left.connect(agent.stream(sending=False, receiving=False))
        await agent.hears_nothing()
        left.connect(agent.stream())
        await agent.hears(800)


async def test_a_phone_that_moves_keeps_its_port_and_is_heard_from_there(
    plane, agent, contact, here
):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        plane.bridge(left, right)
        await contact.hears(440)
        async with here.open_port() as elsewhere:
            agent.phone.stop_playing()
            moved = type(agent)(elsewhere, 330)
            moved.connect(left)
            await asyncio.gather(contact.hears(330), moved.hears(620))


async def test_parted_legs_hear_each_other_no_more_and_can_be_joined_to_others(
    plane, agent, contact, here
):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        bridge = plane.bridge(left, right)
        await asyncio.gather(agent.hears(620), contact.hears(440))
        bridge.close()
        await asyncio.gather(agent.hears_nothing(), contact.hears_nothing())

        async with here.open_port() as phone, plane.open_port(right) as target:
            other = type(agent)(phone, 330)
            other.connect(target)
            plane.bridge(target, right)
            await asyncio.gather(other.hears(620), contact.hears(330))
            await agent.hears_nothing()
        await contact.hears_nothing()


async def test_a_leg_that_ends_leaves_the_other_to_be_played_to(plane, agent, contact):
    async with plane.open_port() as left:
        agent.connect(left)
        async with plane.open_port(left) as right:
            contact.connect(right)
            plane.bridge(left, right)
            await asyncio.gather(agent.hears(620), contact.hears(440))
        await contact.hears_nothing()
        left.play(RINGBACK, loop=True)
        await agent.hears(800)


async def test_digits_are_heard_while_somebody_listens(plane, agent):
    async with plane.open_port() as left:
        agent.connect(left)
        agent.phone.stop_playing()
        with left.listening():
            await until(lambda: left._ear._heard is not None)
            agent.phone.send_digit("4")
            agent.phone.send_digit("2")
            assert [await left.digit(), await left.digit()] == ["4", "2"]


async def test_digits_are_heard_as_tones_too(plane, agent):
    async with plane.open_port() as left:
        agent.connect(left, event=None)
        with left.listening():
            agent.phone.play(dtmf("7"), loop=True)
            async with asyncio.timeout(10):
                assert await left.digit() == "7"


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
async def test_digits_go_through_the_bridge_as_events(plane, agent, contact, codec):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right, codec)
        plane.bridge(left, right)
        await contact.hears(440)
        agent.phone.stop_playing()
        agent.phone.send_digit("5")
        async with asyncio.timeout(10):
            assert await contact.phone.digit() == "5"


async def test_digits_become_tones_for_who_takes_no_events(plane, agent, contact):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right, event=None)
        plane.bridge(left, right)
        await contact.hears(440)
        agent.phone.stop_playing()
        with contact.phone.listening():
            agent.phone.send_digit("5")
            async with asyncio.timeout(10):
                assert await contact.phone.digit() == "5"


@pytest.mark.parametrize("timestamp", [0x10000000, 0xF0000000])
async def test_a_digit_by_info_goes_to_the_other_as_an_event(plane, agent, contact, timestamp):
    agent.phone.outgoing.timestamp = timestamp
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        plane.bridge(left, right)
        await contact.hears(440)
        left.inject_digit("9")
        left.inject_digit("nonsense")
        async with asyncio.timeout(10):
            assert await contact.phone.digit() == "9"
        assert await left.digit() == "9"
        await contact.hears(440)


async def test_a_digit_by_info_is_a_tone_if_who_sends_it_has_no_events(plane, agent, contact):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left, event=None)
        contact.connect(right)
        # It takes events as well, and is to listen for tones all the same.
        contact.phone.connect(contact._stream(right.address, right.port, Codec.PCMU, None))
        plane.bridge(left, right)
        await contact.hears(440)
        with contact.phone.listening():
            left.inject_digit("9")
            async with asyncio.timeout(10):
                assert await contact.phone.digit() == "9"
        await contact.hears(440)


async def test_a_digit_by_info_is_told_by_signalling_to_who_takes_no_events(plane, agent, contact):
    carried = []
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right, event=None)
        right.listener = SimpleNamespace(send_digit=carried.append)
        plane.bridge(left, right)
        left.inject_digit("9")
    assert carried == ["9"]


async def test_what_a_far_end_says_comes_here_while_it_is_tapped_or_recorded(plane, agent):
    class Track:
        packets = 0

        def use(self, codec):
            self.codec = codec

        def take(self, payload, timestamp, now):
            self.packets += 1

    heard, track = [], Track()
    async with plane.open_port() as left:
        agent.connect(left)
        left.tap(lambda codec, payload: heard.append((codec, len(payload))))
        left.record(track)
        await until(lambda: len(heard) > 10 and track.packets > 10)
        assert set(heard) == {(Codec.PCMU, 160)}
        assert track.codec is Codec.PCMU

        left.tap(None)
        left.record(None)
        assert left._ear is None


async def test_a_far_end_that_falls_silent_is_found_out(plane, agent):
    async with plane.open_port() as left:
        agent.connect(left)
        await left.first_packet()
        silent = asyncio.create_task(left.silent(0.4))
        await asyncio.sleep(0.6)
        assert not silent.done()
        agent.phone.stop_playing()
        async with asyncio.timeout(10):
            await silent


async def test_time_on_hold_is_no_silence(plane, agent):
    async with plane.open_port() as left:
        agent.connect(left)
        left.connect(agent.stream(sending=False, receiving=False))
        agent.phone.stop_playing()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await left.silent(0.2)


async def test_the_figures_are_those_of_the_node(plane, agent, contact):
    async with plane.open_port() as left, plane.open_port(left) as right:
        agent.connect(left)
        contact.connect(right)
        plane.bridge(left, right)
        await contact.hears(440)
        async with asyncio.timeout(10):
            while left.quality().round_trip_ms is None or left.quality().mos is None:
                # What each says of the other's stream (RFC 3550 6.4), as phones do now and then.
                for phone in (agent.phone, contact.phone):
                    phone._send_report(0.0)
                await asyncio.sleep(0.1)
                await left.call.look()

        quality = left.quality()
        assert quality.packets_received >= 25
        assert (quality.packets_lost, quality.packets_sent) == (0, None)
        assert 4 < quality.mos < 4.5
        assert right.quality().far_packets_lost == 0


async def test_what_waits_on_a_port_ends_with_it(plane, agent):
    async with plane.open_port() as left:
        left.connect(agent.stream())
        waits = (left.digit(), left.first_packet(), left.silent(60))
        waiting = [asyncio.create_task(wait) for wait in waits]
        await asyncio.sleep(0)
    for task in waiting:
        with pytest.raises(PortClosed):
            await task


async def test_a_port_without_far_end_plays_nothing(plane):
    async with plane.open_port() as left:
        with pytest.raises(NotConnected):
            left.play(PROMPT)


async def test_ports_that_were_not_opened_beside_each_other_are_not_joined(plane):
    async with plane.open_port() as left, plane.open_port() as right:
        with pytest.raises(NotTogether):
            plane.bridge(left, right)


async def test_an_audio_of_no_frames_is_over_at_once(plane, agent):
    class Nothing:
        def frames(self, codec):
            return ()

    async with plane.open_port() as left:
        agent.connect(left)
        await left.play(Nothing(), loop=True).finished()


def test_the_audio_of_these_tests_loops_without_a_seam():
    assert isinstance(RINGBACK, Audio)
    assert len(RINGBACK.frames(Codec.PCMU)) == 10
