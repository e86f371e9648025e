"""The worker process: does jobs until told to stop."""

from __future__ import annotations

from twoleg.calls.background import background
from twoleg.cli.stopping import stop_requested
from twoleg.events.addresses import AddressPolicy
from twoleg.events.delivery import delivering
from twoleg.reminders.serving import serve_reminders
from twoleg.settings import Settings
from twoleg.store import Database
from twoleg.worker import open_jobs, periodic_jobs, run_worker


async def run(settings: Settings, url: str, *, supervised: bool) -> None:
    """Do the jobs that stand in the database at `url`."""
    async with (
        stop_requested(supervised=supervised) as stop,
        Database.open(url, max_connections=2) as database,
        open_jobs(database, periodic_jobs(settings.record_days, settings.delivery_days)) as jobs,
        background(serve_reminders(database)),
        delivering(database, AddressPolicy(settings.webhooks_allow_private)),
    ):
        print("ready worker", flush=True)  # noqa: T201
        await run_worker(jobs, stop)
