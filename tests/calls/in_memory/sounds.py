"""Sounds that say which they are: prompts, tones and phrases."""

import asyncio

from twoleg.speech import Variable


class Spoken(str):
    """Audio that is known by its name, and lasts."""

    __slots__ = ()
    seconds = 3.0


class Music(str):
    """Audio without an end."""

    __slots__ = ()
    seconds = 1e6


class MemoryPrompts:
    """The prompts of account 2; `seconds` is how long it takes to find one."""

    def __init__(self, seconds=0.0, **prompts):
        self.seconds = seconds
        self.prompts = prompts

    async def audio(self, account_id, prompt_id, about=None):
        await asyncio.sleep(self.seconds)
        name = self.prompts.get(f"prompt_{prompt_id}") if account_id == 2 else None
        if name is not None and "{name}" in name:
            name = name.replace("{name}", about("en")[Variable.NAME])
        return None if name is None else Spoken(name)


class NamedTones:
    """Tones that say which they are."""

    def ringback(self, country):
        return f"ringback {country}"

    def busy(self, country):
        return f"busy {country}"

    def congestion(self, country):
        return f"congestion {country}"

    def special_information(self):
        return "special information"

    def attention(self):
        return "attention"

    def hold(self):
        return Music("hold")


class NamedPhrases:
    """Phrases that say which they are."""

    def phrase(self, phrase, language):
        return f"{phrase} {language}"


class AttentionTone:
    """`Phrases` without a voice: two rising beeps stand for every sentence."""

    def __init__(self, tones):
        self._tones = tones

    def phrase(self, phrase, language):
        return self._tones.attention()
