"""The worker process: does jobs until told to stop."""

from __future__ import annotations

from datetime import timedelta

from twoleg.calls.background import background
from twoleg.calls.recordings import serve_recordings
from twoleg.cli.stopping import stop_requested
from twoleg.events.addresses import AddressPolicy
from twoleg.events.delivery import delivering
from twoleg.reminders.serving import serve_reminders
from twoleg.settings import Settings
from twoleg.speech import Voices
from twoleg.store import Database
from twoleg.store.objects import Objects
from twoleg.worker import PeriodicJob, open_jobs, periodic_jobs, run_worker


async def run(settings: Settings, url: str, *, supervised: bool) -> None:
    """Do the jobs that stand in the database at `url`. Raises UnusableVoice."""
    policy = AddressPolicy(settings.webhooks_allow_private)
    voices = Voices.checked(settings.piper_voices.by_language)
    minute = timedelta(seconds=settings.reminder_minute_seconds)
    async with (
        stop_requested(supervised=supervised) as stop,
        Database.open(url, max_connections=2) as database,
        open_jobs(database, _jobs(settings)) as jobs,
        background(
            serve_reminders(database, policy, minute, voices),
            serve_recordings(database, Objects.open(settings.objects), settings.data_dir),
        ),
        delivering(database, policy),
    ):
        print("ready worker", flush=True)  # noqa: T201
        await run_worker(jobs, stop)


def _jobs(settings: Settings) -> list[PeriodicJob]:
    return periodic_jobs(settings.record_days, settings.delivery_days, settings.recording_days)
