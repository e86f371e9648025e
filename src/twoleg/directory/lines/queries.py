"""The statements about lines and the trunks that each dials over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Select, delete, func, insert, select, update

from twoleg.directory import owned_rows
from twoleg.directory.errors import Invalid, NotFound
from twoleg.directory.lines.values import Line
from twoleg.directory.owned_rows import Fields
from twoleg.directory.phone_numbers import InvalidPhoneNumber, country_of, e164, parse
from twoleg.store import tables
from twoleg.store.database import Connection
from twoleg.store.statements import Row, fetch_all, fetch_one, run

_LINES: Final = tables.lines
_LINE_TRUNKS: Final = tables.line_trunks


async def list_lines(
    connection: Connection,
    account_id: int,
    *,
    phone_number: str | None = None,
    country: str | None = None,
    trunk_id: int | None = None,
    after_id: int | None,
    limit: int,
) -> list[Line]:
    """Return up to `limit` lines by rising id."""
    statement = _shown(account_id).order_by(_LINES.c.id).limit(min(limit, owned_rows.MAX_ROWS))
    if phone_number is not None:
        statement = statement.where(_LINES.c.phone_number == phone_number)
    if country is not None:
        statement = statement.where(_LINES.c.country == country)
    if trunk_id is not None:
        of_trunk = select(_LINE_TRUNKS.c.line_id).where(_LINE_TRUNKS.c.trunk_id == trunk_id)
        statement = statement.where(_LINES.c.id.in_(of_trunk))
    if after_id is not None:
        statement = statement.where(_LINES.c.id > after_id)
    return [_line(row) for row in await fetch_all(connection, statement)]


async def find_line(connection: Connection, account_id: int, line_id: int) -> Line:
    """Return the line; raises NotFound."""
    row = await fetch_one(connection, _shown(account_id).where(_LINES.c.id == line_id))
    if row is None:
        raise NotFound("lines", line_id)
    return _line(row)


async def create_line(connection: Connection, account_id: int, fields: Fields) -> Line:
    """Make a line; the country is that of its number where none is given.

    Raises Conflict for a number that the account has, Invalid for what is no number of the
    country, or a trunk that the account has not.
    """
    columns = dict(fields)
    trunk_ids = columns.pop("trunk_ids", [])
    columns |= _read_number(columns["phone_number"], columns.get("country"))
    await _check_trunks(connection, account_id, trunk_ids)
    row = await owned_rows.insert_row(connection, _LINES, account_id, columns)
    await _set_trunks(connection, row["id"], trunk_ids)
    return await find_line(connection, account_id, row["id"])


async def change_line(
    connection: Connection, account_id: int, line_id: int, fields: Fields
) -> Line:
    """Change the line; `trunk_ids` replaces all of its trunks.

    Raises NotFound, Conflict or Invalid.
    """
    columns = dict(fields)
    trunk_ids = columns.pop("trunk_ids", None)
    before = await owned_rows.lock_row(connection, _LINES, account_id, line_id)
    if "phone_number" in columns:
        country = columns.get("country") or before["country"]
        columns |= _read_number(columns["phone_number"], country)
    await _check_trunks(connection, account_id, trunk_ids or [])
    await owned_rows.update_row(connection, _LINES, account_id, line_id, columns)
    if trunk_ids is not None:
        await run(connection, delete(_LINE_TRUNKS).where(_LINE_TRUNKS.c.line_id == line_id))
        await _set_trunks(connection, line_id, trunk_ids)
    return await find_line(connection, account_id, line_id)


async def delete_line(connection: Connection, account_id: int, line_id: int) -> None:
    """Delete the line; call records go on naming it. Raises NotFound.

    Reminder plans that call from it are switched off: nobody is rung from a number that is gone.
    """
    await owned_rows.mark_deleted(connection, _LINES, account_id, line_id)
    plans = tables.reminder_plans
    from_it = (plans.c.line_id == line_id) & plans.c.active
    await run(connection, update(plans).where(from_it).values(active=False))


def _read_number(text: str, country: str | None) -> dict[str, str]:
    try:
        parsed = parse(text, country)
        number = e164(parsed)
    except InvalidPhoneNumber as error:
        raise Invalid(
            "phone_number",
            "The phone_number field must be a valid phone number: write it with + and the country"
            " code, or give its country.",
        ) from error
    country = country or country_of(parsed)
    if country is None:
        raise Invalid(
            "country",
            "The country field is required where the number belongs to none: give the country (ISO"
            " 3166, such as US) that numbers without + are dialled in.",
        )
    return {"phone_number": number, "country": country}


async def _check_trunks(connection: Connection, account_id: int, trunk_ids: Sequence[int]) -> None:
    await owned_rows.require_ids(
        connection, tables.trunks, account_id, trunk_ids, field="trunk_ids"
    )


async def _set_trunks(connection: Connection, line_id: int, trunk_ids: Sequence[int]) -> None:
    if trunk_ids:
        rows = [
            {"line_id": line_id, "trunk_id": trunk_id, "position": position}
            for position, trunk_id in enumerate(trunk_ids)
        ]
        await run(connection, insert(_LINE_TRUNKS).values(rows))


def _shown(account_id: int) -> Select[Any]:
    columns = [_LINES.c[name] for name in Line.__dataclass_fields__ if name in _LINES.c]
    trunks = (
        select(_LINE_TRUNKS.c.trunk_id)
        .where(_LINE_TRUNKS.c.line_id == _LINES.c.id)
        .order_by(_LINE_TRUNKS.c.position)
    )
    return select(*columns, func.array(trunks.scalar_subquery()).label("trunk_ids")).where(
        _LINES.c.account_id == account_id, _LINES.c.deleted_at.is_(None)
    )


def _line(row: Row) -> Line:
    return Line(**row)
