"""Who decides on the way: on targets of a transfer, objections, and places on trunks."""

import asyncio
from contextlib import asynccontextmanager

from twoleg.calls.outcomes import Refusal
from twoleg.calls.plan import AgentRound
from twoleg.calls.ports import TrunkFull


class MemoryTarget:
    """Rounds of users to whom a call is handed over."""

    def __init__(self, rounds, nobody=Refusal.UNREACHABLE):
        self.rounds = list(rounds)
        self.nobody = nobody
        self.given_up = False
        self.released = []

    async def following(self):
        await asyncio.sleep(0)
        return self.rounds.pop(0) if self.rounds else None

    def release(self, user_id):
        self.released.append(user_id)

    def give_up(self):
        self.given_up = True


class MemoryTransfers:
    """Whom phones may name, by the user part; each is one round of one agent or more.

    Or a `Refusal`: whoever is named is there, and not rung for that.
    """

    def __init__(self, **targets):
        self.rounds = targets
        self.targets = []
        self.asked = []

    async def find(self, wanted, agent_user_id):
        await asyncio.sleep(0)
        self.asked.append((wanted, agent_user_id))
        if wanted not in self.rounds:
            return None
        rounds = self.rounds[wanted]
        if isinstance(rounds, Refusal):
            target = MemoryTarget([], rounds)
        else:
            target = MemoryTarget([AgentRound(agents=each) for each in rounds])
        self.targets.append(target)
        return target


class MemoryCheck:
    """Says the rules of `objections`, one after another, and none then."""

    def __init__(self, *objections, seconds=0.01):
        self.objections = list(objections)
        self.seconds = seconds
        self.asked = []

    async def objection(self, agent_user_id):
        self.asked.append((asyncio.get_running_loop().time(), agent_user_id))
        await asyncio.sleep(self.seconds)
        said = self.objections.pop(0) if self.objections else None
        if isinstance(said, Exception):
            raise said
        return said


class MemoryPlaces:
    """Trunks that take so many calls at the same time, by their ids; `turn` is waited for."""

    def __init__(self, places, turn=0.0):
        self.places = dict(places)
        self.turn = turn

    @asynccontextmanager
    async def place(self, trunk_id, call_id):
        if not self.places[trunk_id]:
            raise TrunkFull(trunk_id)
        self.places[trunk_id] -= 1
        try:
            await asyncio.sleep(self.turn)
            yield
        finally:
            self.places[trunk_id] += 1
