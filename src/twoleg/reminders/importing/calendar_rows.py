"""Appointments from iCalendar files and feeds (RFC 5545), recurrences unrolled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers
import recurring_ical_events
from icalendar import Calendar

from twoleg.directory.importing.rows import MAX_NAME, MAX_TEXT, CannotRead, Refused, RefusedRow
from twoleg.directory.json_objects import storable
from twoleg.directory.phone_numbers import InvalidPhoneNumber, normalise
from twoleg.directory.wall_clock import instant_of, wall_of, zone_of
from twoleg.reminders.importing.rows import MAX_EXTERNAL_ID, ImportedAppointment

HORIZON: Final = timedelta(days=120)
"""How far ahead recurrences are unrolled: farther than any reminder is wanted."""

MAX_EVENTS: Final = 100_000

TOO_OFTEN: Final = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})
"""No appointment is; a line of a calendar could stand for millions of events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarOptions:
    """How a calendar is to be read: `time_zone` is that of times without one."""

    time_zone: str
    country: str | None = None


def read_calendar(
    data: bytes, options: CalendarOptions, now: datetime
) -> Iterator[ImportedAppointment | RefusedRow]:
    """Yield one thing for each event from `now` on. Raises CannotRead for what is no calendar.

    An event's `external_id` is its UID, and for one of a series its place in it too, so that one
    that is moved stays the same. Its contact is an attendee with a telephone number (RFC 3966), or
    else the first number in CONTACT, DESCRIPTION, LOCATION or SUMMARY.
    """
    events, series = _events(data, now)
    if len(events) > MAX_EVENTS:
        raise CannotRead(f"The calendar has more than {MAX_EVENTS} events.")
    for number, event in enumerate(events, start=1):
        try:
            yield _appointment(number, event, series, options)
        except Refused as refused:
            values = {"uid": str(event.get("UID", ""))[:MAX_EXTERNAL_ID]}
            yield RefusedRow(
                row=number, column=refused.column, message=refused.message, values=values
            )


def _events(data: bytes, now: datetime) -> tuple[list[Any], frozenset[str]]:
    """Return the events within reach, and the UIDs of those that are series."""
    try:
        calendar = Calendar.from_ical(data)
        whole = [event for event in calendar.walk("VEVENT") if _recurs(event)]
        query = recurring_ical_events.of(calendar, skip_bad_series=True)
        events = list(query.between(now, now + HORIZON))
    except CannotRead:
        raise
    # The parsers raise whatever a broken line leads them to.
    except Exception as error:
        raise CannotRead(f"The file is no iCalendar: {_in_words(error)}.") from error
    return events, frozenset(str(event.get("UID")) for event in whole)


def _recurs(event: Any) -> bool:
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if {str(each).upper() for each in rule.get("FREQ", [])} & TOO_OFTEN:
            uid = str(event.get("UID", ""))[:MAX_EXTERNAL_ID]
            raise CannotRead(f"The event {uid!r} is repeated by the hour or more often.")
    return any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID"))


def _in_words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:200]


def _appointment(
    number: int, event: Any, series: frozenset[str], options: CalendarOptions
) -> ImportedAppointment:
    start = event.start
    if not isinstance(start, datetime):
        raise Refused("DTSTART", "The event is for a whole day: a reminder needs a time.")
    zone, wall = _wall(start, options)
    phone_number, name = _contact(event, options)
    return ImportedAppointment(
        row=number,
        phone_number=phone_number,
        name=name,
        wall_starts_at=wall,
        time_zone=zone.key,
        starts_at=instant_of(wall, zone),
        duration_minutes=max(0, round((event.end - start) / timedelta(minutes=1))) or None,
        place=_text(event, "LOCATION"),
        staff=_organizer(event),
        notes=_text(event, "SUMMARY"),
        external_id=_identity(event, start, series),
        cancelled=str(event.get("STATUS", "")).upper() == "CANCELLED",
    )


def _wall(start: datetime, options: CalendarOptions) -> tuple[ZoneInfo, datetime]:
    """Return zone and wall time; a zone that the calendar made up is read as the calendar's own."""
    if isinstance(start.tzinfo, ZoneInfo):
        return start.tzinfo, start.replace(tzinfo=None)
    zone = zone_of(options.time_zone)
    return (zone, start) if start.tzinfo is None else (zone, wall_of(start, zone))


def _identity(event: Any, start: datetime, series: frozenset[str]) -> str:
    uid = str(event.get("UID", "")).strip()
    if not uid or not storable(uid):
        raise Refused("UID", "The event has no UID to know it by.")
    place = event.get("RECURRENCE-ID")
    if uid in series and place is not None:
        at = place.dt if isinstance(place.dt, datetime) else start
        uid += "/" + (at if at.tzinfo is None else at.astimezone(UTC)).strftime("%Y%m%dT%H%M%S")
    if len(uid) > MAX_EXTERNAL_ID:
        raise Refused("UID", f"The UID may have {MAX_EXTERNAL_ID} characters at most.")
    return uid


def _contact(event: Any, options: CalendarOptions) -> tuple[str, str | None]:
    """Return number and name. Raises Refused."""
    attendees = event.get("ATTENDEE", [])
    for attendee in attendees if isinstance(attendees, list) else [attendees]:
        if str(attendee).lower().startswith("tel:"):
            number = str(attendee)[len("tel:") :].partition(";")[0]
            return _normalised(number, options), _clean(attendee.params.get("CN"), MAX_NAME)
    for name in ("CONTACT", "DESCRIPTION", "LOCATION", "SUMMARY"):
        value = event.get(name)
        for value_text in value if isinstance(value, list) else [value]:
            match = next(iter(_matches(_clean(value_text, MAX_TEXT) or "", options)), None)
            if match is not None:
                return match, _clean(event.get("SUMMARY"), MAX_NAME)
    raise Refused(
        "ATTENDEE",
        "The event names no telephone number: not as an attendee (tel:), nor in CONTACT,"
        " DESCRIPTION, LOCATION or SUMMARY.",
    )


def _matches(text: str, options: CalendarOptions) -> Iterator[str]:
    for match in phonenumbers.PhoneNumberMatcher(text, options.country):
        yield phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)


def _normalised(number: str, options: CalendarOptions) -> str:
    try:
        return normalise(number, options.country)
    except InvalidPhoneNumber:
        raise Refused("ATTENDEE", "The attendee's tel: is no valid phone number.") from None


def _organizer(event: Any) -> str | None:
    organizer = event.get("ORGANIZER")
    return None if organizer is None else _clean(organizer.params.get("CN"), MAX_NAME)


def _text(event: Any, name: str) -> str | None:
    return _clean(event.get(name), MAX_TEXT)


def _clean(value: Any, limit: int) -> str | None:
    text = "" if value is None else str(value).strip()
    return text[:limit] if text and storable(text) else None
