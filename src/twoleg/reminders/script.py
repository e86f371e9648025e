"""A reminder call, from its first ring to the contact's answer, as one coroutine to read aloud."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

import structlog

from twoleg.calls.agents import AgentSource, NoAgent, agent_on_the_line
from twoleg.calls.call_leg import CallLeg
from twoleg.calls.concurrency import alongside, first_of
from twoleg.calls.contact import ContactNotReached, contact_on_the_line
from twoleg.calls.in_turn import InTurn
from twoleg.calls.journal import Clock, RecordWriter
from twoleg.calls.listening import listening_to
from twoleg.calls.outcomes import EndedBy, Outcome
from twoleg.calls.plan import CallPlan
from twoleg.calls.ports import DialCheck, Equipment, Playable, Playing, Transfers
from twoleg.calls.spoken_texts import SpokenTexts
from twoleg.calls.story import Story, StorySettings
from twoleg.reminders.answers import Answer, apply_answer
from twoleg.reminders.greeting import Greeting, MachineAnswered
from twoleg.reminders.reminder import Reminder, load_reminders
from twoleg.reminders.wording import Sentence, said
from twoleg.store import Database, DatabaseUnavailable

TRIES: Final = 3
"""How often a contact is asked who presses nothing, or something else."""

REPEATS: Final = 5
"""How often a contact may have it said again."""

DIGIT_SECONDS: Final = 5.0
"""How long it has for a digit after the last word."""

ANSWER_EVENT: Final = "call.reminder_answered"
"""Written as the call's other events are: it gets there although the database is away."""

log = structlog.get_logger(__name__)


class ReminderGone(Exception):
    """What the call was to remind of is not there any more."""


class PromptMissing(Exception):
    """The plan's prompt cannot be had: nobody is rung to hear what the digits of nothing do."""

    def __init__(self, prompt_id: int) -> None:
        super().__init__(f"prompt {prompt_id} cannot be had")
        self.prompt_id = prompt_id


@dataclass(frozen=True, slots=True)
class ReminderDesk:
    """What a reminder call has from the database."""

    database: Database
    texts: SpokenTexts

    async def reminder(self, reminder_id: int) -> Reminder:
        """Return what is to be said. Raises ReminderGone, DatabaseUnavailable."""
        async with self.database.connection() as connection:
            found = await load_reminders(connection, [reminder_id])
        if not found:
            raise ReminderGone
        return found[0]

    async def answered(self, call_id: int, answer: Answer) -> None:
        """Store an answer at once, if the database can be had; or else it is settled later."""
        try:
            async with self.database.connection() as connection:
                await apply_answer(connection, call_id, answer)
        except DatabaseUnavailable:
            log.warning("an answer waits for the database", call_id=call_id, answer=answer)


