"""What a contact's answer does: to the attempt, the appointment, its other reminders, consent."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from twoleg.reminders.appointments.values import AppointmentStatus
from twoleg.store.database import Connection


class Answer(StrEnum):
    """What came of one reminder call that reached somebody, or something."""

    CONFIRMED = "confirmed"
    RESCHEDULE_REQUESTED = "reschedule_requested"
    CANCELLED = "cancelled"
    TALKED = "talked"
    """To staff."""

    CALLBACK_REQUESTED = "callback_requested"
    """Nobody of the staff was free to talk."""

    OPTED_OUT = "opted_out"
    HEARD = "heard"
    """A person heard it, and decided nothing."""

    MESSAGE_LEFT = "message_left"
    """A machine has it."""


STATUS_AFTER: Final = {
    Answer.CONFIRMED: AppointmentStatus.CONFIRMED,
    Answer.RESCHEDULE_REQUESTED: AppointmentStatus.RESCHEDULE_REQUESTED,
    Answer.CANCELLED: AppointmentStatus.CANCELLED,
    Answer.TALKED: AppointmentStatus.REMINDED,
    Answer.CALLBACK_REQUESTED: AppointmentStatus.CALLBACK_REQUESTED,
    Answer.OPTED_OUT: AppointmentStatus.OPTED_OUT,
    Answer.HEARD: AppointmentStatus.REMINDED,
    Answer.MESSAGE_LEFT: AppointmentStatus.REMINDED,
}

# An answer is not undone by a weaker one, nor by hearing another reminder afterwards. Of an
# appointment that was moved during the call only what holds at any time is taken; one that was
# cancelled or deleted meanwhile stays so, whatever its contact says who does not know of it.
_APPLY: Final = """
WITH attempt AS (
  UPDATE reminder_attempts SET answer = %(answer)s WHERE call_id = %(call)s
  RETURNING reminder_id, contact_id
), answered AS (
  UPDATE appointments a SET status = %(status)s, status_at = now(),
    status_call_id = %(call)s, to_be_planned = true
  FROM attempt t JOIN reminders r ON r.id = t.reminder_id
  WHERE a.id = r.appointment_id AND a.status NOT IN (%(status)s, 'cancelled')
    AND a.deleted_at IS NULL
    AND (%(status)s <> 'reminded' OR a.status IN ('scheduled', 'unreachable'))
    AND (a.starts_at = r.starts_at OR %(status)s IN ('callback_requested', 'opted_out'))
), consent AS (
  UPDATE contacts c SET opted_out = true FROM attempt t
  WHERE c.id = t.contact_id AND %(answer)s = 'opted_out'
)
SELECT count(*) FROM attempt
"""


async def apply_answer(connection: Connection, call_id: int, answer: Answer) -> None:
    """Store what the contact of a reminder call answered, in the caller's transaction.

    An opt-out holds everywhere from its commit on: for two-legged calls and every other reminder.
    """
    await connection.execute(
        _APPLY, {"call": call_id, "answer": answer, "status": STATUS_AFTER[answer]}
    )
