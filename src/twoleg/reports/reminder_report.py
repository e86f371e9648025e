"""What reminders achieved: how many were called, heard and answered, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from psycopg.rows import dict_row

from twoleg.reminders.answers import Answer
from twoleg.reminders.plans.values import moment_from_json, moment_text
from twoleg.reports.figures import TOTAL, Figures, Report, share
from twoleg.reports.period import Period
from twoleg.store.database import Connection


class ReminderGroup(StrEnum):
    """What a line of the report is of."""

    PLAN = "plan"
    OFFSET = "offset"
    """The plan's moment: how long before the appointment."""

    HOUR = "hour"
    """Of the call, on the contact's own clock."""

    DAY = "day"
    """On the account's."""

    OUTCOME = "outcome"
    """What was answered, else how the call ended, else that there was none."""


_KEYS: Final[Mapping[ReminderGroup, str]] = {
    ReminderGroup.PLAN: "to_jsonb(f.reminder_plan_id)",
    ReminderGroup.OFFSET: "f.moment",
    ReminderGroup.HOUR: "to_jsonb(extract(hour FROM f.at AT TIME ZONE f.time_zone)::int)",
    ReminderGroup.DAY: "to_jsonb(to_char(f.at AT TIME ZONE %(zone)s, 'YYYY-MM-DD'))",
    ReminderGroup.OUTCOME: "to_jsonb(f.outcome)",
}
# How a call ended is looked up where it is asked for, and nothing was answered. What is still to be
# called is found by line: the index of those that are planned is for those who call them.
# A reminder counts once for each time that its appointment had, however often it was tried:
# numbered, which is a sort; distinct rows would be one for each figure.
_REPORT: Final = f"""
WITH facts AS (
  SELECT t.reminder_id, t.starts_at, t.placed_at AS at, t.time_zone, t.reminder_plan_id, t.moment,
    t.answer, t.given_up, true AS called,
    coalesce(t.answer, (SELECT outcome FROM calls WHERE id = t.call_id), 'calling') AS outcome
  FROM reminder_attempts t
  WHERE t.account_id = %(account)s AND t.placed_at >= %(start)s AND t.placed_at < %(end)s
  UNION ALL
  SELECT r.id, r.starts_at, r.due_at, r.time_zone, p.id, p.moments -> r.moment::int,
    NULL, false, false, 'not_called'
  FROM lines n JOIN reminders r ON r.line_id = n.id JOIN appointments a ON a.id = r.appointment_id
    JOIN reminder_plans p ON p.id = a.reminder_plan_id
  WHERE n.account_id = %(account)s AND r.state = 'planned' AND r.attempts = 0
    AND r.due_at >= %(start)s AND r.due_at < %(end)s AND a.deleted_at IS NULL
), keyed AS (
  SELECT f.*, {{key}} AS key FROM facts f
  WHERE %(plan)s::bigint IS NULL OR f.reminder_plan_id = %(plan)s
), counted AS (
  SELECT k.*, row_number() OVER (PARTITION BY reminder_id, starts_at) = 1 AS is_first,
    row_number() OVER (PARTITION BY reminder_id, starts_at, key) = 1 AS is_first_of_key
  FROM keyed k
)
SELECT grouping(f.key) = 1 AS is_total, f.key,
  CASE WHEN grouping(f.key) = 1 THEN count(*) FILTER (WHERE f.is_first)
    ELSE count(*) FILTER (WHERE f.is_first_of_key) END AS planned,
  CASE WHEN grouping(f.key) = 1 THEN count(*) FILTER (WHERE f.called AND f.is_first)
    ELSE count(*) FILTER (WHERE f.called AND f.is_first_of_key) END AS called,
  count(*) FILTER (WHERE f.called) AS calls,
  count(*) FILTER (WHERE f.answer <> 'message_left') AS reached,
  {", ".join(f"count(*) FILTER (WHERE f.answer = '{each}') AS {each}" for each in Answer)},
  count(*) FILTER (WHERE f.given_up) AS unreachable
FROM counted f GROUP BY GROUPING SETS ((f.key), ())
"""  # noqa: S608
_NAMES: Final = "SELECT id, name FROM reminder_plans WHERE account_id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderFigures(Figures):
    """What the reminders of one group came to.

    `planned` and `called` count reminders, the others calls: of one reminder there may be several.
    `reached` heard it in person; `heard` did so and decided nothing. `unreachable` were given up.
    The rates are shares: of those called who were reached, of those reached who confirmed.
    """

    planned: int
    called: int
    calls: int
    reached: int
    confirmed: int
    reschedule_requested: int
    cancelled: int
    talked: int
    callback_requested: int
    opted_out: int
    heard: int
    message_left: int
    unreachable: int
    reached_rate: float | None
    confirmed_rate: float | None


async def reminder_report(
    connection: Connection,
    account_id: int,
    period: Period,
    group_by: ReminderGroup,
    *,
    plan_id: int | None = None,
) -> Report[ReminderFigures]:
    """Return what the account's reminders came to, by groups; those of one plan where it is named.

    A reminder is of the time in which it was called, else of that in which it is to be.
    """
    parameters = {
        "account": account_id,
        "start": period.start,
        "end": period.end,
        "zone": period.zone.key,
        "plan": plan_id,
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_REPORT.format(key=_KEYS[group_by]), parameters)
        rows = await cursor.fetchall()
    cursor_of_names = await connection.execute(_NAMES, (account_id,))
    plans = dict(await cursor_of_names.fetchall())
    groups = sorted((row for row in rows if not row["is_total"]), key=_order(group_by))
    [total] = [row for row in rows if row["is_total"]]
    return Report(
        period,
        group_by,
        [_line(row, _said(group_by, row["key"], plans), group_by) for row in groups],
        _line(total, TOTAL, None),
    )


def _line(row: Mapping[str, Any], group: str, group_by: ReminderGroup | None) -> ReminderFigures:
    counts = {name: row[name] for name in ("planned", "called", "calls", "reached", *Answer)}
    return ReminderFigures(
        group=group,
        group_id=row["key"] if group_by is ReminderGroup.PLAN else None,
        **counts,
        unreachable=row["unreachable"],
        reached_rate=share(row["reached"], row["called"]),
        confirmed_rate=share(row["confirmed"], row["reached"]),
    )


def _said(group_by: ReminderGroup, key: Any, plans: Mapping[int, str]) -> str:
    if group_by is ReminderGroup.PLAN:
        return plans.get(key, "")
    if group_by is ReminderGroup.OFFSET:
        return moment_text(moment_from_json(key or {}))
    return f"{key:02}:00" if group_by is ReminderGroup.HOUR else str(key)


def _order(group_by: ReminderGroup) -> Any:
    """Order by key; offsets with the earliest call first."""

    def key_of(row: Mapping[str, Any]) -> Any:
        if group_by is not ReminderGroup.OFFSET:
            return row["key"]
        moment = moment_from_json(row["key"] or {})
        return -moment.days_before, -moment.minutes_before, str(moment.at)

    return key_of
