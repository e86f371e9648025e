"""A leg's port: prompts, digits, silence, quality, and nothing left behind."""

import asyncio
import contextlib

import pytest

from twoleg.media import Codec, EmbeddedPlane, NotConnected, PortClosed, RemoteStream
from twoleg.media import control as control_module
from twoleg.media import plane as plane_module
from twoleg.media.dtmf import event_payload
from twoleg.media.key_presses import MAX_DIGITS
from twoleg.media.rtcp import (
    Goodbye,
    Report,
    ReportBlock,
    build_compound,
    middle,
    parse_compound,
)


class Frames:
    def __init__(self, count):
        self.count = count

    def frames(self, codec):
        return [bytes([codec.payload_type]) * 160] * self.count


@pytest.fixture
def quick(monkeypatch):
    """Reports and sweeps within milliseconds."""
    monkeypatch.setattr(control_module, "REPORT_SECONDS", 0.01)
    monkeypatch.setattr(plane_module, "SWEEP_SECONDS", 0.005)


@pytest.fixture
async def leg(plane, far_end):
    phone = far_end(ssrc=1)
    async with plane.open_port() as port:
        port.connect(phone.stream())
        yield port, phone


async def test_a_prompt_is_sent_to_its_end(leg):
    port, phone = leg
    assert await port.play(Frames(3)).finished()
    assert [p.payload for p in phone.waiting()] == [bytes(160)] * 3


async def test_a_loop_goes_on_until_it_is_stopped(leg):
    port, phone = leg
    playback = port.play(Frames(2), loop=True)
    for _ in range(5):
        await phone.receive()
    playback.stop()
    assert not await playback.finished()
    playback.stop()
    phone.waiting()
    assert len(port._shared.clock) == 0


async def test_another_prompt_takes_the_place_of_the_first(leg):
    port, phone = leg
    first = port.play(Frames(1000))
    await phone.receive()
    second = port.play(Frames(1))
    assert not await first.finished()
    assert await second.finished()
    assert port.outgoing.packets <= 3


async def test_a_prompt_goes_on_in_the_codec_of_a_new_answer(leg):
    port, phone = leg
    playback = port.play(Frames(1000))
    assert (await phone.receive()).payload_type == 0
    port.connect(phone.stream(Codec.PCMA))
    phone.waiting()
    later = await phone.receive()
    assert (later.payload_type, later.payload) == (8, bytes([8]) * 160)
    playback.stop()


async def test_a_prompt_to_a_leg_on_hold_passes_unheard(leg):
    port, phone = leg
    port.connect(phone.stream(sending=False))
    await port.play(Frames(3)).finished()
    assert phone.waiting() == []


async def test_audio_of_no_frames_ends_at_once(leg):
    port, _ = leg
    async with asyncio.timeout(5):
        await port.play(Frames(0), loop=True).finished()


async def test_nothing_can_be_played_before_the_far_end_is_known(plane):
    async with plane.open_port() as port:
        with pytest.raises(NotConnected):
            port.play(Frames(1))


async def test_digits_come_in_order_from_packets_and_from_info(leg):
    port, phone = leg
    for number, digit in enumerate("42#"):
        for duration in (160, 320):
            phone.send(port, event_payload(digit, duration), payload_type=101, ticks=0)
        phone.timestamp += 8000 * (number + 1)
    assert [await port.digit() for _ in range(3)] == ["4", "2", "#"]
    port.inject_digit("d")
    port.inject_digit("not a digit")
    assert await port.digit() == "D"


async def test_digits_that_nobody_reads_are_bounded(leg):
    port, _ = leg
    for _ in range(10 * MAX_DIGITS):
        port.inject_digit("1")
    assert len(port._hearing._pressed) == MAX_DIGITS


