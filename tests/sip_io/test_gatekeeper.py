"""Who is let in, and who is shut out for a while."""

import pytest

from twoleg.sip_io import ShutOutRules
from twoleg.sip_io import gatekeeper as gatekeeper_module
from twoleg.sip_io.gatekeeper import ShutOuts

RULES = ShutOutRules(strikes=3, within_seconds=10.0, shut_seconds=100.0)


@pytest.fixture
def shut_outs():
    return ShutOuts(RULES)


def test_so_many_strikes_within_the_time_shut_a_source_out_for_a_while(shut_outs):
    assert [shut_outs.strike("a", now) for now in (0.0, 5.0, 10.0)] == [False, False, True]
    assert shut_outs.is_shut("a", 10.0)
    assert not shut_outs.is_shut("b", 10.0)
    assert not shut_outs.is_shut("a", 110.0)
    assert not shut_outs.any_shut


def test_strikes_far_apart_are_forgotten(shut_outs):
    assert not any(shut_outs.strike("a", now) for now in (0.0, 5.0, 11.0, 20.0))


def test_a_source_that_was_let_in_again_starts_from_nothing(shut_outs):
    for _ in range(3):
        shut_outs.strike("a", 0.0)
    assert not shut_outs.is_shut("a", 100.0)
    assert not shut_outs.strike("a", 100.0)


def test_the_tables_are_bounded_and_forget_the_oldest(shut_outs, monkeypatch):
    monkeypatch.setattr(gatekeeper_module, "MAX_SOURCES", 2)
    for host in "abc":
        for _ in range(2):
            shut_outs.strike(host, 0.0)
    assert not shut_outs.strike("a", 0.0)  # its two strikes are forgotten
    for host in "xyz":
        for _ in range(3):
            shut_outs.strike(host, 0.0)
    assert [host for host in "xyz" if shut_outs.is_shut(host, 0.0)] == ["y", "z"]
