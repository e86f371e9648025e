"""What a prompt is made of: JSON, or a form with a file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request

from twoleg.api.errors import FieldErrors, field_errors
from twoleg.api.prompts.schemas import PromptChange
from twoleg.directory import Invalid
from twoleg.prompts import MAX_FILE_BYTES, Prompt, PromptKind, PromptStudio, Recorded

MAX_BODY_BYTES: Final = MAX_FILE_BYTES + 64 * 1024
"""The file, and what a form has around it."""

MAX_FIELDS: Final = 10
_FORM: Final = "multipart/form-data"
_FILE: Final = "file"

TOO_LARGE: Final = f"The file is larger than {MAX_FILE_BYTES // 1024**2} MiB: give a smaller one."
NOTHING: Final = "Give either a text or a file: what is heard."
NO_TEXT: Final = "The language is that of a text: give a text too."
NO_LANGUAGE: Final = "The language field is required for a text: the tag of one, such as en."


@dataclass(frozen=True, slots=True)
class PromptBody:
    """A body that was read: the fields that are given, and a file on disk."""

    fields: dict[str, Any]
    file: UploadFile | None

    async def recorded(self, studio: PromptStudio, before: Prompt | None = None) -> Recorded | None:
        """Make what is heard from now on; None: what there was before. Raises Invalid."""
        text, language = self.fields.get("text"), self.fields.get("language")
        if self.file is not None:
            if text is not None or language is not None:
                raise Invalid("text" if text is not None else "language", NOTHING)
            return await studio.of_file(self.file.read)
        if before is not None and before.kind == PromptKind.TEXT:
            if text is None and language is None:
                return None
            text = before.text if text is None else text
            language = before.language if language is None else language
        elif text is None and language is not None:
            raise Invalid("language", NO_TEXT)
        elif text is None:
            if before is None:
                raise Invalid("text", NOTHING)
            return None
        if not language:
            raise Invalid("language", NO_LANGUAGE)
        return await studio.of_text(text or "", language)


@asynccontextmanager
async def body_of(request: Request, shape: type[PromptChange]) -> AsyncIterator[PromptBody]:
    """Read a body of `shape`, whose file stays until the block is left.

    Raises FieldErrors, and HTTPException for a form that cannot be read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        yield PromptBody(_read(await _json(request, kind), shape), None)
        return
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        fields: dict[str, Any] = dict(form)
        file = fields.pop(_FILE, None)
        if file is not None and not isinstance(file, UploadFile):
            raise FieldErrors({_FILE: ["The file must be a file, with a filename."]})
        for name, value in fields.items():
            if isinstance(value, UploadFile):
                raise FieldErrors({name: [f"The {name} must be a string; the file is {_FILE!r}."]})
        if file is not None and (file.size or 0) > MAX_FILE_BYTES:
            raise FieldErrors({_FILE: [TOO_LARGE]})
        yield PromptBody(_read(fields, shape), file)


async def _json(request: Request, kind: str) -> Any:
    if not kind.endswith(("/json", "+json")):
        raise FieldErrors({"body": [f"The body must be JSON, or {_FORM} with a file."]})
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise FieldErrors({"body": ["The body must be valid JSON."]}) from error


def _read(fields: Any, shape: type[PromptChange]) -> dict[str, Any]:
    try:
        return shape.model_validate(fields).given()
    except ValidationError as error:
        raise FieldErrors(field_errors(error.errors(), skip=0)) from error
