"""The accounts' prompts as calls play them, kept in memory as long as they are what is stored.

Each playing asks which version a prompt has. So nothing is played that was changed or deleted, by
whichever process. A text with variables is spoken with what a call puts in.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

import psycopg
import structlog

from twoleg.calls.ports import About, Playable
from twoleg.calls.spoken_texts import SpokenTexts
from twoleg.prompts import PromptSound, UnplayableSound, Wording, load_sound, version_of
from twoleg.speech import SpeechFailed, Variable
from twoleg.store import Database, DatabaseUnavailable

MAX_BYTES: Final = 64 * 1024 * 1024
"""Audio that is kept in memory: an hour of it and more, in every codec."""

_Key = tuple[int, int]

log = structlog.get_logger(__name__)


class _Kept(NamedTuple):
    version: int
    sound: PromptSound | Wording


def nothing(language: str) -> Mapping[Variable, str | None]:
    """Know nothing that a text may name."""
    del language
    return {}


class PromptBook:
    """`Prompts` of all accounts, for one engine."""

    def __init__(self, database: Database, texts: SpokenTexts, max_bytes: int = MAX_BYTES) -> None:
        self._database = database
        self._texts = texts
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        # Calls that want the same prompt at once wait for the first that loads it.
        self._loading = asyncio.Lock()

    async def audio(
        self, account_id: int, prompt_id: int, about: About = nothing
    ) -> Playable | None:
        """Return a prompt as it is now; None: there is none such, or it cannot be had.

        `about` tells what its variables stand for in a language; what is not known is left out.
        """
        found = await self._found(account_id, prompt_id)
        if not isinstance(found, Wording):
            return found
        try:
            return await self._texts.audio(
                found.template.filled(about(found.language)), found.language
            )
        except SpeechFailed as failed:
            log.warning("a prompt cannot be spoken", prompt_id=prompt_id, reason=failed.reason)
            return None

    async def _found(self, account_id: int, prompt_id: int) -> PromptSound | Wording | None:
        key = (account_id, prompt_id)
        try:
            version = await self._version(key)
            kept = self._at_hand(key, version)
            if kept is None and version is not None:
                async with self._loading:
                    kept = self._at_hand(key, version) or await self._load(key)
        except (DatabaseUnavailable, psycopg.Error, OSError) as error:
            log.warning("a prompt cannot be had", prompt_id=prompt_id, error=type(error).__name__)
            return None
        except UnplayableSound as unplayable:
            log.error("a prompt cannot be played", prompt_id=prompt_id, reason=unplayable.reason)
            return None
        return kept

    async def _version(self, key: _Key) -> int | None:
        async with self._database.connection() as connection:
            return await version_of(connection, *key)

    def _at_hand(self, key: _Key, version: int | None) -> PromptSound | Wording | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if version is None or kept.version < version:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.sound

    async def _load(self, key: _Key) -> PromptSound | Wording | None:
        async with self._database.connection() as connection:
            loaded = await load_sound(connection, *key)
        self._drop(key)
        if loaded is None:
            return None
        kept = _Kept(*loaded)
        self._kept[key] = kept
        self._bytes += kept.sound.size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))
        return kept.sound

    def _drop(self, key: _Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.sound.size
