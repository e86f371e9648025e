"""When an engine looks for rings of objects, and that it finds them."""

import asyncio
import gc
import weakref

import pytest

from twoleg.cli import collector
from twoleg.cli.collector import QUIET_LOOKS, TOO_MANY, WORTHWHILE, is_time, look_when_quiet


def test_nothing_is_looked_for_while_few_objects_have_stayed():
    assert not is_time(WORTHWHILE, quiet=True)
    assert not is_time(TOO_MANY, quiet=False)


def test_a_quiet_moment_is_used_early_and_running_calls_are_stopped_late():
    assert is_time(WORTHWHILE + 1, quiet=True)
    assert not is_time(WORTHWHILE + 1, quiet=False)
    assert is_time(TOO_MANY + 1, quiet=False)


class Ring:
    """Refers to itself."""

    def __init__(self):
        self.itself = self


@pytest.fixture
def looks(monkeypatch):
    """Has the engine think of looking all the time, and tells of each time that it does."""
    monkeypatch.setattr(collector, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(collector, "WORTHWHILE", -1)
    found = asyncio.Queue()
    monkeypatch.setattr(collector.gc, "collect", lambda: found.put_nowait(None))
    return found


async def test_a_moment_without_a_call_is_not_quiet_yet(looks):
    answers = iter([*[True] * (QUIET_LOOKS - 1), False, *[True] * QUIET_LOOKS])
    asked = []

    def is_quiet():
        asked.append(next(answers))
        return asked[-1]

    looking = asyncio.create_task(look_when_quiet(is_quiet))
    async with asyncio.timeout(10):
        await looks.get()
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert len(asked) == 2 * QUIET_LOOKS


async def test_a_ring_is_found_at_a_quiet_moment(monkeypatch):
    monkeypatch.setattr(collector, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(collector, "WORTHWHILE", 1_000)
    ring = weakref.ref(Ring())
    freed = asyncio.Event()
    weakref.finalize(ring(), freed.set)
    stayed = [[] for _ in range(5_000)]
    looking = asyncio.create_task(look_when_quiet(lambda: True))
    async with asyncio.timeout(10):
        await freed.wait()
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert gc.isenabled()
    assert ring() is None
    assert len(stayed) == 5_000
