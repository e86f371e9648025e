"""Recordings of calls: from the bridge over the storage to whoever may hear them."""

from twoleg.calls.recordings.desk import RecordingDesk
from twoleg.calls.recordings.finalising import finalise_recordings
from twoleg.calls.recordings.links import RecordingLinks
from twoleg.calls.recordings.removal import remove_old_recordings, remove_unwanted_objects
from twoleg.calls.recordings.rows import (
    RecordingRow,
    delete_recording,
    find_recording,
    find_recording_of_call,
    request_pause,
)
from twoleg.calls.recordings.serving import serve_recordings
from twoleg.calls.recordings.shipping import SPOOL, ship_ended

__all__ = [
    "SPOOL",
    "RecordingDesk",
    "RecordingLinks",
    "RecordingRow",
    "delete_recording",
    "finalise_recordings",
    "find_recording",
    "find_recording_of_call",
    "remove_old_recordings",
    "remove_unwanted_objects",
    "request_pause",
    "serve_recordings",
    "ship_ended",
]
