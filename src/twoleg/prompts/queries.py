"""The statements about prompts and their audio."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, func, insert

from twoleg.directory import owned_rows
from twoleg.directory.errors import Conflict, NotFound
from twoleg.directory.owned_rows import Fields
from twoleg.prompts.sound import PromptSound
from twoleg.prompts.studio import Recorded
from twoleg.prompts.values import Prompt, PromptInUse, Wording
from twoleg.speech import Template
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, run

_PROMPTS: Final = tables.prompts
_AUDIO: Final = tables.prompt_audio

_VERSION: Final = """
SELECT version FROM prompts WHERE account_id = %s AND id = %s AND deleted_at IS NULL
"""
# One statement, so that version and audio are those of one moment.
_LOAD: Final = """
SELECT p.version, p.text, p.language, p.seconds, a.codec, a.bytes
FROM prompts p LEFT JOIN prompt_audio a ON a.prompt_id = p.id
WHERE p.account_id = %s AND p.id = %s AND p.deleted_at IS NULL
"""
_PLANS: Final = """
SELECT name FROM reminder_plans
WHERE account_id = %s AND %s IN (prompt_id, voicemail_prompt_id) AND deleted_at IS NULL ORDER BY id
"""


async def list_prompts(
    connection: Connection,
    account_id: int,
    *,
    name: str | None = None,
    after_id: int | None,
    limit: int,
) -> list[Prompt]:
    """Return up to `limit` prompts by rising id; `name` is any part of theirs."""
    conditions = [] if name is None else [_PROMPTS.c.name.icontains(name, autoescape=True)]
    rows = await owned_rows.select_rows(
        connection, _PROMPTS, account_id, *conditions, after_id=after_id, limit=limit
    )
    return [_prompt(row) for row in rows]


async def find_prompt(connection: Connection, account_id: int, prompt_id: int) -> Prompt:
    """Return the prompt; raises NotFound."""
    return _prompt(await owned_rows.find_row(connection, _PROMPTS, account_id, prompt_id))


async def create_prompt(
    connection: Connection, account_id: int, name: str, recorded: Recorded
) -> Prompt:
    """Make a prompt with its audio; raises Conflict for a name that the account has."""
    columns = {"name": name, **recorded.fields}
    row = await owned_rows.insert_row(connection, _PROMPTS, account_id, columns)
    await _store(connection, row["id"], recorded)
    return _prompt(row)


async def change_prompt(
    connection: Connection,
    account_id: int,
    before: Prompt,
    fields: Fields,
    recorded: Recorded | None = None,
) -> Prompt:
    """Change what `before` was, and replace what is heard if that is new, all or nothing.

    Raises NotFound, and Conflict for a name that is taken or audio that was replaced since.
    """
    now = await owned_rows.lock_row(connection, _PROMPTS, account_id, before.id)
    columns = dict(fields) | {"updated_at": func.now()}
    if recorded is not None:
        if now["version"] != before.version:
            raise Conflict("body", "The prompt was changed meanwhile: send the change again.")
        columns |= {**recorded.fields, "version": before.version + 1}
    row = await owned_rows.update_row(connection, _PROMPTS, account_id, before.id, columns)
    if recorded is not None:
        await _forget(connection, before.id)
        await _store(connection, before.id, recorded)
    return _prompt(row)


async def delete_prompt(connection: Connection, account_id: int, prompt_id: int) -> None:
    """Delete the prompt and its audio. Raises NotFound, and PromptInUse while a plan plays it."""
    await owned_rows.lock_row(connection, _PROMPTS, account_id, prompt_id)
    cursor = await connection.execute(_PLANS, (account_id, prompt_id))
    plans = [name for (name,) in await cursor.fetchall()]
    if plans:
        raise PromptInUse(plans)
    await owned_rows.mark_deleted(connection, _PROMPTS, account_id, prompt_id)
    await _forget(connection, prompt_id)


async def version_of(connection: Connection, account_id: int, prompt_id: int) -> int | None:
    """Return which of its audios a prompt has now; None: the account has none such."""
    cursor = await connection.execute(_VERSION, (account_id, prompt_id))
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def load_sound(
    connection: Connection, account_id: int, prompt_id: int
) -> tuple[int, PromptSound | Wording] | None:
    """Return what is heard of a prompt, and its version; None: the account has none such.

    Raises UnplayableSound.
    """
    cursor = await connection.execute(_LOAD, (account_id, prompt_id))
    rows = await cursor.fetchall()
    if not rows:
        return None
    version, text, language, seconds = rows[0][:4]
    if seconds is None:
        return version, Wording(Template(text), language)
    return version, PromptSound.of({codec: payload for *_, codec, payload in rows if codec})


async def find_sound(
    connection: Connection, account_id: int, prompt_id: int
) -> tuple[Prompt, PromptSound | Wording]:
    """Return the prompt with what is heard of it. Raises NotFound, UnplayableSound."""
    prompt = await find_prompt(connection, account_id, prompt_id)
    loaded = await load_sound(connection, account_id, prompt_id)
    if loaded is None:
        # Deleted between the two.
        raise NotFound(_PROMPTS.name, prompt_id)
    return prompt, loaded[1]


async def _store(connection: Connection, prompt_id: int, recorded: Recorded) -> None:
    if recorded.sound is None:
        return
    rows = [
        {"prompt_id": prompt_id, "codec": codec.name, "bytes": payload}
        for codec, payload in recorded.sound.payloads.items()
    ]
    await run(connection, insert(_AUDIO).values(rows))


async def _forget(connection: Connection, prompt_id: int) -> None:
    await run(connection, delete(_AUDIO).where(_AUDIO.c.prompt_id == prompt_id))


def _prompt(row: Row) -> Prompt:
    return Prompt(**{name: row[name] for name in Prompt.__dataclass_fields__})
