"""Recording one call, from the word that it is recorded to its end."""

import asyncio
import logging
from typing import Final

from twoleg.calls.call_leg import CallLeg
from twoleg.calls.journal import Journal
from twoleg.calls.phrases import Phrase, language_for
from twoleg.calls.plan import CallPlan
from twoleg.calls.ports import Equipment
from twoleg.directory.accounts import Announcement

MAX_ANNOUNCEMENT_SECONDS: Final = 20.0
"""No language takes that long to say it; without the word nothing is recorded."""

MAX_TRIES: Final = 5
"""How often it is said again what a hold or a transfer has cut off."""

NOT_ANNOUNCED: Final = "it could not be announced"

_log = logging.getLogger(__name__)


class NotSaid(Exception):
    """Whoever was to hear the announcement has not heard it to its end."""


class CallRecording:
    """What is told of a call's recording goes into the call's journal."""

    def __init__(
        self, equipment: Equipment, journal: Journal, plan: CallPlan, contact: CallLeg
    ) -> None:
        self._equipment = equipment
        self._journal = journal
        self._plan = plan
        self._contact = contact
        self._agent: CallLeg | None = None
        self._changed = asyncio.Event()
        self._calmer = asyncio.Event()
        self._disturbances = 0

    def hold_changed(self) -> None:
        """Say that one of the two has put the other on hold, or is back."""
        self._disturbances += 1
        self._calmer.set()

    def agent_is(self, agent: CallLeg | None) -> None:
        """Say who is joined to the contact now; None: nobody, the call is being handed over."""
        self._agent = agent
        self._changed.set()
        self.hold_changed()
        if agent is None and self._equipment.recordings is not None:
            self._equipment.recordings.use_agent(self._plan.call_id, None)

    async def record(self) -> None:
        """Announce it to whom the account wants, then record until cancelled.

        Agent and contact are joined already. Whoever hears the announcement does not hear the
        other meanwhile; an agent who takes the call over hears it too, before it is on the
        recording. Whatever goes wrong ends the recording alone.
        """
        recordings = self._equipment.recordings
        if recordings is None:
            return
        call_id = self._plan.call_id
        try:
            agent = await self._announced(self._contact)
            port = None if agent is None else agent.media.port
            recordings.begin(call_id, self._plan.account_id, port, self._contact.media.port, self)
            self._journal.note("call.recording_started")
            while True:
                await self._changed.wait()
                agent = await self._announced()
                recordings.use_agent(call_id, None if agent is None else agent.media.port)
        except Exception:  # noqa: BLE001  # whatever it is, the call goes on
            _log.exception("no recording without its announcement", extra={"call_id": call_id})
            self.recording_stopped(NOT_ANNOUNCED)
        finally:
            recordings.end(call_id)

    def recording_stopped(self, why: str) -> None:
        """Tell that it ended before the call."""
        self._journal.note("call.recording_stopped", {"reason": why})

    def recording_paused(self, *, paused: bool) -> None:
        """Tell that the API paused it, or had it go on."""
        self._journal.note("call.recording_paused" if paused else "call.recording_resumed")

    async def _announced(self, *others: CallLeg) -> CallLeg | None:
        """Announce it to the agent and to others, as the account wants it; give that agent."""
        self._changed.clear()
        agent = self._agent
        hearing = list(others) if self._plan.announcement is not Announcement.NONE else []
        if agent is not None and self._plan.announcement is Announcement.BOTH:
            hearing.append(agent)
        async with asyncio.TaskGroup() as saying:
            for leg in hearing:
                saying.create_task(self._say(leg))
        # Who has handed over meanwhile is no longer to be heard.
        return agent if agent is self._agent else None

    async def _say(self, leg: CallLeg) -> None:
        """Announce it to one of the two: what was cut off, or came during a hold, was not heard.

        Raises TimeoutError, NotSaid.
        """
        where = self._plan.contact
        audio = self._equipment.phrases.phrase(
            Phrase.RECORDED, language_for(where.language, where.country)
        )
        for _ in range(MAX_TRIES):
            await self._calm(leg)
            if leg is not self._contact and leg is not self._agent:
                return
            before = self._disturbances
            async with asyncio.timeout(MAX_ANNOUNCEMENT_SECONDS):
                whole = await leg.media.port.play(audio).finished()
            if whole and self._disturbances == before:
                return
        raise NotSaid

    async def _calm(self, leg: CallLeg) -> None:
        """Wait until nobody is on hold, nor hears it ring; or until the leg is out of the call."""
        while leg is self._contact or leg is self._agent:
            agent = self._agent
            if agent is not None and not (agent.media.is_held or self._contact.media.is_held):
                return
            self._calmer.clear()
            await self._calmer.wait()
