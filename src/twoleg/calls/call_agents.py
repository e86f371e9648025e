"""The agents of one call, as its story wants them: who is rung next, and who is left alone."""

from __future__ import annotations

from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.agent_search import AgentSearch
from twoleg.calls.claims import Claim
from twoleg.calls.plan import AgentRound
from twoleg.calls.planning import Surroundings, round_of
from twoleg.sip.values import immutable


@immutable()
class CallAgents:
    """Asks the desk, and plans how those that it finds are rung."""

    claim: Claim
    search: AgentSearch
    desk: AgentDesk
    here: Surroundings

    async def following(self) -> AgentRound | None:
        """Wait for those that are rung next; None: nobody is left to ring."""
        while (found := await self.desk.find(self.search, self.claim.account_id)) is not None:
            together = round_of(self.claim, found, self.here)
            if together is not None:
                return together
        return None

    def release(self, user_id: int) -> None:
        """Let other calls ring a user that did not take this one. Returns at once."""
        self.desk.release(self.claim.call_id, user_id)
