"""What call requests name, found in the database: by id, or by a number however it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import psycopg

from twoleg.calls import admission_queries as queries
from twoleg.calls.admission_rules import Found
from twoleg.calls.destinations import destination
from twoleg.calls.requests import CallRequest
from twoleg.directory.phone_numbers import looks_like_e164

# Enough digits of a national number to tell lines apart before their country is known.
LINE_ENDING_DIGITS: Final = 6

Connection = psycopg.AsyncConnection[Any]


class Asked(NamedTuple):
    """A request, and the digest of the token that it came with, in hexadecimal digits."""

    token_hash: str
    request: CallRequest


async def find(connection: Connection, batch: Sequence[Asked]) -> dict[int, Found]:
    """Find what each of `batch` names, by its place there; unknown tokens have no entry."""
    asks = [_ask(position, asked) for position, asked in enumerate(batch)]
    found = await queries.look_up(connection, asks)
    again = []
    for position, there in found.items():
        request = batch[position].request
        if _lacks_a_country(asks[position], request):
            sharper = await _sharpen(connection, asks[position], request, there)
            if sharper != asks[position]:
                again.append(sharper)
    if again:
        found |= await queries.look_up(connection, again)
    return found


def _lacks_a_country(asked: dict[str, Any], request: CallRequest) -> bool:
    """Tell whether a number was given that could not be read without the line's country."""
    return (
        (asked["contact_number"] is None and request.contact_phone_number is not None)
        or (asked["line_number"] is None and request.line_phone_number is not None)
        or (asked["agent_number"] is None and request.user_phone_number is not None)
    )


async def _sharpen(
    connection: Connection, asked: dict[str, Any], request: CallRequest, found: Found
) -> dict[str, Any]:
    """Fill in the numbers that were written without a country, now that the line tells it."""
    country, line_number = found.line_country, asked["line_number"]
    if request.line_phone_number is not None and line_number is None:
        line = await _line_by_national_number(connection, found, request.line_phone_number)
        if line is not None:
            line_number, line_country = line
            country = country or line_country
    contact_number, agent_number = asked["contact_number"], asked["agent_number"]
    if request.contact_phone_number is not None and contact_number is None:
        contact_number = destination(request.contact_phone_number, country).number
    if request.user_phone_number is not None and agent_number is None:
        agent_number = destination(request.user_phone_number, country).number
    return asked | {
        "line_number": line_number,
        "contact_number": contact_number,
        "agent_number": agent_number,
    }


async def _line_by_national_number(
    connection: Connection, found: Found, text: str
) -> tuple[str, str] | None:
    digits = "".join(each for each in text if each in "0123456789")[-LINE_ENDING_DIGITS:]
    if len(digits) < LINE_ENDING_DIGITS:
        return None
    lines = await queries.lines_that_end_with(connection, found.account_id, digits)
    for number, country in lines:
        if destination(text, country).number == number:
            return number, country
    return None


def _ask(position: int, asked: Asked) -> dict[str, Any]:
    """Return one row of what `admission_queries.look_up` takes."""
    request = asked.request
    return {
        "position": position,
        "token": asked.token_hash,
        "user_id": request.user_id,
        "ring_group_id": request.ring_group_id,
        "contact_id": request.contact_id,
        "contact_number": _international(request.contact_phone_number),
        "line_id": request.line_id,
        "line_number": _international(request.line_phone_number),
        "agent_number": _international(request.user_phone_number),
        "whisper_prompt_id": request.options.get("whisper_prompt_id"),
    }


def _international(text: str | None) -> str | None:
    if text is None or looks_like_e164(text):
        return text
    return destination(text, None).number
