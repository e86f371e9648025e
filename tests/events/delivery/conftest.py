"""A webhook of account 1, and what is kept of its deliveries."""

from __future__ import annotations

import pytest
from waiting import until

from twoleg.events import webhooks
from twoleg.events.delivery import sender, service


@pytest.fixture
def hook(database, calls):
    """Make a webhook of account 1; returns it and its secret."""

    async def hook(url, *events, account_id=1):
        async with database.connection() as connection:
            return await webhooks.create_webhook(
                connection, account_id, url=url, events=events, active=True
            )

    return hook


@pytest.fixture
def at_once(monkeypatch):
    """What failed is tried again at once."""
    monkeypatch.setattr(sender, "PAUSES_SECONDS", (0,) * len(sender.PAUSES_SECONDS))
    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)


@pytest.fixture
def in_an_hour(monkeypatch):
    """What failed is not tried again while the test lasts."""
    monkeypatch.setattr(sender, "PAUSES_SECONDS", (3600,) * len(sender.PAUSES_SECONDS))


@pytest.fixture
def rows(execute):
    async def rows(columns="state, attempts, last_status, last_error"):
        return await execute(f"SELECT {columns} FROM webhook_deliveries ORDER BY id")

    return rows


@pytest.fixture
def written(rows):
    """Wait until no delivery is pending any more."""

    async def written(state=None):
        async def all_are():
            states = {each for (each,) in await rows("state")}
            return states and (states == {state} if state else "pending" not in states)

        await until(all_are)

    return written


@pytest.fixture
def attempted(rows):
    """Wait until some delivery is there, and each was tried so often."""

    async def attempted(count=1):
        async def all_were():
            made = await rows("attempts")
            return made and all(attempts >= count for (attempts,) in made)

        await until(all_were)

    return attempted
