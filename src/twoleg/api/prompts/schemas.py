"""The shapes of prompts in requests and replies."""

from __future__ import annotations

from pydantic import ConfigDict
from starlette.requests import Request

from twoleg.api.pages import PREFIX
from twoleg.api.values import Input, Name, Output, Text, Time, Word, absent
from twoleg.prompts import Prompt as StoredPrompt


class PromptChange(Input):
    """What of a prompt changes; a text takes the place of a file, and the other way round."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Web shop, new"}]})

    name: Name = absent()
    text: Text = absent()
    language: Word = absent()


class NewPrompt(PromptChange):
    """A prompt to be made: of a text in its language (RFC 5646), or of a `file` in a form."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Web shop", "text": "A call from the web shop.", "language": "en"}
            ]
        }
    )

    name: Name


class Prompt(Output):
    """A prompt; `url` has its audio as a telephone plays it, for whoever has a token.

    A text with variables is spoken for each call, and lasts null `seconds`.
    """

    id: int
    name: str
    kind: str
    text: str | None
    language: str | None
    voice: str | None
    seconds: float | None
    url: str
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, stored: StoredPrompt, request: Request) -> Prompt:
        """Return the shape of a stored prompt."""
        values = {name: getattr(stored, name) for name in cls.model_fields if name != "url"}
        base = str(request.base_url).rstrip("/")
        return cls(**values, url=f"{base}{PREFIX}/prompts/{stored.id}/audio")
