"""The record of a call in memory: what it wrote, and when that was stored."""

import asyncio
from copy import copy

from twoleg.calls.journal import ClaimLost
from twoleg.calls.states import TRANSITIONS, Status


class MemoryWriter:
    """Keeps the changes, and holds them to what the database would."""

    def __init__(self, *, commit_seconds=0.002, away=False, claim_lost_at=None, lost_notes=False):
        self.loop = asyncio.get_running_loop()
        self.changes = []
        self.away = away
        self.commit_seconds = commit_seconds
        self.claim_lost_at = claim_lost_at
        self.lost_notes = lost_notes
        self.status = Status.QUEUED
        self.sequence = 1
        self.legs = {}
        self.separate = 0
        """Writes of legs alone."""

        self.stored_at = {}
        self._commits = []

    def write(self, change):
        assert change.status is None or (self.status, change.status) in TRANSITIONS
        assert change.event.sequence == self.sequence + 1
        assert (change.status is Status.ENDED) == (change.ending is not None)
        self.status = change.status or self.status
        self.sequence += 1
        change = change._replace(legs=tuple(copy(leg) for leg in change.legs))
        self.legs.update({leg.position: leg for leg in change.legs})
        self.changes.append(change)

    def write_legs(self, call_id, legs):
        self.separate += 1
        self.legs.update({leg.position: copy(leg) for leg in legs})

    def store(self, change):
        self.write(change)
        stored = self.loop.create_future()
        if not self.away:
            commit = self.loop.call_later(self.commit_seconds, self._committed, change, stored)
            self._commits.append(commit)
        return stored

    def close(self):
        for commit in self._commits:
            commit.cancel()

    def _committed(self, change, stored):
        self.stored_at[change.status] = self.loop.time()
        if stored.done():
            return
        lost = self.lost_notes if change.status is None else change.status == self.claim_lost_at
        if lost:
            stored.set_exception(ClaimLost(change.call_id))
            stored.exception()
        else:
            stored.set_result(None)

    @property
    def statuses(self):
        return [str(change.status) for change in self.changes if change.status is not None]

    @property
    def notes(self):
        """The events without a change of status: their type and data."""
        return [
            (change.event.type, dict(change.event.data))
            for change in self.changes
            if change.status is None
        ]

    @property
    def ending(self):
        assert self.changes[-1].ending is not None, "the record was not closed"
        return self.changes[-1].ending

    @property
    def marked(self):
        return [change.contact_attempt_at for change in self.changes if change.contact_attempt_at]
