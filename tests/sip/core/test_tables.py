"""The tables of transactions and legs: total, closed, and without a dead end."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoleg.sip.incoming_leg import IncomingLeg
from twoleg.sip.leg_states import LEG_MACHINES, LegAction, LegInput, LegState
from twoleg.sip.outgoing_leg import OutgoingLeg
from twoleg.sip.timers import Deadlines, Intervals, Timer
from twoleg.sip.transactions import MACHINES, TIMER_INPUTS, Action, Input, State, inputs_of

ROOT = Path(__file__).resolve().parents[3]

BY_NAME = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
LEGS_BY_NAME = pytest.mark.parametrize("machine", LEG_MACHINES, ids=lambda machine: machine.name)


@BY_NAME
def test_every_state_of_a_transaction_has_every_input(machine):
    for row in machine.table.values():
        assert set(row) == inputs_of(machine)


@LEGS_BY_NAME
def test_every_state_of_a_leg_has_every_input(machine):
    rows = [set(row) for row in machine.table.values()]
    assert all(row == rows[0] for row in rows)


@pytest.mark.parametrize("machine", [*MACHINES, *LEG_MACHINES], ids=lambda machine: machine.name)
def test_every_state_is_in_the_table_can_be_reached_and_leads_to_the_end(machine):
    table = machine.table
    end = State.TERMINATED if machine in MACHINES else LegState.ENDED
    reached = {machine.start}
    while more := {after for state in reached for after, _ in table[state].values()} - reached:
        reached |= more
    if machine.name == "incoming leg":
        reached.add(LegState.CONFIRMED)
    assert reached == set(table)
    to_end = {end}
    while (
        more := {
            state for state in table if any(after in to_end for after, _ in table[state].values())
        }
        - to_end
    ):
        to_end |= more
    assert to_end == set(table)
    assert all(after is end for after, _ in table[end].values())


@BY_NAME
def test_what_is_over_does_nothing(machine):
    assert {action for _, action in machine.table[State.TERMINATED].values()} == {Action.IGNORE}


@BY_NAME
def test_each_timer_that_a_state_starts_is_an_input_of_the_machine(machine):
    for state, timers in machine.starts.items():
        for timer in timers:
            assert TIMER_INPUTS[timer] in machine.table[state]
    for state in machine.table:
        waits_for_us = machine.name.endswith("server") and state in (
            State.TRYING,
            State.PROCEEDING,
        )
        rings = machine.name == "INVITE client" and state is State.PROCEEDING
        kept = machine.keeps.get(state, frozenset())
        has_end = state is State.TERMINATED or machine.starts.get(state) or kept
        assert waits_for_us or rings or has_end, f"{state} may last for ever"


def test_an_answer_to_a_leg_that_we_ring_is_acknowledged_in_every_state():
    outgoing = LEG_MACHINES[0].table
    for state, row in outgoing.items():
        after, action = row[LegInput.SUCCESS]
        if state in (LegState.CALLING, LegState.RINGING):
            assert (after, action) == (LegState.ANSWERED, LegAction.ANSWER)
        elif state is not LegState.ANSWERED:
            assert action in (LegAction.ACK, LegAction.ACK_BYE)


def test_every_way_out_of_a_leg_tells_its_user_once():
    telling = {LegAction.REFUSE, LegAction.END, LegAction.ACK_END, LegAction.REJECT}
    telling.add(LegAction.WITHDRAW)
    for machine in LEG_MACHINES:
        for state, row in machine.table.items():
            for after, action in row.values():
                ends_now = after is LegState.ENDED and state is not LegState.ENDED
                assert (action in telling) == ends_now


def test_an_answered_leg_ends_by_bye_or_because_the_far_end_is_gone():
    gone = {LegInput.BYE, LegInput.GONE, LegInput.DONE}
    for machine in LEG_MACHINES:
        for state in (LegState.ANSWERED, LegState.CONFIRMED, LegState.ENDING):
            for happened, (after, _) in machine.table[state].items():
                assert after is not LegState.ENDED or happened in gone


def test_a_leg_knows_what_each_action_of_its_table_is():
    for machine, kind in zip(LEG_MACHINES, (OutgoingLeg, IncomingLeg), strict=True):
        actions = {action for row in machine.table.values() for _, action in row.values()}
        assert actions - {LegAction.IGNORE} == set(kind.ACTIONS)


def test_the_timers_are_those_of_rfc_3261_table_4():
    udp, tcp = Intervals().durations(reliable=False), Intervals().durations(reliable=True)
    assert [udp[timer] for timer in (Timer.A, Timer.E, Timer.G)] == [0.5] * 3
    assert [tcp[timer] for timer in (Timer.A, Timer.E, Timer.G)] == [None] * 3
    assert [udp[timer] for timer in (Timer.B, Timer.F, Timer.H, Timer.J)] == [32.0] * 4
    assert (udp[Timer.D], udp[Timer.I], udp[Timer.K]) == (32.0, 5.0, 5.0)
    assert [tcp[timer] for timer in (Timer.D, Timer.I, Timer.J, Timer.K)] == [0.0] * 4
    assert Input.TIMER_A is TIMER_INPUTS[Timer.A]


class Owner:
    def __init__(self):
        self.fired = []

    def timer_fired(self, timer):
        self.fired.append(timer)


def test_deadlines_come_in_order_and_cancelled_ones_never():
    deadlines, owner = Deadlines(usual=[2.0, 3.0]), Owner()
    deadlines.set(0.0, 3.0, owner, Timer.A)
    second = deadlines.set(0.0, 2.0, owner, Timer.B)
    deadlines.set(0.0, 1.0, owner, Timer.D)
    assert deadlines.next() == 1.0
    deadlines.cancel(second)
    deadlines.cancel(second)
    assert [timer for _, timer in deadlines.due(5.0)] == [Timer.D, Timer.A]
    assert deadlines.next() is None
    assert len(deadlines) == 0


def test_cancelled_deadlines_leave_nothing_behind():
    deadlines, owner = Deadlines(usual=[2000.0]), Owner()
    deadlines.set(0.0, 1000.0, owner, Timer.A)
    for number in range(100_000):
        seconds = 2000.0 if number % 2 else 2000.0 + number
        deadlines.cancel(deadlines.set(float(number) / 1e6, seconds, owner, Timer.B))
    assert len(deadlines) == 1
    assert len(deadlines._heap) + len(deadlines._queues[2000.0]) < 1000


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "set", "set", "cancel", "due"]),
            st.sampled_from([0.0, 0.5, 1.0, 0.7, 3.0]),
        )
    )
)
def test_deadlines_are_a_sorted_list_made_fast(steps):
    deadlines, owner = Deadlines(usual=[0.0, 0.5, 1.0]), Owner()
    expected, now = [], 0.0
    for step, seconds in steps:
        if step == "set":
            expected.append((now + seconds, deadlines.set(now, seconds, owner, Timer.A)))
        elif step == "cancel" and expected:
            deadlines.cancel(expected.pop(len(expected) // 2)[1])
        elif step == "due":
            now += seconds
            count = sum(1 for _ in deadlines.due(now))
            assert count == sum(when <= now for when, _ in expected)
            expected = [entry for entry in expected if entry[0] > now]
        assert deadlines.next() == min((when for when, _ in expected), default=None)
        assert len(deadlines) == len(expected)


def test_the_diagrams_are_drawn_from_the_tables_as_they_are():
    loader = SourceFileLoader("diagrams", str(ROOT / "scripts" / "diagrams"))
    module = module_from_spec(spec_from_loader("diagrams", loader))
    loader.exec_module(module)
    assert module.page() == (ROOT / "docs" / "sip-state-machines.md").read_text()
