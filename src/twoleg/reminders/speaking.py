"""Speech is made before it is due, by the worker: a call finds it ready."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from twoleg.calls.spoken_texts import SpokenTexts
from twoleg.reminders.reminder import Reminder, load_reminders
from twoleg.speech import SpeechFailed
from twoleg.store.database import Connection

AHEAD: Final = timedelta(hours=3)
"""Longer, and a night's speech fills the database; shorter, and ten thousand are not ready."""

AT_ONCE: Final = 20
LOOK_SECONDS: Final = 1.0

# Claimed before it is done: what a worker that is killed has not spoken, the call's engine does.
_CLAIM: Final = """
UPDATE reminders SET spoken = true WHERE id IN (
  SELECT id FROM reminders WHERE state = 'planned' AND NOT spoken AND due_at < now() + %s
  ORDER BY due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""

log = structlog.get_logger(__name__)


async def serve_speech(connection: Connection, texts: SpokenTexts) -> None:
    """Speak what is due soon. Never returns; any number of workers may do so."""
    while True:
        if not await speak_ahead(connection, texts):
            await asyncio.sleep(LOOK_SECONDS)


async def speak_ahead(connection: Connection, texts: SpokenTexts) -> int:
    """Have the texts of some reminders spoken; returns of how many. `connection` autocommits."""
    cursor = await connection.execute(_CLAIM, (AHEAD, AT_ONCE))
    ids = [id_ for (id_,) in await cursor.fetchall()]
    for reminder in await load_reminders(connection, ids):
        await _speak(reminder, texts)
    return len(ids)


async def _speak(reminder: Reminder, texts: SpokenTexts) -> None:
    try:
        for text in reminder.texts:
            await texts.keep(text, reminder.language)
        for text, language in reminder.prompt_texts:
            await texts.keep(text, language)
    except SpeechFailed as failed:
        log.warning("a reminder cannot be spoken", reminder_id=reminder.id, reason=failed.reason)
