"""What an engine measures, told with its heartbeat and read by the api for Prometheus."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from twoleg.calls.dispatch import Dispatcher
from twoleg.calls.recordings import RecordingDesk
from twoleg.calls.trunk_watch import TrunkWatch
from twoleg.calls.writer import Writer
from twoleg.media import EmbeddedPlane
from twoleg.media.rtpengine import RtpenginePlane
from twoleg.sip_io import Phone


@dataclass(frozen=True, slots=True)
class Figures:
    """Where an engine's figures come from."""

    dispatcher: Dispatcher
    writer: Writer
    plane: EmbeddedPlane | RtpenginePlane
    phone: Phone
    watch: TrunkWatch
    recordings: RecordingDesk | None

    def collect(self) -> dict[str, Any]:
        """Give the figures as they are now, ready for JSON.

        `gauges` rise and fall, `counters` only rise; `outcomes` and `sip` are counters by name.
        """
        writer, recordings = self.writer, self.recordings
        return {
            "gauges": {
                "calls_running": self.dispatcher.running,
                "calls_waiting": self.dispatcher.waiting,
                "event_loop_lateness_seconds": round(self.dispatcher.lateness, 4),
                "legs": self.phone.legs,
                "tasks": len(asyncio.all_tasks()),
                "rtp_ports_free": self.plane.ports_free,
                "rtp_ports_open": self.plane.ports_open,
                "trunks_registered": self.watch.registered,
                "record_changes_pending": writer.pending,
                "recordings": 0 if recordings is None else recordings.active,
            },
            "counters": {
                "calls_placed": self.dispatcher.placed,
                "record_changes": writer.changes,
                "record_batches": writer.batches,
                "record_changes_lost": writer.lost,
                "recordings_stopped": 0 if recordings is None else recordings.stopped,
            },
            "outcomes": dict(writer.outcomes),
            "sip": asdict(self.phone.counters) | asdict(self.phone.core_counters),
        }
