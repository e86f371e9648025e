"""The shapes of the reply to a dry run: the plan of a call that is not placed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from twoleg.api.values import Output
from twoleg.calls import dry_run as rehearsal
from twoleg.calls.dry_run import Ring, Wait
from twoleg.calls.plan import AgentPlan, LegPlan
from twoleg.calls.screening import is_screened


class PlannedLeg(Output):
    """One way to ring somebody: a registered phone, or a number over a trunk.

    `from` and `headers` are what the far end sees of the caller; `otherwise` are further trunks,
    tried in turn where this one is full or fails.
    """

    to: str
    trunk_id: int | None
    trunk: str | None
    shows: str | None
    from_: str = Field(serialization_alias="from")
    headers: dict[str, str]
    asked_to_confirm: bool
    otherwise: list[PlannedLeg]


class PlannedAgent(Output):
    """A user, or (without an id) a phone number; all of its phones ring together."""

    user_id: int | None
    name: str | None
    phones: list[PlannedLeg]


class PlannedStep(Output):
    """`ring`: the agents ring together; `wait`: all are busy; `unreachable`: no phone to ring.

    Of the group, user or phone number that is named. A step follows where nobody took the call.
    """

    action: Literal["ring", "wait", "unreachable"]
    user_id: int | None
    ring_group_id: int | None
    phone_number: str | None
    seconds: float
    waiting: int | None = None
    queue_is_full: bool | None = None
    agents: list[PlannedAgent]


class PlannedContact(Output):
    """How the contact is rung: over each trunk in turn, until one rings. No id: it is new."""

    id: int | None
    phone_number: str
    ring_seconds: float
    trunks: list[PlannedLeg]


class DryRun(Output):
    """What the call would be, were it placed now and nobody answered before the last step."""

    dry_run: Literal[True] = True
    first: Literal["agent", "contact"]
    steps: list[PlannedStep]
    more_steps: bool
    contact: PlannedContact
    line_id: int
    line_phone_number: str
    max_seconds: float
    record: bool
    announcement: str | None

    @classmethod
    def of(cls, run: rehearsal.DryRun) -> DryRun:
        """Return the shape of `run`."""
        plan, candidate = run.plan, run.candidate
        return cls(
            first="contact" if plan.contact_first else "agent",
            steps=[_step(run, step) for step in run.steps],
            more_steps=run.more,
            contact=PlannedContact(
                id=candidate.contact_id,
                phone_number=candidate.contact_phone_number,
                ring_seconds=plan.contact.ring_seconds,
                trunks=[_leg(run, leg) for leg in plan.contact.trunks],
            ),
            line_id=candidate.line_id,
            line_phone_number=candidate.line_phone_number,
            max_seconds=plan.max_seconds,
            record=plan.record,
            announcement=plan.announcement if plan.record else None,
        )


def _step(run: rehearsal.DryRun, step: Ring | Wait) -> PlannedStep:
    named = step.target._asdict()
    if isinstance(step, Wait):
        is_group = step.target.ring_group_id is not None
        return PlannedStep(
            action="wait",
            **named,
            seconds=0 if step.is_full else step.seconds,
            waiting=step.waiting if is_group else None,
            queue_is_full=step.is_full if is_group else None,
            agents=[],
        )
    if step.together is None:
        return PlannedStep(action="unreachable", **named, seconds=0, agents=[])
    agents = [_agent(run, agent) for agent in step.together.agents]
    return PlannedStep(action="ring", **named, seconds=step.together.ring_seconds, agents=agents)


def _agent(run: rehearsal.DryRun, agent: AgentPlan) -> PlannedAgent:
    return PlannedAgent(
        user_id=agent.user_id,
        name=None if agent.user_id is None else run.user_names.get(agent.user_id),
        phones=[
            _leg(run, phone, asked_to_confirm=is_screened(agent.screening, phone))
            for phone in agent.endpoints
        ],
    )


def _leg(run: rehearsal.DryRun, leg: LegPlan, *, asked_to_confirm: bool = False) -> PlannedLeg:
    shown, *others = [_way(run, way, asked_to_confirm=asked_to_confirm) for way in leg.ways()]
    return shown.model_copy(update={"otherwise": others})


def _way(run: rehearsal.DryRun, leg: LegPlan, *, asked_to_confirm: bool) -> PlannedLeg:
    trunk_id = leg.trunk_id
    return PlannedLeg(
        to=str(leg.target),
        trunk_id=trunk_id,
        trunk=None if trunk_id is None else run.trunk_names.get(trunk_id),
        shows=_shown_number(run, leg),
        from_=str(leg.from_),
        headers=dict(leg.headers),
        asked_to_confirm=asked_to_confirm,
        otherwise=[],
    )


def _shown_number(run: rehearsal.DryRun, leg: LegPlan) -> str | None:
    """Name the number that is shown: the line's over a trunk, the contact's on a phone.

    None where the carrier is asked to keep it to itself.
    """
    if any(name == "Privacy" for name, _ in leg.headers):
        return None
    candidate = run.candidate
    on_phone = leg.trunk_id is None
    return candidate.contact_phone_number if on_phone else candidate.line_phone_number
