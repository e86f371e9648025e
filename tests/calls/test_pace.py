"""How fast calls leave the queue: as asked while the event loop keeps up, else as it can serve."""

import pytest

from twoleg.calls.pace import CALM_SECONDS, LATE_SECONDS, SAMPLE_SECONDS, SLOWEST, Pace

STEP = 0.005


class Engine:
    """An event loop that gets through its work one after another, in virtual time."""

    def __init__(self, seconds_per_call, answer_after=0.0):
        self.now = 0.0
        self.pace = Pace(self.now)
        self.seconds_per_call = seconds_per_call
        self.answer_after = answer_after
        self.queued = 0.0
        self.claimed = 0
        self.work = 0.0
        self.later = []
        self.lateness = []
        self.waits = []
        self.measures_at = SAMPLE_SECONDS

    def run(self, seconds, offered):
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            self.queued += offered * STEP
            while self.later and self.later[0][0] <= self.now:
                self.work += self.later.pop(0)[1]
            self.work = max(0.0, self.work - STEP)
            # Whoever waits for a turn gets it once the work before it is done.
            if self.now >= self.measures_at + self.work:
                self.lateness.append(self.now - self.measures_at)
                self.pace.measured(self.now - self.measures_at, self.now)
                self.measures_at = self.now + SAMPLE_SECONDS
            if self.work < STEP:
                self.claim()
            self.waits.append(self.queued / offered if offered else 0.0)

    def claim(self):
        calls = min(int(self.queued), self.pace.allowance(self.now))
        self.pace.claimed(calls)
        self.queued -= calls
        self.claimed += calls
        half = calls * self.seconds_per_call / 2
        self.work += half
        self.later.append((self.now + self.answer_after, half))

    def usual_lateness(self):
        return sorted(self.lateness)[len(self.lateness) * 9 // 10]


def test_an_engine_with_time_to_spare_takes_calls_as_they_come():
    engine = Engine(seconds_per_call=0.004)
    engine.run(20, offered=100)
    assert engine.claimed >= 1_999
    assert max(engine.waits) < 2 * STEP


def test_a_burst_is_taken_at_once():
    engine = Engine(seconds_per_call=0.004)
    engine.queued = 64
    engine.run(STEP, offered=0)
    assert engine.claimed == 64


@pytest.mark.parametrize("answer_after", [0.0, 1.0, 3.0])
def test_an_overloaded_engine_leaves_in_the_queue_what_it_cannot_serve_well(answer_after):
    engine = Engine(seconds_per_call=0.005, answer_after=answer_after)
    engine.run(20, offered=400)
    engine.lateness.clear()
    before = engine.claimed
    engine.run(60, offered=400)
    assert 0.7 * 200 <= (engine.claimed - before) / 60 <= 200
    assert engine.usual_lateness() < 2 * LATE_SECONDS


def test_after_an_overload_everything_is_taken_again():
    engine = Engine(seconds_per_call=0.005)
    engine.run(10, offered=400)
    engine.queued = 0
    engine.run(10, offered=100)
    engine.waits.clear()
    engine.run(10, offered=100)
    assert max(engine.waits) < 0.2


def test_a_machine_that_is_slow_for_others_still_takes_some_calls():
    pace = Pace(0.0)
    now, claimed = 0.0, 0
    while now < 20:
        now += SAMPLE_SECONDS + 1.0
        pace.measured(1.0, now)
        allowed = pace.allowance(now)
        pace.claimed(allowed)
        claimed += allowed
    assert pace.overloaded
    assert claimed >= 19 * 1


def test_claims_that_come_back_after_an_overload_was_noticed_leave_no_debt_to_be_asked_for():
    pace = Pace(0.0)
    allowed = pace.allowance(0.0)
    pace.measured(1.0, 1.0)
    pace.claimed(allowed)
    assert pace.allowance(1.0) == 0


def test_one_short_stop_changes_nothing():
    pace = Pace(0.0)
    pace.measured(0.2, 0.25)
    assert not pace.overloaded
    assert pace.rate > 1_000


def test_the_pace_rises_while_all_is_calm():
    pace = Pace(0.0)
    pace.measured(1.0, 1.0)
    slow = pace.rate
    assert slow == pytest.approx(SLOWEST * 0.7, rel=0.5)
    for tick in range(100):
        pace.measured(CALM_SECONDS / 2, 1.0 + tick * SAMPLE_SECONDS)
    assert pace.rate > slow + 100
