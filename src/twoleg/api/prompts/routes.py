"""`/prompts`: list, make, read, hear, change, delete."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from twoleg.api.authentication import DirectoryReader, DirectoryWriter
from twoleg.api.errors import NoSuchThing, reply
from twoleg.api.pages import DEFAULT_PAGE, Cursor, Limit, Page, created, page_of, position_of
from twoleg.api.prompts.bodies import body_of
from twoleg.api.prompts.schemas import NewPrompt, Prompt, PromptChange
from twoleg.api.state import DatabaseOf, PromptStudioOf
from twoleg.api.streaming import at_hand
from twoleg.api.values import Id, Word
from twoleg.media import Codec, wav_of
from twoleg.media.g711 import decode_ulaw
from twoleg.prompts import (
    PromptInUse,
    UnplayableSound,
    Wording,
    change_prompt,
    create_prompt,
    delete_prompt,
    find_prompt,
    find_sound,
    list_prompts,
)

PATH: Final = "/prompts"
WAV: Final = "audio/wav"
EACH_TIME: Final = "The text has variables: it is spoken for each call, and cannot be heard before."

_AUDIO: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {WAV: {"schema": {"type": "string", "format": "binary"}}}},
    206: {"content": {WAV: {"schema": {"type": "string", "format": "binary"}}}},
}
_IN_USE: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "A reminder plan plays the prompt."}
}

router = APIRouter(prefix=PATH, tags=["prompts"])


def _body(shape: str) -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["file", "name"] if shape == "NewPrompt" else [],
        "properties": {
            "name": {"type": "string"},
            "file": {
                "type": "string",
                "format": "binary",
                "description": "WAV, MP3, OGG, FLAC, M4A or another common format: 20 MiB and"
                " 5 minutes at most.",
            },
        },
    }
    content = {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}


@router.get("", response_model=Page[Prompt])
async def read_prompts(
    request: Request,
    principal: DirectoryReader,
    database: DatabaseOf,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    name: Word | None = None,
) -> Any:
    """List prompts in the order they were made."""
    async with database.connection() as connection:
        found = await list_prompts(
            connection,
            principal.account_id,
            name=name,
            after_id=position_of(cursor),
            limit=limit + 1,
        )
    return page_of(found, limit, [Prompt.of(each, request) for each in found])


@router.post("", status_code=201, response_model=Prompt, openapi_extra=_body("NewPrompt"))
async def make_prompt(
    request: Request,
    principal: DirectoryWriter,
    database: DatabaseOf,
    studio: PromptStudioOf,
    response: Response,
) -> Any:
    """Make a prompt of an uploaded file, or of a text that is spoken."""
    async with body_of(request, NewPrompt) as body:
        recorded = await body.recorded(studio)
    assert recorded is not None
    async with database.connection() as connection:
        made = await create_prompt(connection, principal.account_id, body.fields["name"], recorded)
    created(response, PATH, made.id)
    return Prompt.of(made, request)


@router.get("/{prompt_id}", response_model=Prompt)
async def read_prompt(
    prompt_id: Id, request: Request, principal: DirectoryReader, database: DatabaseOf
) -> Any:
    """Read one prompt."""
    async with database.connection() as connection:
        found = await find_prompt(connection, principal.account_id, prompt_id)
    return Prompt.of(found, request)


@router.get("/{prompt_id}/audio", response_class=Response, responses=_AUDIO)
async def hear_prompt(
    prompt_id: Id, request: Request, principal: DirectoryReader, database: DatabaseOf
) -> Response:
    """Read the prompt's audio as WAV, as a telephone plays it. Parts of it by Range."""
    async with database.connection() as connection:
        try:
            prompt, sound = await find_sound(connection, principal.account_id, prompt_id)
        except UnplayableSound:
            raise NoSuchThing from None
    if isinstance(sound, Wording):
        return reply(409, EACH_TIME)
    payload = sound.payloads[Codec.PCMU]
    wav = await asyncio.to_thread(lambda: wav_of(decode_ulaw(payload), Codec.PCMU.sample_rate))
    wanted = request.headers.get("range")
    return at_hand(wav, wanted, media_type=WAV, name=f"prompt-{prompt.id}.wav")


@router.patch("/{prompt_id}", response_model=Prompt, openapi_extra=_body("PromptChange"))
async def edit_prompt(
    prompt_id: Id,
    request: Request,
    principal: DirectoryWriter,
    database: DatabaseOf,
    studio: PromptStudioOf,
) -> Any:
    """Change the fields that are given; calls play the new audio from then on."""
    async with body_of(request, PromptChange) as body:
        async with database.connection() as connection:
            before = await find_prompt(connection, principal.account_id, prompt_id)
        recorded = await body.recorded(studio, before)
    fields = {name: value for name, value in body.fields.items() if name == "name"}
    async with database.connection() as connection:
        changed = await change_prompt(connection, principal.account_id, before, fields, recorded)
    return Prompt.of(changed, request)


@router.delete("/{prompt_id}", status_code=204, response_class=Response, responses=_IN_USE)
async def remove_prompt(
    prompt_id: Id, principal: DirectoryWriter, database: DatabaseOf
) -> Response:
    """Delete a prompt that no reminder plan plays; calls that would whisper it go on without."""
    try:
        async with database.connection() as connection:
            await delete_prompt(connection, principal.account_id, prompt_id)
    except PromptInUse as used:
        plans = ", ".join(used.plans)
        return reply(409, f"The prompt is played by reminder plans: change these first: {plans}.")
    return Response(status_code=204)
