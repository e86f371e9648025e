"""One reminder that is to be called: what its contact hears, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from twoleg.calls.phrases import language_for
from twoleg.prompts import Wording
from twoleg.reminders.answers import Answer
from twoleg.reminders.plans.values import ChangeMeans, Voicemail
from twoleg.reminders.wording import Sentence, menu
from twoleg.speech import Template, Variable, spoken_date, spoken_time
from twoleg.store.database import Connection

_LOAD: Final = """
SELECT r.id, a.id, p.text, p.voicemail, p.voicemail_text, p.change_means, p.ring_group_id,
  coalesce(p.language, c.language), l.country, c.name, a.wall_starts_at, a.place, a.staff,
  p.prompt_id, p.voicemail_prompt_id,
  ARRAY(SELECT ARRAY[w.text, w.language] FROM prompts w
    WHERE w.id IN (p.prompt_id, p.voicemail_prompt_id) AND w.seconds IS NULL
      AND w.deleted_at IS NULL)
FROM reminders r JOIN appointments a ON a.id = r.appointment_id
  JOIN contacts c ON c.id = a.contact_id JOIN reminder_plans p ON p.id = a.reminder_plan_id
  JOIN lines l ON l.id = r.line_id
WHERE r.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder with all that its call says. The language is one that `wording` has."""

    id: int
    appointment_id: int
    text: str | None
    voicemail: str
    voicemail_text: str | None
    change_means: str
    ring_group_id: int | None
    language: str
    contact_name: str | None
    wall_starts_at: datetime
    place: str | None
    staff: str | None
    prompt_id: int | None = None
    voicemail_prompt_id: int | None = None
    wordings: Sequence[Wording] = ()
    """Prompts of the plan that have variables."""

    @property
    def message(self) -> str | None:
        """What there is to be reminded of; None: a prompt says it."""
        return None if self.text is None else self._filled(self.text)

    @property
    def choices(self) -> str:
        """What the digits do; the same for many reminders, so that it is spoken once."""
        return menu(
            self.language,
            change_is_cancel=self.change_means == ChangeMeans.CANCEL,
            has_staff=self.ring_group_id is not None,
        )

    @property
    def texts(self) -> list[str]:
        """All that is spoken of this reminder alone, and its choices."""
        machine = self.machine_message if self.voicemail == Voicemail.MESSAGE else None
        return [text for text in (self.message, self.choices, machine) if text is not None]

    @property
    def prompt_texts(self) -> list[tuple[str, str]]:
        """What is spoken of prompts with variables, and in which languages."""
        return [
            (each.template.filled(self.about(each.language)), each.language)
            for each in self.wordings
        ]

    @property
    def machine_message(self) -> str | None:
        """What is spoken to a machine; None: nothing."""
        if self.voicemail != Voicemail.MESSAGE or self.voicemail_text is None:
            return None
        return self._filled(self.voicemail_text)

    @property
    def machine_prompt_id(self) -> int | None:
        """The recording that is played to a machine rather than a text; None: there is none."""
        return self.voicemail_prompt_id if self.voicemail == Voicemail.MESSAGE else None

    @property
    def change(self) -> tuple[Answer, Sentence]:
        """What the digit 2 comes to, and what is said to it."""
        if self.change_means == ChangeMeans.CANCEL:
            return Answer.CANCELLED, Sentence.CANCELLED
        return Answer.RESCHEDULE_REQUESTED, Sentence.RESCHEDULE_NOTED

    def about(self, language: str) -> dict[Variable, str | None]:
        """Return what the variables of a text stand for, dates and times in its language."""
        return {
            Variable.NAME: self.contact_name,
            Variable.DATE: spoken_date(self.wall_starts_at, language),
            Variable.TIME: spoken_time(self.wall_starts_at, language),
            Variable.PLACE: self.place,
            Variable.STAFF: self.staff,
        }

    def _filled(self, text: str) -> str:
        return Template(text).filled(self.about(self.language))


async def load_reminders(connection: Connection, ids: list[int]) -> list[Reminder]:
    """Return the reminders with these ids, as far as they are there."""
    cursor = await connection.execute(_LOAD, (ids,))
    return [
        Reminder(*(*row[:7], language_for(row[7], row[8]), *row[9:-1], _wordings(row[-1])))
        for row in await cursor.fetchall()
    ]


def _wordings(texts: list[list[str]]) -> tuple[Wording, ...]:
    return tuple(Wording(Template(text), language) for text, language in texts)