async def test_two_readers_get_a_digit_each(leg):
    port, _ = leg
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        readers = [group.create_task(port.digit()) for _ in range(2)]
        await asyncio.sleep(0)
        port.inject_digit("1")
        port.inject_digit("2")
    assert sorted(reader.result() for reader in readers) == ["1", "2"]


async def test_a_digit_is_not_lost_with_a_reader_that_is_cancelled(leg):
    port, _ = leg
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        cancelled, other = (group.create_task(port.digit()) for _ in range(2))
        await asyncio.sleep(0)
        port.inject_digit("1")
        cancelled.cancel()
    assert other.result() == "1"


async def test_a_leg_without_packets_is_silent_after_the_set_time(quick, leg):
    port, _ = leg
    async with asyncio.timeout(5):
        await port.silent(0.02)


async def test_packets_put_silence_off(quick, leg, received):
    port, phone = leg
    silence = asyncio.create_task(port.silent(60))
    for count in range(4):
        phone.send(port)
        await received(port, count + 1)
        port.incoming._expected_since -= 40
        port.incoming.heard_at -= 40
        # It is looked at with every report.
        await phone.receive_control()
        await phone.receive_control()
        assert not silence.done()
    port.incoming.heard_at -= 40
    async with asyncio.timeout(5):
        await silence


@pytest.mark.parametrize("hold", [{"receiving": False}, {"sending": False}])
async def test_a_leg_that_should_not_send_or_holds_us_is_never_silent(quick, leg, hold):
    port, phone = leg
    port.connect(phone.stream(**hold))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await port.silent(0.01)
    port.connect(phone.stream())
    async with asyncio.timeout(5):
        await port.silent(0.01)


async def test_waiters_are_told_when_the_port_is_closed(plane, far_end):
    async with asyncio.timeout(5), asyncio.TaskGroup() as group, plane.open_port() as port:
        port.connect(far_end().stream())
        waiters = [
            group.create_task(_outcome(waiting))
            for waiting in (port.digit(), port.first_packet(), port.silent(60))
        ]
        await asyncio.sleep(0)
    assert [waiter.result() for waiter in waiters] == [PortClosed] * 3
    with pytest.raises(PortClosed):
        await port.digit()


async def _outcome(waiting):
    try:
        await waiting
    except PortClosed as closed:
        return type(closed)


async def test_a_cancelled_wait_leaves_nothing(leg):
    port, _ = leg
    for waiting in (port.digit, port.first_packet, lambda: port.silent(60)):
        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not port._waits._changes
    assert not port._waits.silences


async def test_quality_tells_loss_reordering_and_an_opinion(leg, received):
    port, phone = leg
    for number in range(100):
        phone.send(port, advance=2 if number % 10 == 9 else 1)
    await received(port, 100)
    quality = port.quality()
    assert quality.packets_received == 100
    assert quality.packets_lost == 10
    assert quality.mos is not None
    assert 1 <= quality.mos < 3.5
    assert quality.round_trip_ms is None


async def test_an_undisturbed_stream_is_rated_as_toll_quality(leg, received):
    port, phone = leg
    for _ in range(50):
        phone.send(port)
    await received(port, 50)
    port.incoming.reception.jitter = 0.0  # packets in a burst have what no call has
    assert port.quality().mos == pytest.approx(4.4, abs=0.05)


async def test_reports_tell_both_sides_their_round_trip_and_loss(quick, leg, received, until):
    port, phone = leg
    phone.send(port)
    phone.send(port, advance=3)
    await received(port, 2)
    await port.play(Frames(2)).finished()
    report = await _report_after(phone, packets=2)
    assert report.ssrc == port.outgoing.ssrc
    assert report.sender.octets == 320
    (block,) = report.blocks
    assert (block.ssrc, block.lost) == (phone.ssrc, 2)
    answer = Report(
        ssrc=phone.ssrc,
        blocks=(
            ReportBlock(
                ssrc=report.ssrc, lost=1, jitter=80, last_report=middle(report.sender.ntp), delay=0
            ),
        ),
    )
    phone.rtcp.sendto(build_compound(answer, "phone"), (port.address, port.port + 1))
    await until(lambda: port.quality().round_trip_ms is not None)
    quality = port.quality()
    assert 0 <= quality.round_trip_ms < 5000
    assert quality.far_packets_lost == 1
    assert quality.far_jitter_ms == 10


