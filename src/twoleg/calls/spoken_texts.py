"""Texts as audio: spoken once, kept in the database for every engine, and at hand for its calls."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self

import structlog

from twoleg.calls.background import background
from twoleg.calls.phrases import Phrase, language_for, text_of
from twoleg.calls.ports import Playable, Tones
from twoleg.media import Audio
from twoleg.media.g711 import decode_ulaw, encode_ulaw
from twoleg.speech import Speaker, SpeechFailed, UnknownLanguage, Voices
from twoleg.store import Database, DatabaseUnavailable
from twoleg.store.batches import in_batches

MAX_AT_HAND: Final = 500
"""Texts that an engine keeps in memory: some 100 kB each."""

MAX_WANTED: Final = 1000
"""Texts that wait to be spoken; with more, calls go on without."""

NARROW_BAND: Final = 8000

_VERSION: Final = b"1"
"""Changed with how voices speak: what was spoken before is spoken anew."""

_FIND: Final = "UPDATE spoken_texts SET used_at = now() WHERE digest = %s RETURNING ulaw"
_IS_KEPT: Final = "UPDATE spoken_texts SET used_at = now() WHERE digest = %s RETURNING true"
_KEEP: Final = """
INSERT INTO spoken_texts (digest, ulaw) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""

_FORGET: Final = """
DELETE FROM spoken_texts WHERE digest IN (
  SELECT digest FROM spoken_texts WHERE used_at < now() - make_interval(days => %(days)s)
  ORDER BY used_at LIMIT %(rows)s)
"""

log = structlog.get_logger(__name__)


class SpokenTexts:
    """Gives texts as audio. Made by `SpokenTexts.open`."""

    def __init__(self, database: Database, speaker: Speaker) -> None:
        self._database = database
        self._speaker = speaker
        self._at_hand: OrderedDict[tuple[str, str], Audio] = OrderedDict()
        self._wanted: asyncio.Queue[tuple[str, str]] = asyncio.Queue(MAX_WANTED)

    @classmethod
    @asynccontextmanager
    async def open(cls, database: Database, voices: Voices | None = None) -> AsyncIterator[Self]:
        """Be able to speak until the block is left; by espeak-ng alone without `voices`."""
        async with Speaker.open(voices) as speaker:
            texts = cls(database, speaker)
            async with background(texts._speak_wanted()):
                yield texts

    def at_hand(self, text: str, language: str) -> Audio | None:
        """Return a text that is ready; one that is not is made ready, for the next time."""
        key = (text, language)
        audio = self._at_hand.get(key)
        if audio is not None:
            self._at_hand.move_to_end(key)
        elif not self._wanted.full():
            self._wanted.put_nowait(key)
        return audio

    async def audio(self, text: str, language: str) -> Audio:
        """Return a text as audio, from wherever it is quickest had. Raises SpeechFailed."""
        audio = self._at_hand.get((text, language))
        if audio is None:
            audio = await self._find(text, language) or await self._speak(text, language)
            self._at_hand[text, language] = audio
            while len(self._at_hand) > MAX_AT_HAND:
                self._at_hand.popitem(last=False)
        return audio

    async def keep(self, text: str, language: str) -> None:
        """Have a text spoken and kept for whoever plays it. Raises SpeechFailed."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_IS_KEPT, (self._digest(text, language),))
            is_kept = await cursor.fetchone()
        if is_kept is None:
            await self._speak(text, language)

    async def _speak_wanted(self) -> None:
        while True:
            text, language = await self._wanted.get()
            try:
                await self.audio(text, language)
            except SpeechFailed as failed:
                log.warning("a text cannot be spoken", language=language, reason=failed.reason)

    async def _find(self, text: str, language: str) -> Audio | None:
        try:
            async with self._database.connection() as connection:
                cursor = await connection.execute(_FIND, (self._digest(text, language),))
                row = await cursor.fetchone()
        except DatabaseUnavailable:
            return None
        return None if row is None else Audio.from_pcm(decode_ulaw(row[0]), NARROW_BAND)

    async def _speak(self, text: str, language: str) -> Audio:
        try:
            voice = self._speaker.voices.best(language)
            audio = await self._speaker.speak(text, language)
        except UnknownLanguage as error:
            raise SpeechFailed(f"There is no voice for {error.tag!r}") from error
        except SpeechFailed as failed:
            if voice.file is None:
                raise
            # Better in another voice than not at all; not kept, so that a mended one is heard soon.
            log.warning("a voice has failed", voice=voice.name, reason=failed.reason)
            return await self._speaker.speak(text, language, plain=True)
        ulaw = encode_ulaw(audio.samples(NARROW_BAND))
        try:
            async with self._database.connection() as connection:
                await connection.execute(_KEEP, (self._digest(text, language), ulaw))
        except DatabaseUnavailable:
            log.info("a spoken text was not kept")
        return audio

    def _digest(self, text: str, language: str) -> bytes:
        try:
            voice = self._speaker.voices.best(language).name
        except UnknownLanguage:
            voice = ""
        parts = [_VERSION, voice.encode(), language.encode(), text.encode()]
        return hashlib.sha256(b"\0".join(parts)).digest()


async def forget_old_texts(database: Database, days: int) -> int:
    """Remove the texts that nobody has played for `days`; returns how many."""
    return await in_batches(database, _FORGET, days=days)


class SpokenPhrases:
    """`Phrases` in a voice; a tone, for the moment that a phrase takes to be spoken first."""

    def __init__(self, texts: SpokenTexts, tones: Tones) -> None:
        self._texts = texts
        self._tones = tones

    def phrase(self, phrase: Phrase, language: str | None) -> Playable:
        """Return a phrase in a language, or in the nearest that there is."""
        spoken = self._texts.at_hand(text_of(phrase, language), language_for(language))
        return spoken or self._tones.attention()

    def prepare(self, language: str) -> None:
        """Have every phrase of a language ready soon."""
        for phrase in Phrase:
            self._texts.at_hand(text_of(phrase, language), language_for(language))
