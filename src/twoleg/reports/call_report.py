"""What two-legged calls came to: how many connected, how long they rang and were talked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from psycopg.rows import dict_row

from twoleg.reports.figures import TOTAL, Figures, Report, share
from twoleg.reports.period import Period
from twoleg.store.database import Connection


class CallGroup(StrEnum):
    """What a line of the report is of."""

    DAY = "day"
    HOUR = "hour"
    """Both on the account's clock."""

    AGENT = "agent"
    """Who answered, else who was to be rung."""

    LINE = "line"
    RING_GROUP = "ring_group"
    OUTCOME = "outcome"


_LOCAL: Final = "c.created_at AT TIME ZONE %(zone)s"
_KEYS: Final[Mapping[CallGroup, str]] = {
    CallGroup.DAY: f"to_char({_LOCAL}, 'YYYY-MM-DD')",
    CallGroup.HOUR: f"to_char({_LOCAL}, 'HH24:00')",
    CallGroup.AGENT: """coalesce((
      SELECT l.user_id FROM legs l
      WHERE l.call_id = c.id AND l.role = 'agent' AND l.answered_at IS NOT NULL
      ORDER BY l.position DESC LIMIT 1), c.user_id)""",
    CallGroup.LINE: "c.line_id",
    CallGroup.RING_GROUP: "c.ring_group_id",
    CallGroup.OUTCOME: "c.outcome",
}
_NAMES: Final[Mapping[CallGroup, str]] = {
    CallGroup.AGENT: "SELECT id, name FROM users WHERE account_id = %s",
    CallGroup.LINE: "SELECT id, phone_number FROM lines WHERE account_id = %s",
    CallGroup.RING_GROUP: "SELECT id, name FROM ring_groups WHERE account_id = %s",
}
# Calls that remind have a report of their own.
_REPORT: Final = """
WITH facts AS (
  SELECT c.outcome, c.talk_seconds, c.agent_ring_seconds, c.contact_ring_seconds, {key} AS key
  FROM calls c
  WHERE c.account_id = %(account)s AND c.created_at >= %(start)s AND c.created_at < %(end)s
    AND c.ended_at IS NOT NULL AND c.source <> 'reminder'
)
SELECT grouping(key) = 1 AS is_total, key, count(*) AS calls,
  count(*) FILTER (WHERE outcome = 'connected') AS connected,
  count(*) FILTER (WHERE starts_with(outcome, 'agent_') OR outcome = 'no_agent_available')
    AS agent_missed,
  count(*) FILTER (WHERE starts_with(outcome, 'contact_')) AS contact_missed,
  coalesce(sum(talk_seconds), 0)::float8 AS talk_seconds,
  avg(talk_seconds) FILTER (WHERE outcome = 'connected')::float8 AS mean_talk_seconds,
  avg(agent_ring_seconds)::float8 AS mean_agent_ring_seconds,
  avg(contact_ring_seconds)::float8 AS mean_contact_ring_seconds
FROM facts GROUP BY GROUPING SETS ((key), ()) ORDER BY key NULLS LAST
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFigures(Figures):
    """What the ended calls of one group came to; `other` were neither side's doing."""

    calls: int
    connected: int
    agent_missed: int
    contact_missed: int
    other: int
    connected_rate: float | None
    talk_seconds: float
    mean_talk_seconds: float | None
    mean_agent_ring_seconds: float | None
    mean_contact_ring_seconds: float | None


async def call_report(
    connection: Connection, account_id: int, period: Period, group_by: CallGroup
) -> Report[CallFigures]:
    """Return what the calls came to that were placed in the period and have ended, by groups."""
    parameters = {
        "account": account_id,
        "start": period.start,
        "end": period.end,
        "zone": period.zone.key,
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_REPORT.format(key=_KEYS[group_by]), parameters)
        rows = await cursor.fetchall()
    names: dict[int, str] = {}
    if group_by in _NAMES:
        named = await connection.execute(_NAMES[group_by], (account_id,))
        names = dict(await named.fetchall())
    [total] = [row for row in rows if row["is_total"]]
    return Report(
        period,
        group_by,
        [
            _line(row, names.get(row["key"], "") if names else str(row["key"]), bool(names))
            for row in rows
            if not row["is_total"]
        ],
        _line(total, TOTAL, False),
    )


def _line(row: Mapping[str, Any], group: str, by_id: bool) -> CallFigures:
    apart = row["connected"] + row["agent_missed"] + row["contact_missed"]
    return CallFigures(
        group=group,
        group_id=row["key"] if by_id else None,
        calls=row["calls"],
        connected=row["connected"],
        agent_missed=row["agent_missed"],
        contact_missed=row["contact_missed"],
        other=row["calls"] - apart,
        connected_rate=share(row["connected"], row["calls"]),
        talk_seconds=round(row["talk_seconds"], 3),
        mean_talk_seconds=_rounded(row["mean_talk_seconds"]),
        mean_agent_ring_seconds=_rounded(row["mean_agent_ring_seconds"]),
        mean_contact_ring_seconds=_rounded(row["mean_contact_ring_seconds"]),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
