"""Whom a call asks, one target after another: an end to every chain, and nobody asked twice."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.calls.agent_queries import NOBODY
from twoleg.calls.agent_search import MAX_TARGETS, SETTLE_SECONDS, AgentSearch, Target

USER, GROUP = Target(user_id=1), Target(ring_group_id=1)


def found(*user_ids, **values):
    agents = tuple({"user_id": user_id} for user_id in user_ids)
    return replace(NOBODY, agents=agents, **values)


def search(*named, **values):
    return AgentSearch(1, named, **values)


def test_a_call_that_names_nobody_asks_nobody():
    assert search().target is None


def test_the_group_that_a_call_names_stands_behind_its_user():
    asking = search(USER, GROUP)
    assert asking.target == USER
    asking.ring(found(1))
    assert asking.target == GROUP
    assert asking.seek.rung == (1,)


def test_a_group_that_was_rung_at_once_has_nobody_left():
    asking = search(GROUP)
    asking.ring(found(1, 2, strategy="ring_all", fallback={"phone_number": "+41445550199"}))
    assert asking.target == Target(phone_number="+41445550199")


@pytest.mark.parametrize("strategy", ["in_order", "round_robin", "longest_idle", "random"])
def test_a_group_that_is_rung_one_by_one_is_asked_on(strategy):
    asking = search(GROUP)
    asking.ring(found(1, strategy=strategy))
    assert asking.target == GROUP
    assert (asking.seek.rung, asking.seek.begun) == ((1,), True)


def test_a_group_with_a_queue_is_asked_on():
    asking = search(GROUP)
    asking.ring(found(1, strategy="ring_all", max_wait_seconds=60))
    assert asking.target == GROUP


def test_a_user_who_was_waited_for_is_rung_once():
    asking = search(USER, asked_wait_seconds=60)
    asking.ring(found(1))
    assert asking.target is None


def test_a_user_who_was_rung_is_no_fallback():
    asking = search(USER, GROUP)
    asking.ring(found(1))
    asking.turn_to_next({"user_id": 1})
    assert asking.target is None


class TestPatience:
    def test_the_groups_time_counts_from_the_calls_acceptance(self):
        assert search(GROUP, queued_seconds=20.0).patience(60) == 40.0

    def test_the_calls_own_time_goes_before_the_groups(self):
        assert search(GROUP, asked_wait_seconds=10).patience(60) == 10.0
        assert search(GROUP, asked_wait_seconds=0).patience(60) == 0.0

    def test_a_user_is_waited_for_as_long_as_the_call_asks(self):
        assert search(USER, asked_wait_seconds=10).patience(None) == 10.0

    def test_a_user_is_waited_for_until_the_end_of_a_former_call_is_written(self):
        assert search(USER).patience(None) == SETTLE_SECONDS
        assert search(USER, queued_seconds=60.0).patience(None) == SETTLE_SECONDS

    def test_a_user_with_a_group_behind_is_not_waited_for(self):
        asking = search(USER, GROUP, asked_wait_seconds=10, queued_seconds=3.0)
        assert asking.patience(None) == 0.0
        asking.turn_to_next(None)
        assert asking.patience(60) == 10.0

    def test_a_fallback_has_its_own_time_from_then_on(self):
        asking = search(GROUP, asked_wait_seconds=10, queued_seconds=9.0)
        asking.turn_to_next({"ring_group_id": 2})
        assert asking.patience(60) == 60.0


targets = st.one_of(
    st.builds(Target, user_id=st.integers(1, 4)),
    st.builds(Target, ring_group_id=st.integers(1, 12)),
    st.builds(Target, phone_number=st.sampled_from(["+41445550198", "+41445550199"])),
)
fallbacks = targets.map(
    lambda target: {name: value for name, value in target._asdict().items() if value is not None}
)


@given(
    named=st.sampled_from([(USER,), (GROUP,), (USER, GROUP)]),
    behind=st.dictionaries(st.integers(1, 12), st.none() | fallbacks, min_size=12, max_size=12),
)
def test_every_chain_of_fallbacks_ends(named, behind):
    asking = search(*named)
    asked = []
    while asking.target is not None:
        assert asking.target not in asked
        asked.append(asking.target)
        asking.turn_to_next(behind.get(asking.target.ring_group_id))
    assert asked[: len(named)] == list(named)
    assert len(asked) <= MAX_TARGETS
