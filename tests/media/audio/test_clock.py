"""The frame clock, mostly in virtual time."""

import asyncio
import logging
from collections import Counter
from itertools import pairwise

import pytest
import uvloop

from twoleg.media.clock import MAX_FRAMES_BEHIND, SLOTS, FrameClock


def test_a_subscriber_is_called_fifty_times_a_second(virtual_loop):
    clock = FrameClock()
    times = []
    clock.subscribe(lambda: times.append(virtual_loop.now))
    virtual_loop.advance(2.0)
    assert len(times) == 100
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert steps == pytest.approx([0.020] * 99)


def test_lateness_does_not_add_up(virtual_loop):
    clock = FrameClock()
    times = []
    clock.subscribe(lambda: times.append(virtual_loop.now))
    start = virtual_loop.now
    virtual_loop.advance(600.0, lateness=0.0031)
    assert len(times) == 600 * 50
    assert (times[-1] - times[0]) == pytest.approx((len(times) - 1) * 0.020)
    assert times[-1] <= start + 600.0


def test_a_timer_that_fires_a_little_early_is_taken_for_its_turn(virtual_loop):
    clock = FrameClock()
    count = Counter()
    clock.subscribe(lambda: count.update("f"))
    virtual_loop.advance(1.0, lateness=-0.0005)
    assert count["f"] == 50


def test_subscribers_are_spread_evenly_over_the_slots(virtual_loop):
    clock = FrameClock()
    calls = Counter()
    for _ in range(500):
        clock.subscribe(lambda: calls.update([round(virtual_loop.now, 6)]))
    virtual_loop.advance(0.020)
    assert len(calls) == SLOTS
    assert set(calls.values()) == {500 // SLOTS}


def test_one_timer_serves_all(virtual_loop):
    clock = FrameClock()
    for _ in range(100):
        clock.subscribe(lambda: None)
    virtual_loop.advance(1.0)
    assert virtual_loop.most_timers == 1


def test_the_first_call_comes_within_one_frame(virtual_loop):
    clock = FrameClock()
    clock.subscribe(lambda: None)
    virtual_loop.advance(0.0077)
    for _ in range(SLOTS):
        called = []
        clock.subscribe(lambda called=called: called.append(virtual_loop.now))
        began = virtual_loop.now
        virtual_loop.advance(0.020)
        assert called
        assert called[0] - began <= 0.020 + 1e-9


def test_a_loop_that_was_held_up_makes_up_for_what_was_missed(virtual_loop):
    clock = FrameClock()
    frames = []
    clock.subscribe(lambda: frames.append(virtual_loop.now))
    virtual_loop.advance(0.1)
    held_up_until = virtual_loop.now + 0.07
    virtual_loop.now = held_up_until
    virtual_loop.advance(0.03)
    assert len(frames) == 10
    assert frames.count(held_up_until) == 4


def test_a_long_hold_up_does_not_end_in_a_burst(virtual_loop):
    clock = FrameClock()
    calls = Counter()
    for name in range(SLOTS):
        clock.subscribe(lambda name=name: calls.update([name]))
    virtual_loop.advance(0.1)
    calls.clear()
    virtual_loop.now += 30.0
    virtual_loop.advance(0.0001)
    assert set(calls.values()) == {MAX_FRAMES_BEHIND}
    calls.clear()
    virtual_loop.advance(1.0)
    assert set(calls.values()) == {50}


def test_it_runs_only_while_something_is_subscribed(virtual_loop):
    clock = FrameClock()
    assert virtual_loop.timers_set == 0
    first, second = clock.subscribe(lambda: None), clock.subscribe(lambda: None)
    assert virtual_loop.timers_set == 1
    first.cancel()
    assert virtual_loop.timers_set == 1
    second.cancel()
    assert virtual_loop.timers_set == 0
    assert len(clock) == 0
    virtual_loop.advance(5.0)
    calls = Counter()
    clock.subscribe(lambda: calls.update("c"))
    virtual_loop.advance(0.1)
    assert calls["c"] == 5


def test_a_canceled_subscriber_is_not_called_again_even_in_the_same_slot(virtual_loop):
    clock = FrameClock()
    called = []
    subscriptions = []

    def cancel_all():
        called.append("first")
        for subscription in subscriptions:
            subscription.cancel()
            subscription.cancel()

    subscriptions.extend(clock.subscribe(cancel_all) for _ in range(SLOTS * 2))
    virtual_loop.advance(1.0)
    assert called == ["first"]
    assert virtual_loop.timers_set == 0
    assert not any(subscription.active for subscription in subscriptions)


def test_the_next_prompt_can_be_subscribed_by_the_last_frame_of_one(virtual_loop):
    clock = FrameClock()
    times = []
    first = None

    def last_frame():
        first.cancel()
        times.append(virtual_loop.now)
        clock.subscribe(lambda: times.append(virtual_loop.now))

    first = clock.subscribe(last_frame)
    virtual_loop.advance(0.2)
    assert len(times) >= 10
    assert times[1] > times[0]


def test_a_callback_that_raises_is_logged_once_and_stops_nothing(virtual_loop, caplog):
    clock = FrameClock()
    calls = Counter()

    def failing():
        calls.update(["failing"])
        raise LookupError("no such frame")

    broken = clock.subscribe(failing)
    for _ in range(SLOTS):
        clock.subscribe(lambda: calls.update(["sound"]))
    with caplog.at_level(logging.ERROR):
        virtual_loop.advance(1.0)
    assert calls == {"failing": 1, "sound": 50 * SLOTS}
    assert [record.exc_info[0] for record in caplog.records] == [LookupError]
    assert not broken.active


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_on_a_real_event_loop_the_frames_come(new_loop):
    async def five_frames():
        clock = FrameClock()
        done = asyncio.Event()
        frames = []

        def frame():
            frames.append(None)
            if len(frames) == 5:
                subscription.cancel()
                done.set()

        subscription = clock.subscribe(frame)
        await done.wait()
        return len(frames), len(clock)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(five_frames()) == (5, 0)
