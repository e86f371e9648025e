"""Changes of calls as rows of JSON, and the SQL that takes these apart again.

A row is an array, with its values in the order of the columns here: half of an object would be
names. Times are seconds since 1970, of which a double holds the microsecond.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from twoleg.calls.journal import ANSWERED_BY, TRANSFERRED, CallChange, LegRecord
from twoleg.calls.states import Status

Row = list[Any]

MAX_CAUSE: Final = 127
"""Q.850 gives a cause seven bits; a far end may send whatever it likes."""

_CHANGE: Final = {
    "call_id": "bigint",
    "legs": "jsonb",
    "sequence": "integer",
    "type": "text",
    "at": "timestamptz",
    "data": "jsonb",
    "status": "text",
    "contact_attempt_at": "timestamptz",
    "winner": "bigint",
    "answered_by": "bigint",
    "heard": "text",
    "heard_ms": "integer",
    "outcome": "text",
    "ended_by": "text",
    "failure": "text",
    "ended_at": "timestamptz",
    "agent_ring_seconds": "numeric",
    "contact_ring_seconds": "numeric",
    "talk_seconds": "numeric",
    "total_seconds": "numeric",
}
_LEGS, _DATA, _FAILURE = [[*_CHANGE].index(name) for name in ("legs", "data", "failure")]
_LEG: Final = {
    "position": "smallint",
    "role": "text",
    "user_id": "bigint",
    "to_uri": "text",
    "trunk_id": "bigint",
    "started_at": "timestamptz",
    "answered_at": "timestamptz",
    "ended_at": "timestamptz",
    "sip_status": "smallint",
    "q850_cause": "smallint",
    "reason": "text",
    "codec": "text",
    "quality": "jsonb",
    "invite": "jsonb",
    "dialog": "jsonb",
}
_READ: Final = {
    "text": "{array}->>{place}",
    "jsonb": "nullif({array}->{place}, 'null')",
    "timestamptz": "to_timestamp(({array}->>{place})::float8)",
}


def _columns(array: str, columns: Mapping[str, str]) -> str:
    """Give the SQL that reads the columns from an array; what that is too short for is NULL."""
    return ", ".join(
        _READ.get(kind, f"({{array}}->>{{place}})::{kind}").format(array=array, place=place)
        + f" AS {name}"
        for place, (name, kind) in enumerate(columns.items())
    )


# OFFSET 0 has each value read once, however often it is named.
CHANGES: Final = f"""
  SELECT {_columns("x", _CHANGE)} FROM jsonb_array_elements($1::jsonb) AS x OFFSET 0
"""  # noqa: S608
"""Of a statement whose first parameter they are: one row for each change."""

LEG_COLUMNS: Final = ", ".join(_LEG)
LEGS: Final = f"SELECT {_columns('l', _LEG)} FROM jsonb_array_elements(w.legs) AS l"  # noqa: S608
"""The legs of a change `w`."""

_WON: Final = frozenset({Status.AGENT_CONNECTED, Status.BRIDGED})
"""What says, by the event's user, whose reservation stays."""

_ENCODE: Final = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode

# What PostgreSQL takes no text with, as JSON escapes it: U+0000, and surrogates without their
# other half, as which bytes stand that were no UTF-8 (PEP 383).
_NO_TEXT: Final = re.compile(
    r"\\u(?:0000|d[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2}\\u)d[c-f][0-9a-f]{2})"
)


def change_row(call_id: int, change: CallChange | None, legs: list[Row]) -> Row:
    """Give one change as `CHANGES` reads it, with those of its legs that are to be written."""
    if change is None:
        return [call_id, legs]
    event, ending = change.event, change.ending
    data = event.data
    row = [
        call_id,
        legs,
        event.sequence,
        event.type,
        event.at.timestamp(),
        data,
        change.status,
        _seconds(change.contact_attempt_at),
        # Who has the call now, so that others are free.
        data.get("user_id") if change.status in _WON or event.type == TRANSFERRED else None,
        change.handed_over_by if ending is None else ending.answered_by,
    ]
    if event.type == ANSWERED_BY:
        row += (data["answered_by"], data["answered_by_ms"])
    if ending is not None:
        row += (None, None, ending.outcome, ending.ended_by, ending.failure)
        row += (ending.ended_at.timestamp(), ending.agent_ring_seconds)
        row += (ending.contact_ring_seconds, ending.talk_seconds, ending.total_seconds)
    return row


def bare_row(call_id: int, change: CallChange | None) -> Row:
    """Give what is needed for the call's state to go on, without what may have been refused."""
    row = change_row(call_id, change, [])
    if len(row) > _DATA:
        row[_DATA] = {}
    if len(row) > _FAILURE:
        row[_FAILURE] = None
    return row


def leg_row(leg: LegRecord) -> Row:
    """Give a leg as `LEGS` reads it."""
    cause = leg.q850_cause
    return [
        leg.position,
        leg.role,
        leg.user_id,
        leg.to_uri,
        leg.trunk_id,
        leg.started_at.timestamp(),
        _seconds(leg.answered_at),
        _seconds(leg.ended_at),
        leg.sip_status,
        cause if cause is None or cause <= MAX_CAUSE else None,
        leg.reason,
        leg.codec,
        leg.quality,
        leg.invite,
        leg.dialog,
    ]


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def json_of(rows: Iterable[Row]) -> str:
    """Write rows as JSON that PostgreSQL takes, whatever bytes a far end sent us as text.

    They stand beside each other as in an array, without its brackets.
    """
    text = _ENCODE([*rows])[1:-1]
    return _NO_TEXT.sub(r"\\ufffd", text) if r"\u" in text else text
