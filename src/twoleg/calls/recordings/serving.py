"""The worker's care for recordings: found, finalised, and removed when nobody wants them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from twoleg.calls.connected import Connection, stay_connected
from twoleg.calls.recordings.finalising import clear_work, finalise_recordings
from twoleg.calls.recordings.removal import remove_unwanted_objects
from twoleg.calls.recordings.shipping import SPOOL, ship_ended
from twoleg.store import Database
from twoleg.store.objects import Objects

PAUSE_SECONDS: Final = 1.0
"""From one look to the next: a recording is ready that much after its call, and as long as it
takes to decode."""


async def serve_recordings(database: Database, objects: Objects, data_dir: Path) -> None:
    """Finalise recordings, and remove what is left of them, until cancelled."""
    spool = data_dir / SPOOL
    await asyncio.to_thread(spool.mkdir, parents=True, exist_ok=True, mode=0o700)
    await asyncio.to_thread(clear_work, spool)

    async def serve(connection: Connection) -> None:
        while True:
            await ship_ended(database, objects, spool)
            await finalise_recordings(connection, objects, spool)
            await remove_unwanted_objects(database, objects)
            await asyncio.sleep(PAUSE_SECONDS)

    await stay_connected(database, serve, "recordings wait for the database")
