"""A small run of what `scripts/chaos` does at length: every process is killed once."""

from __future__ import annotations

import pytest
from chaos.run import Plan, run

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

SEED = 11
QUICK = {"fsync": "off", "full_page_writes": "off"}


async def test_nothing_is_lost_whoever_is_killed(tmp_path) -> None:
    plan = Plan(
        calls=40, kills=5, seed=SEED, calls_per_second=2, long_away=1.0, server_settings=QUICK
    )
    tally = await run(plan, tmp_path)

    assert tally.faults == [], tally.in_words()
    assert len(tally.accepted) == plan.calls
    assert sum(tally.killed.values()) == plan.kills
    assert tally.deliveries >= len(tally.accepted)
