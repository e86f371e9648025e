"""What two-legged calls came to: how many connected, how long they rang and were talked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from psycopg.rows import dict_row

from twoleg.reports.call_sums import COUNTED, ENDED_IN_PIECE, KEYS, parameters_of, pieces_of
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


_NAMES: Final[Mapping[CallGroup, str]] = {
    CallGroup.AGENT: "SELECT id, name FROM users WHERE account_id = %s",
    CallGroup.LINE: "SELECT id, phone_number FROM lines WHERE account_id = %s",
    CallGroup.RING_GROUP: "SELECT id, name FROM ring_groups WHERE account_id = %s",
}
_DAY: Final = "to_char(c.created_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD')"
_DAY_OF_SUM: Final = "to_char(s.day, 'YYYY-MM-DD')"
# What is not summed is counted, by the day or a part of it: {key} of each call, {key_of_sum} of
# what was summed.
_REPORT: Final = f"""
WITH pieces AS MATERIALIZED (
  SELECT p.day, p.start, p.until, d.day IS NOT NULL AS is_summed
  FROM unnest(%(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
      AS p(day, start, until)
    LEFT JOIN summed_days d
      ON d.account_id = %(account)s AND d.time_zone = %(zone)s AND d.day = p.day
), facts AS (
  SELECT c.outcome, c.talk_seconds, c.agent_ring_seconds, c.contact_ring_seconds, {{key}} AS key
  FROM pieces p, {ENDED_IN_PIECE} WHERE NOT p.is_summed
), parts AS (
  SELECT key, {", ".join(f"{figure} AS {name}" for name, figure in COUNTED.items())}
  FROM facts GROUP BY key
  UNION ALL
  SELECT {{key_of_sum}}, {", ".join(f"s.{name}" for name in COUNTED)}
  FROM pieces p JOIN call_sums s ON s.account_id = %(account)s AND s.time_zone = %(zone)s
    AND s.day = p.day AND s.kind = %(kind)s
  WHERE p.is_summed
)
SELECT grouping(key) = 1 AS is_total, key,
  {", ".join(f"coalesce(sum({name}), 0)::float8 AS {name}" for name in COUNTED)}
FROM parts GROUP BY GROUPING SETS ((key), ())
"""  # noqa: S608


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
        "zone": period.zone.key,
        "kind": CallGroup.HOUR if group_by is CallGroup.DAY else group_by,
        **parameters_of(list(pieces_of(period.start, period.end, period.zone))),
    }
    by_day = group_by is CallGroup.DAY
    query = _REPORT.format(
        key=_DAY if by_day else KEYS[group_by], key_of_sum=_DAY_OF_SUM if by_day else "s.key"
    )
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)
        rows = await cursor.fetchall()
    names: dict[int, str] = {}
    if group_by in _NAMES:
        named = await connection.execute(_NAMES[group_by], (account_id,))
        names = dict(await named.fetchall())
    by_id = group_by in _NAMES
    [total] = [row for row in rows if row["is_total"]]
    groups = [row for row in rows if not row["is_total"]]
    for row in groups if by_id else ():
        row["key"] = None if row["key"] is None else int(row["key"])
    groups.sort(key=lambda row: (row["key"] is None, row["key"]))
    return Report(
        period,
        group_by,
        [
            _line(row, names.get(row["key"], "") if by_id else str(row["key"]), by_id)
            for row in groups
        ],
        _line(total, TOTAL, False),
    )


def _line(row: Mapping[str, Any], group: str, by_id: bool) -> CallFigures:
    counts = {
        name: int(row[name]) for name in ("calls", "connected", "agent_missed", "contact_missed")
    }
    apart = counts["connected"] + counts["agent_missed"] + counts["contact_missed"]
    return CallFigures(
        group=group,
        group_id=row["key"] if by_id else None,
        **counts,
        other=counts["calls"] - apart,
        connected_rate=share(counts["connected"], counts["calls"]),
        talk_seconds=round(row["talk_seconds"], 3),
        mean_talk_seconds=_mean(row["connected_talk_seconds"], row["connected_talks"]),
        mean_agent_ring_seconds=_mean(row["agent_ring_seconds"], row["agent_rings"]),
        mean_contact_ring_seconds=_mean(row["contact_ring_seconds"], row["contact_rings"]),
    )


def _mean(seconds: float, count: float) -> float | None:
    return round(seconds / count, 3) if count else None
