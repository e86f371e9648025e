"""A call that no plan can be made of: its record says so, and nobody is rung."""

from __future__ import annotations

from twoleg.calls.claims import Claim
from twoleg.calls.journal import SYSTEM_CLOCK, Journal, RecordWriter, Verdict
from twoleg.calls.outcomes import EndedBy, Outcome
from twoleg.calls.plan import CallPlan, ContactPlan

FAILURE = "the call could not be planned"


class UnplannedCall:
    """Takes the place of a story."""

    def __init__(self, claim: Claim, writer: RecordWriter) -> None:
        plan = CallPlan(
            call_id=claim.call_id,
            account_id=claim.account_id,
            rounds=(),
            contact=ContactPlan(trunks=()),
            sequence=claim.sequence,
            queued_seconds=claim.queued_seconds,
        )
        self._journal = Journal(plan, writer, SYSTEM_CLOCK)

    async def run(self) -> None:
        verdict = Verdict(outcome=Outcome.FAILED, ended_by=EndedBy.SYSTEM, failure=FAILURE)
        self._journal.end(verdict)

    def hang_up(self) -> None:
        """Do nothing: the call ends anyway."""

    def disposed(self, disposition: str | None, notes: str | None) -> None:
        """Do nothing: the database tells of it as the call ends."""
