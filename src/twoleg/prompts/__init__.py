"""Prompts of an account: audio that was uploaded or spoken, ready to be sent in each codec."""

from twoleg.prompts.converter import Converter, UnusableFile
from twoleg.prompts.queries import (
    change_prompt,
    create_prompt,
    delete_prompt,
    find_prompt,
    find_sound,
    list_prompts,
    load_sound,
    version_of,
)
from twoleg.prompts.sound import PromptSound, UnplayableSound
from twoleg.prompts.studio import PromptStudio, Recorded
from twoleg.prompts.values import MAX_FILE_BYTES, Prompt, PromptInUse, PromptKind, Wording

__all__ = [
    "MAX_FILE_BYTES",
    "Converter",
    "Prompt",
    "PromptInUse",
    "PromptKind",
    "PromptSound",
    "PromptStudio",
    "Recorded",
    "UnplayableSound",
    "UnusableFile",
    "Wording",
    "change_prompt",
    "create_prompt",
    "delete_prompt",
    "find_prompt",
    "find_sound",
    "list_prompts",
    "load_sound",
    "version_of",
]
