"""How one call ends: who says it first is right, and whatever still goes on can be interrupted."""

from twoleg.calls.agents import NoAgent
from twoleg.calls.journal import Journal, Verdict
from twoleg.calls.limits import Limits
from twoleg.calls.outcomes import (
    AGENT_OUTCOMES,
    CONTACT_OUTCOMES,
    ENDS_ITSELF,
    FAILURES,
    EndedBy,
    Outcome,
    Refusal,
)
from twoleg.calls.plan import CallPlan


class Decision:
    """The end of one call; `verdict` is None as long as nobody has decided."""

    __slots__ = ("_journal", "_plan", "time", "verdict")

    def __init__(self, plan: CallPlan, journal: Journal, limits: Limits) -> None:
        self._plan = plan
        self._journal = journal
        self.time = limits.within(plan.max_seconds)
        """How long the call may last, from beginning to end; whoever interrupts it ends that."""

        self.verdict: Verdict | None = None

    def decide(self, outcome: Outcome, ended_by: EndedBy, failure: str | None = None) -> None:
        """Say how the call ended; who speaks first is right."""
        if self.verdict is None:
            self.verdict = Verdict(outcome=outcome, ended_by=ended_by, failure=failure)
            self._journal.decided()

    def fail(self, failure: str) -> None:
        """Say that it ended by our fault."""
        self.decide(Outcome.FAILED, EndedBy.SYSTEM, failure)

    def contact_missed(self, refusal: Refusal) -> None:
        """Say that the contact was not reached."""
        by = EndedBy.CONTACT if refusal in ENDS_ITSELF else EndedBy.SYSTEM
        self.decide(CONTACT_OUTCOMES[refusal], by, FAILURES.get(refusal))

    def agents_missed(self, nobody: NoAgent) -> None:
        """Say that no agent took the call."""
        refusal = nobody.refusal
        if refusal is None and self._plan.ring_group_id is not None:
            self.decide(Outcome.NO_AGENT_AVAILABLE, EndedBy.SYSTEM)
        elif refusal is None:
            # A user on another call is not rung at all.
            busy = self._plan.agents_busy
            outcome = Outcome.AGENT_BUSY if busy else Outcome.AGENT_UNREACHABLE
            self.decide(outcome, EndedBy.SYSTEM)
        else:
            by = EndedBy.AGENT if refusal in ENDS_ITSELF else EndedBy.SYSTEM
            self.decide(AGENT_OUTCOMES[refusal], by, FAILURES.get(refusal))

    def interrupt(self, outcome: Outcome, ended_by: EndedBy) -> None:
        """End the call wherever it is; `outcome` holds if the two have not been joined yet."""
        self.decide(Outcome.CONNECTED if self._journal.bridged else outcome, ended_by)
        self.time.end()
