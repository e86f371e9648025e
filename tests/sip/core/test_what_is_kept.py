"""What is over is freed at once by reference counting, without waiting for a garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import NoneType

import pytest
from sip_network import DELAY, LONGEST, Network, Peer

from twoleg.sip import Invited, Offered, Response, Transport
from twoleg.sip.late_answers import LateAnswers
from twoleg.sip.message import Message

SESSION_SECONDS = 1800


def answered_and_ended_by_caller(network: Network, near: Peer, far: Peer) -> None:
    leg, _ = near.call(far)
    near.do("hang_up", leg)


def answered_and_ended_by_called(network: Network, near: Peer, far: Peer) -> None:
    _, there = near.call(far)
    far.do("hang_up", there)


def both_hang_up_at_once(network: Network, near: Peer, far: Peer) -> None:
    leg, there = near.call(far)
    near.do("hang_up", leg)
    far.do("hang_up", there)


def refused(network: Network, near: Peer, far: Peer) -> None:
    near.invite(far)
    network.run_for(0.1)
    far.do("reject", far.told_of(Invited)[-1].leg, 486)


def canceled_while_it_rings(network: Network, near: Peer, far: Peer) -> None:
    leg = near.invite(far)
    network.run_for(0.1)
    far.do("ring_back", far.told_of(Invited)[-1].leg)
    network.run_for(0.1)
    near.do("hang_up", leg)


def never_answered_by_anybody(network: Network, near: Peer, far: Peer) -> None:
    network.reachable = lambda address: False
    near.invite(far)


def session_changed(network: Network, near: Peer, far: Peer) -> None:
    leg, there = near.call(far)
    near.do("offer", leg, b"hold")
    network.run_for(0.1)
    assert far.told_of(Offered)
    far.do("answer_offer", there, b"held")
    network.run_for(0.1)
    near.do("hang_up", leg)


def offer_left_unanswered(network: Network, near: Peer, far: Peer) -> None:
    leg, _ = near.call(far)
    near.do("offer", leg, b"hold")
    network.run_for(0.1)
    near.do("hang_up", leg)


def request_within_the_dialog(network: Network, near: Peer, far: Peer) -> None:
    leg, _ = near.call(far)
    near.do("send_request", leg, "INFO", (), b"Signal=1", "application/dtmf-relay")
    network.run_for(0.1)
    near.do("hang_up", leg)


def ended_while_a_refresh_is_under_way(network: Network, near: Peer, far: Peer) -> None:
    leg, _ = near.call(far)
    network.run_for(SESSION_SECONDS / 2 - 0.2)
    network.fate = lambda data, source, target: [1.0]
    network.run_for(0.5)
    near.do("hang_up", leg)


def everything_doubled(network: Network, near: Peer, far: Peer) -> None:
    network.fate = lambda data, source, target: [DELAY, 2 * DELAY]
    answered_and_ended_by_caller(network, near, far)


@pytest.mark.parametrize(
    "happens",
    [
        answered_and_ended_by_caller,
        answered_and_ended_by_called,
        both_hang_up_at_once,
        refused,
        canceled_while_it_rings,
        never_answered_by_anybody,
        session_changed,
        offer_left_unanswered,
        request_within_the_dialog,
        ended_while_a_refresh_is_under_way,
        everything_doubled,
    ],
)
@pytest.mark.parametrize("session_seconds", [0, SESSION_SECONDS])
def test_a_call_that_is_over_leaves_no_ring_of_references(
    happens: Callable[[Network, Peer, Peer], None], session_seconds: int
) -> None:
    network = Network()
    near = network.peer("192.0.2.1", (Transport.UDP,), session_seconds=session_seconds)
    far = network.peer("192.0.2.2", (Transport.UDP,), session_seconds=session_seconds)
    with uncollected() as left:
        happens(network, near, far)
        network.run_for(LONGEST)
        assert near.agent.is_idle
        assert far.agent.is_idle
        near.told.clear()
        far.told.clear()
    assert left == []


def test_what_came_is_not_kept_beyond_its_use() -> None:
    network = Network()
    near, far = network.peer("192.0.2.1"), network.peer("192.0.2.2")
    others = kept_messages()
    before = set(map(id, others))
    _, there = near.call(far)
    forget_what_was_told(near, far)
    while_it_lasts = [each for each in kept_messages() if id(each) not in before]
    assert [each for each in while_it_lasts if isinstance(each, Response)] == []

    far.do("hang_up", there)
    network.run_for(1.0)
    forget_what_was_told(near, far)
    # An INVITE is known by what it said until no ACK can come any more.
    lingering = [each for each in kept_messages() if id(each) not in before and len(each.headers)]
    assert {repr(each).partition(",")[0] for each in lingering} == {"Request(INVITE"}


def test_of_a_leg_that_is_over_nothing_is_kept_but_what_late_answers_need() -> None:
    network = Network()
    near, far = network.peer("192.0.2.1"), network.peer("192.0.2.2")
    leg, _ = near.call(far)
    near.do("hang_up", leg)
    network.run_for(1.0)
    waiting = near.agent._endpoint.clients
    users = {method: type(transaction.user) for (_, method), transaction in waiting.items()}
    assert users == {"INVITE": LateAnswers, "BYE": NoneType}


def kept_messages() -> list[Message]:
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Message)]


def forget_what_was_told(*peers: Peer) -> None:
    for peer in peers:
        peer.told.clear()


@contextmanager
def uncollected() -> Iterator[list[str]]:
    """Name what of ours only a garbage collector would have freed."""
    left: list[str] = []
    gc.collect()
    gc.disable()
    try:
        yield left
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left += [type(each).__qualname__ for each in gc.garbage if is_ours(each)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def is_ours(found: object) -> bool:
    return type(found).__module__.startswith("twoleg.")