class ReminderCall(Story):
    """One reminder call. `run` it once, as a story; `agents` are the staff."""

    def __init__(
        self,
        reminder_id: int,
        desk: ReminderDesk,
        plan: CallPlan,
        equipment: Equipment,
        writer: RecordWriter,
        *,
        clock: Clock | None = None,
        settings: StorySettings | None = None,
        agents: AgentSource | None = None,
        transfers: Transfers | None = None,
        check: DialCheck | None = None,
    ) -> None:
        super().__init__(
            plan,
            equipment,
            writer,
            clock=clock,
            settings=settings,
            agents=agents,
            transfers=transfers,
            check=check,
        )
        self._reminder_id = reminder_id
        self._desk = desk
        self._answer: Answer | None = None
        self._at_machine = False
        self._waits_for_staff = False

    async def tell(self) -> None:
        """Ring the contact, say what there is to say, take the answer."""
        # All of it is ready before anybody is rung.
        reminder = await self._desk.reminder(self._reminder_id)
        message = await self._message(reminder)
        for sentence in Sentence:
            await self._desk.texts.audio(said(sentence, reminder.language), reminder.language)
        left = await self._left_on_machines(reminder)
        journal = self._journal
        await self._contact_is_first()
        try:
            async with (
                contact_on_the_line(
                    self._equipment, journal, self._plan.contact, None, self._joint
                ) as contact,
                alongside(self._contact_may_hang_up(contact)),
            ):
                await contact.acknowledge(journal.contact_answered(contact.record))
                with contact.media.port.listening():
                    await self._meet(contact, reminder, message, left)
            self._decision.decide(Outcome.CONNECTED, EndedBy.SYSTEM)
        except ContactNotReached as missed:
            self._decision.contact_missed(missed.refusal)

    async def _message(self, reminder: Reminder) -> Playable:
        """Return what the contact hears first: the plan's text or prompt, and what digits do."""
        texts = self._desk.texts
        choices = await texts.audio(reminder.choices, reminder.language)
        if reminder.prompt_id is None:
            return InTurn(await texts.audio(reminder.message or "", reminder.language), choices)
        prompts = self._equipment.prompts
        prompt = None
        if prompts is not None:
            prompt = await prompts.audio(self._plan.account_id, reminder.prompt_id, reminder.about)
        if prompt is None:
            raise PromptMissing(reminder.prompt_id)
        return InTurn(prompt, choices)

    async def _contact_may_hang_up(self, contact: CallLeg) -> None:
        await contact.ended()
        if self._waits_for_staff:
            self._lost_waiting(EndedBy.CONTACT)
        reached = Outcome.CONTACT_VOICEMAIL if self._at_machine else Outcome.CONNECTED
        self._decision.interrupt(reached, EndedBy.CONTACT)

    async def _contact_may_vanish(self, contact: CallLeg) -> None:
        seconds = self._settings.silent_seconds
        if seconds is None:
            return
        await contact.silent(seconds)
        if self._waits_for_staff:
            self._lost_waiting(EndedBy.SYSTEM)

    def _lost_waiting(self, by: EndedBy) -> None:
        # Whoever wanted to talk, and lost patience or the line, is as much in want of a call. The
        # staff's phones are not to ring on until the database has it.
        self._note(Answer.CALLBACK_REQUESTED)
        self._decision.interrupt(Outcome.CONNECTED, by)

    async def _left_on_machines(self, reminder: Reminder) -> Playable | None:
        """Return what a machine gets: the plan's recording, else its text; None: nothing."""
        prompts, prompt_id = self._equipment.prompts, reminder.machine_prompt_id
        left = None
        if prompts is not None and prompt_id is not None:
            left = await prompts.audio(self._plan.account_id, prompt_id, reminder.about)
        text = reminder.machine_message
        if left is None and text is not None:
            left = await self._desk.texts.audio(text, reminder.language)
        return left

    async def _meet(
        self, contact: CallLeg, reminder: Reminder, message: Playable, left: Playable | None
    ) -> None:
        """Find out who has answered, and remind a person, or leave a machine its message."""
        port = contact.media.port
        with listening_to(port) as listener:
            greeting = Greeting(listener, self._journal.contact_heard)
            try:
                digit = await first_of(port.digit(), greeting.over())
                if digit is None:
                    digit = await self._ask(contact, message, greeting)
                else:
                    greeting.key_pressed()
            except MachineAnswered:
                if not await self._leave(contact, greeting, left):
                    self._decision.decide(Outcome.CONTACT_VOICEMAIL, EndedBy.SYSTEM)
                    return
                digit = await self._ask(contact, message)
        await self._remind(contact, reminder, message, digit)

    async def _leave(self, contact: CallLeg, greeting: Greeting, left: Playable | None) -> bool:
        """Leave a machine its message, once; tell whether a key says that a person is there."""
        if left is None:
            return False
        self._at_machine = True
        if await first_of(contact.media.port.digit(), self._leave_once(contact, greeting, left)):
            self._at_machine = False
            greeting.key_pressed()
            return True
        return False

    async def _leave_once(self, contact: CallLeg, greeting: Greeting, left: Playable) -> None:
        if not await greeting.records():
            return
        playing = contact.media.port.play(left)
        try:
            await playing.finished()
        finally:
            playing.stop()
        await self._take(Answer.MESSAGE_LEFT)

    async def _remind(
        self, contact: CallLeg, reminder: Reminder, message: Playable, digit: str | None
    ) -> None:
        """Take the digit that came of the message, and say it until there is an answer."""
        tries, repeats = TRIES, REPEATS
        while True:
            if digit == "*" and repeats > 0:
                repeats -= 1
            else:
                if digit is not None and await self._act_on(digit, contact, reminder):
                    return
                tries -= 1
                if tries == 0:
                    break
                if digit is not None and digit not in "9*":
                    await self._say(contact, Sentence.NOT_UNDERSTOOD, reminder)
            digit = await self._ask(contact, message)
        await self._say(contact, Sentence.GOODBYE, reminder)

    async def _act_on(self, digit: str, contact: CallLeg, reminder: Reminder) -> bool:
        """Do what a digit asks for; tell whether that was the answer."""
        if digit == "1":
            await self._take(Answer.CONFIRMED)
            await self._say(contact, Sentence.CONFIRMED, reminder)
        elif digit == "2":
            answer, sentence = reminder.change
            await self._take(answer)
            await self._say(contact, sentence, reminder)
        elif digit == "3" and reminder.ring_group_id is not None:
            await self._talk_to_staff(contact, reminder)
        elif digit == "9":
            sure = await self._spoken(Sentence.OPT_OUT_SURE, reminder)
            if await self._ask(contact, sure, reminds=False) != "9":
                return False
            await self._take(Answer.OPTED_OUT)
            await self._say(contact, Sentence.OPTED_OUT, reminder)
        else:
            return False
        return True

    async def _talk_to_staff(self, contact: CallLeg, reminder: Reminder) -> None:
        """Ring the plan's group while the contact is comforted, and join who answers."""
        journal, plan = self._journal, self._plan
        self._waits_for_staff = True
        try:
            async with (
                alongside(self._comfort(contact)),
                alongside(self._contact_may_vanish(contact)),
                agent_on_the_line(self._equipment, journal, plan, self._agents, contact) as agent,
            ):
                self._talk.agent_is(agent)
                self._waits_for_staff = False
                with contextlib.ExitStack() as joined:
                    joined.callback(self._joint.part)
                    self._joint.join(agent, contact)
                    await agent.acknowledge(journal.agent_joined(agent.record))
                    await self._take(Answer.TALKED)
                    await self._talk.go_on(agent, contact)
        except NoAgent:
            self._waits_for_staff = False
            await self._take(Answer.CALLBACK_REQUESTED)
            await self._say(contact, Sentence.STAFF_NOT_FREE, reminder)

    async def _ask(
        self,
        contact: CallLeg,
        prompt: Playable,
        greeting: Greeting | None = None,
        *,
        reminds: bool = True,
    ) -> str | None:
        """Play a prompt, and wait for a digit meanwhile and a little longer; None: none came.

        Who hears it to its end has heard the reminder, if it `reminds`. With a `greeting` a machine
        may still show itself: raises MachineAnswered.
        """
        port = contact.media.port
        playing = port.play(prompt)
        beeps = () if greeting is None else (greeting.beeps(),)
        try:
            return await first_of(port.digit(), self._silence_after(playing, reminds), *beeps)
        finally:
            playing.stop()

    async def _silence_after(self, playing: Playing, reminds: bool) -> None:
        await playing.finished()
        if reminds and self._answer is None:
            await self._take(Answer.HEARD)
        await asyncio.sleep(DIGIT_SECONDS)

    async def _say(self, contact: CallLeg, sentence: Sentence, reminder: Reminder) -> None:
        playing = contact.media.port.play(await self._spoken(sentence, reminder))
        await playing.finished()

    async def _spoken(self, sentence: Sentence, reminder: Reminder) -> Playable:
        return await self._desk.texts.audio(said(sentence, reminder.language), reminder.language)

    async def _take(self, answer: Answer) -> None:
        """Store an answer, for good, by both ways that lead to the database."""
        self._note(answer)
        await self._desk.answered(self._plan.call_id, answer)

    def _note(self, answer: Answer) -> None:
        self._answer = answer
        self._journal.note(ANSWER_EVENT, {"answer": answer})