async def _report_after(phone, *, packets):
    while True:
        report = parse_compound(await phone.receive_control())[0]
        if report.sender is not None and report.sender.packets == packets:
            return report


async def test_reports_from_a_third_party_change_nothing(leg, far_end, until):
    port, _ = leg
    stranger = far_end(host="127.0.0.3")
    block = ReportBlock(ssrc=port.outgoing.ssrc, lost=1000)
    forged = build_compound(Report(ssrc=5, blocks=(block,)), "thief")
    stranger.rtcp.sendto(forged, (port.address, port.port + 1))
    stranger.rtp.sendto(forged, (port.address, port.port))
    await until(lambda: port.quality().packets_rejected == 2)
    assert port.quality().far_packets_lost is None


async def test_the_far_end_is_told_goodbye(plane, far_end):
    phone = far_end()
    async with plane.open_port() as port:
        port.connect(phone.stream())
        await port.play(Frames(1)).finished()
    parts = parse_compound(await phone.receive_control())
    assert Goodbye(ssrcs=(port.outgoing.ssrc,)) in parts


async def test_reports_share_the_streams_port_where_that_was_agreed(quick, plane, far_end, until):
    phone = far_end(ssrc=1)
    async with plane.open_port() as port:
        port.connect(phone.stream(rtcp_mux=True))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            data = await loop.sock_recv(phone.rtp, 2048)
        (report,) = (part for part in parse_compound(data) if isinstance(part, Report))
        block = ReportBlock(ssrc=report.ssrc, lost=7)
        answer = build_compound(Report(ssrc=1, blocks=(block,)), "phone")
        phone.rtp.sendto(answer, (port.address, port.port))
        await until(lambda: port.quality().far_packets_lost == 7)


async def test_a_tap_gets_every_payload_until_it_is_taken_off(leg, received):
    port, phone = leg
    heard = []
    port.tap(lambda codec, payload: heard.append((codec, payload)))
    phone.send(port, b"1" * 160)
    phone.send(port, b"2" * 160)
    await received(port, 2)
    port.tap(None)
    phone.send(port, b"3" * 160)
    await received(port, 3)
    assert heard == [(Codec.PCMU, b"1" * 160), (Codec.PCMU, b"2" * 160)]


async def test_nothing_is_left_open(far_end, open_files):
    before = open_files()
    async with EmbeddedPlane.open(host="127.0.0.1", ports=range(20_000, 60_000)) as plane:
        async with plane.open_port() as left, plane.open_port() as right:
            phone = far_end()
            phone.close()
            left.connect(phone_stream := _stream())
            right.connect(phone_stream)
            plane.bridge(left, right)
            left.play(Frames(100), loop=True)
        assert plane.ports_open == 0
    assert open_files() == before
    assert len(plane._clock) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_port_that_is_closed_sends_no_more(plane, far_end):
    phone = far_end()
    async with plane.open_port() as port:
        port.connect(phone.stream())
    port.connect(phone.stream())
    assert port.outgoing.send is None


def _stream():
    return RemoteStream(host="127.0.0.1", port=9, codec=Codec.PCMU, payload_type=0)


async def test_a_plane_closed_around_open_ports_closes_them(open_files):
    before = open_files()
    async with contextlib.AsyncExitStack() as legs:
        async with EmbeddedPlane.open(host="127.0.0.1", ports=range(20_000, 60_000)) as plane:
            port = await legs.enter_async_context(plane.open_port())
            port.connect(_stream())
        assert plane.ports_open == 0
    assert open_files() == before
