"""How an engine begins the calls that remind."""

from __future__ import annotations

from twoleg.calls.agent_search import AgentSearch, Target
from twoleg.calls.claims import Claim
from twoleg.calls.dial_check import StoredDialCheck
from twoleg.calls.dispatch import RunningCall
from twoleg.calls.engine import AgentsOf, Workplace
from twoleg.calls.plan import CallPlan
from twoleg.reminders.dial_check import ReminderDialCheck
from twoleg.reminders.script import ReminderCall, ReminderDesk


def reminder_call(
    claim: Claim, plan: CallPlan, workplace: Workplace, agents_of: AgentsOf
) -> RunningCall | None:
    """Begin a reminder call; None for a call of another kind. It is the engine's `Scripts`."""
    reminder_id = claim.options.get("reminder_id")
    if reminder_id is None:
        return None
    group_id = claim.options.get("staff_ring_group_id")
    staff = None
    if group_id is not None:
        staff = agents_of(claim, AgentSearch(claim.call_id, (Target(ring_group_id=group_id),)))
    return ReminderCall(
        reminder_id,
        ReminderDesk(workplace.database, workplace.texts),
        plan,
        workplace.equipment,
        workplace.writer,
        settings=workplace.settings,
        agents=staff,
        check=ReminderDialCheck(
            reminder_id,
            workplace.checks,
            StoredDialCheck(claim.call_id, workplace.checks),
        ),
    )
