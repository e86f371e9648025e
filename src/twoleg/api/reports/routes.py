"""`/reports`: what reminders and calls came to over a time, as JSON or as CSV."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request

from twoleg.api.authentication import AppointmentReader, CallReader
from twoleg.api.csv_replies import RESPONSES, csv_reply, wants_csv
from twoleg.api.errors import FieldErrors
from twoleg.api.reports.schemas import CallReport, ReminderReport
from twoleg.api.state import DatabaseOf
from twoleg.api.values import Id, Word
from twoleg.directory.accounts import find_account
from twoleg.directory.wall_clock import zone_of
from twoleg.reports.call_report import CallFigures, CallGroup, call_report
from twoleg.reports.figures import Report
from twoleg.reports.period import InvalidPeriod, Period
from twoleg.reports.reminder_report import ReminderFigures, ReminderGroup, reminder_report
from twoleg.store.database import Connection

PATH: Final = "/reports"

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100

From = Annotated[
    Word | None, Query(alias="from", description="A day of the account's zone, or an instant.")
]
To = Annotated[Word | None, Query(description="The last day, or the instant at which it ends.")]

router = APIRouter(prefix=PATH, tags=["reports"])


async def _reminder_report(
    principal: AppointmentReader,
    database: DatabaseOf,
    from_: From = None,
    to: To = None,
    group_by: ReminderGroup = ReminderGroup.PLAN,
    reminder_plan_id: Id | None = None,
) -> Report[ReminderFigures]:
    async with database.connection() as connection:
        period = await _period(connection, principal.account_id, from_, to)
        return await reminder_report(
            connection, principal.account_id, period, group_by, plan_id=reminder_plan_id
        )


async def _call_report(
    principal: CallReader,
    database: DatabaseOf,
    from_: From = None,
    to: To = None,
    group_by: CallGroup = CallGroup.DAY,
) -> Report[CallFigures]:
    async with database.connection() as connection:
        period = await _period(connection, principal.account_id, from_, to)
        return await call_report(connection, principal.account_id, period, group_by)


OnReminders = Annotated[Report[ReminderFigures], Depends(_reminder_report)]
OnCalls = Annotated[Report[CallFigures], Depends(_call_report)]


@router.get("/reminders", response_model=ReminderReport, responses=RESPONSES)
async def report_on_reminders(request: Request, report: OnReminders) -> Any:
    """Say what reminders came to, by plan, offset, hour, day or outcome.

    The last 30 days unless told otherwise. `Accept: text/csv` gives CSV.
    """
    if wants_csv(request):
        return await csv_reply(report.csv(), "reminders", marked=False)
    return _shown(report)


@router.get("/reminders.csv", responses=RESPONSES)
async def reminders_as_csv(report: OnReminders) -> Any:
    """Say what reminders came to, for a spreadsheet."""
    return await csv_reply(report.csv(), "reminders", marked=True)


@router.get("/calls", response_model=CallReport, responses=RESPONSES)
async def report_on_calls(request: Request, report: OnCalls) -> Any:
    """Say what two-legged calls came to, by day, hour, agent, line, ring group or outcome.

    The last 30 days unless told otherwise. `Accept: text/csv` gives CSV.
    """
    if wants_csv(request):
        return await csv_reply(report.csv(), "calls", marked=False)
    return _shown(report)


@router.get("/calls.csv", responses=RESPONSES)
async def calls_as_csv(report: OnCalls) -> Any:
    """Say what two-legged calls came to, for a spreadsheet."""
    return await csv_reply(report.csv(), "calls", marked=True)


async def _period(
    connection: Connection,
    account_id: int,
    first: str | None,
    last: str | None,
) -> Period:
    account = await find_account(connection, account_id)
    begins, ends = _read("from", first), _read("to", last)
    try:
        return Period.of(begins, ends, zone_of(account.time_zone), datetime.now(UTC))
    except InvalidPeriod as error:
        raise FieldErrors({"to": [f"The to field {error}."]}) from error


def _read(field: str, text: str | None) -> date | datetime | None:
    if text is None:
        return None
    try:
        at = date.fromisoformat(text) if "T" not in text else datetime.fromisoformat(text)
    except ValueError:
        at = date.min
    if not FIRST_YEAR <= at.year < LAST_YEAR or (isinstance(at, datetime) and at.tzinfo is None):
        message = (
            f"The {field} field must be a day such as 2026-06-01, or a time with its offset,"
            f" in the years {FIRST_YEAR} to {LAST_YEAR - 1}."
        )
        raise FieldErrors({field: [message]})
    return at


def _shown(report: Report[ReminderFigures] | Report[CallFigures]) -> dict[str, Any]:
    return {
        "from_": report.period.start,
        "to": report.period.end,
        "time_zone": report.period.zone.key,
        "group_by": report.group_by,
        "data": report.lines,
        "total": report.total,
    }
