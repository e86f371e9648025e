"""Calls that ring up to ten agents at once, everything about them drawn from a seed."""

import random
from dataclasses import dataclass

from calls.in_memory import Answers, HangsUp, Presses, Refuses, Rings, call_plan, leg_plan

from twoleg.calls.plan import AgentPlan, AgentRound
from twoleg.directory.accounts import Screening

MOST = 10
RING_SECONDS = 5.0
CONTACT = "contact"
# Whole seconds, so that many things happen in the same moment.
MOMENTS = (0.0, 1.0, 2.0, 2.0, 2.0, 3.0, 4.0, 5.0)
REFUSALS = (404, 480, 486, 486, 500, 503, 600, 603)


@dataclass(frozen=True)
class Crowd:
    """Who is rung, how each behaves, and what comes in between."""

    seed: int
    rounds: tuple[AgentRound, ...]
    behaviours: dict
    hang_up_at: float | None
    stop_at: float | None

    def plan(self, trunk, **values):
        return call_plan(*self.rounds, trunks=(trunk,), **values)

    @property
    def users(self):
        """User ids by the names of their phones."""
        return {
            phone.target.user: agent.user_id
            for together in self.rounds
            for agent in together.agents
            for phone in agent.endpoints
        }


def crowd(seed, phone=leg_plan, *, screened=True):
    """Draw a crowd; `phone(name, **values)` plans a leg."""
    draw = random.Random(seed)
    names = [f"agent{number}" for number in range(draw.randint(1, MOST))]
    behaviours = {name: _behaviour(draw) for name in names}
    behaviours[CONTACT] = _contact(draw)
    agents, left = [], list(names)
    while left:
        phones = [left.pop() for _ in range(min(len(left), draw.choice((1, 1, 1, 2, 3))))]
        confirms = screened and draw.random() < 0.25
        agents.append(
            AgentPlan(
                endpoints=tuple(phone(name) for name in phones),
                user_id=len(agents) + 1,
                screening=Screening.ALWAYS if confirms else Screening.NEVER,
            )
        )
    split = draw.randint(1, len(agents)) if draw.random() < 0.3 else len(agents)
    together = [part for part in (agents[:split], agents[split:]) if part]
    return Crowd(
        seed,
        tuple(AgentRound(agents=tuple(part), ring_seconds=RING_SECONDS) for part in together),
        behaviours,
        draw.choice(MOMENTS) + draw.choice((0, 0, 3, 9)) if draw.random() < 0.3 else None,
        draw.choice(MOMENTS) + 0.5 if draw.random() < 0.1 else None,
    )


def _behaviour(draw):
    kind = draw.random()
    acts = [Rings(draw.choice(MOMENTS[:3]))] if draw.random() < 0.8 else []
    at = draw.choice(MOMENTS)
    if kind < 0.55:
        acts.append(Answers(at))
        if draw.random() < 0.5:
            acts.append(Presses(at + draw.choice((0.0, 1.0, 2.0)), draw.choice("111259")))
        if draw.random() < 0.3:
            acts.append(HangsUp(at + draw.choice((0.0, 1.0, 3.0))))
    elif kind < 0.8:
        acts.append(Refuses(draw.choice(REFUSALS), at))
    acts.sort(key=lambda act: act.after)
    return tuple(acts)


def _contact(draw):
    if draw.random() < 0.2:
        return (Rings(0.0), Refuses(486, draw.choice(MOMENTS)))
    at = draw.choice(MOMENTS)
    return (Rings(0.0), Answers(at), HangsUp(at + draw.choice((1.0, 5.0, 8.0))))
