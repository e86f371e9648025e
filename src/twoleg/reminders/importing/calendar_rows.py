"""Appointments from iCalendar files and feeds (RFC 5545), recurrences unrolled."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers
import recurring_ical_events
from icalendar import Calendar, vRecur

from twoleg.directory.importing.rows import MAX_NAME, MAX_TEXT, CannotRead, Refused, RefusedRow
from twoleg.directory.json_objects import storable
from twoleg.directory.phone_numbers import InvalidPhoneNumber, normalise
from twoleg.directory.wall_clock import wall_and_instant, zone_of
from twoleg.reminders.importing.rows import MAX_EXTERNAL_ID, ImportedAppointment

HORIZON: Final = timedelta(days=120)
"""How far ahead recurrences are unrolled: farther than any reminder is wanted."""

MAX_EVENTS: Final = 100_000

UNROLL_SECONDS: Final = 60.0
"""A rule that never comes true is followed to the year 9999: few such lines take hours."""

TOO_OFTEN: Final = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})
"""No appointment is; a line of a calendar could stand for millions of events."""

MOST_TIMES_A_DAY: Final = 24
"""A rule may name more hours, minutes and seconds of a day than anybody has visitors."""

_TIMES_OF_A_DAY: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")
_SAY_WHEN: Final = frozenset(
    {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
)
"""Properties without which an event cannot be placed in time."""

_NOT_UNROLLED: Final = "The series cannot be unrolled."


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
    calendar = _parsed(data)
    unreadable = _take_out_unreadable(calendar)
    series = _Series.of(calendar)
    number = 0
    for number, occurrence in enumerate(_occurrences(calendar, now, unreadable), start=1):
        event = occurrence.as_component(keep_recurrence_attributes=False)
        try:
            yield _appointment(number, event, series, options)
        except Refused as refused:
            yield _refused_row(number, _uid(event), refused)
    for behind, (uid, why) in enumerate(unreadable.items(), start=1):
        yield _refused_row(number + behind, uid, why)


@dataclass(frozen=True, slots=True)
class _Series:
    """Which events of a calendar are series, and by how much the rest of some has moved."""

    uids: frozenset[str]
    moved: Mapping[tuple[str, datetime], timedelta]
    """By UID and place of the first that moved (RFC 5545 3.2.13)."""

    @classmethod
    def of(cls, calendar: Any) -> _Series:
        uids, moved = set(), {}
        for event in calendar.walk("VEVENT"):
            if any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID")):
                uids.add(_uid(event))
            place = event.get("RECURRENCE-ID")
            if _moves_the_rest(place) and isinstance(event.start, datetime):
                moved[_uid(event), place.dt] = event.start - place.dt
        return cls(frozenset(uids), moved)

    def place_of(self, event: Any, start: datetime) -> datetime | None:
        """Return where in its series an event was at first; None: it is of none."""
        uid, place = _uid(event), event.get("RECURRENCE-ID")
        if uid not in self.uids or place is None:
            return None
        if _moves_the_rest(place):
            return start - self.moved.get((uid, place.dt), timedelta())
        return place.dt if isinstance(place.dt, datetime) else start


def _moves_the_rest(place: Any) -> bool:
    return place is not None and str(place.params.get("RANGE", "")).upper() == "THISANDFUTURE"


def _parsed(data: bytes) -> Any:
    """Return the calendar. Raises CannotRead."""
    try:
        calendar = Calendar.from_ical(data)
    # The parser raises whatever a broken line leads it to.
    except Exception as error:
        raise CannotRead(f"The file is no iCalendar: {_in_words(error)}.") from error
    for event in calendar.walk("VEVENT"):
        if any(_is_too_often(rule) for rule in _rules(event)):
            uid = _uid(event)[:MAX_EXTERNAL_ID]
            raise CannotRead(f"The event {uid!r} is repeated by the hour or more often.")
    return calendar


def _rules(event: Any) -> list[vRecur]:
    rules = event.get("RRULE", [])
    every = rules if isinstance(rules, list) else [rules]
    return [rule for rule in every if isinstance(rule, vRecur)]


def _is_too_often(rule: vRecur) -> bool:
    times = math.prod(max(1, len(rule.get(name, []))) for name in _TIMES_OF_A_DAY)
    frequencies = {str(each).upper() for each in rule.get("FREQ", [])}
    return bool(frequencies & TOO_OFTEN) or times > MOST_TIMES_A_DAY


def _take_out_unreadable(calendar: Any) -> dict[str, Refused]:
    """Take the events out of a calendar that would keep it from being read; return why, by UID."""
    unreadable: dict[str, Refused] = {}
    for event in calendar.walk("VEVENT"):
        broken = [(name, text) for name, text in event.errors if name in _SAY_WHEN]
        if not broken and "DTSTART" not in event:
            broken = [("DTSTART", "The event has no start")]
        if broken:
            name, text = broken[0]
            unreadable[_uid(event)] = Refused(name, f"{_in_words(text)}.")
    calendar.subcomponents = [
        each
        for each in calendar.subcomponents
        if each.name != "VEVENT" or _uid(each) not in unreadable
    ]
    return unreadable


def _occurrences(calendar: Any, now: datetime, unreadable: dict[str, Refused]) -> list[Any]:
    """Return what happens within reach; of series that cannot be unrolled `unreadable` is told.

    Raises CannotRead for a calendar with more than `MAX_EVENTS`, or with series that take too long.
    """
    give_up = time.monotonic() + UNROLL_SECONDS
    uids = {_uid(event) for event in calendar.walk("VEVENT")}
    try:
        every = recurring_ical_events.of(calendar, skip_bad_series=True).series
    except Exception as error:
        raise CannotRead(f"The file is no iCalendar: {_in_words(error)}.") from error
    for uid in uids - {str(series.uid).strip() for series in every} - {""}:
        unreadable[uid] = Refused("RRULE", _NOT_UNROLLED)
    found: list[Any] = []
    for series in every:
        room = MAX_EVENTS + 1 - len(found)
        try:
            found += list(islice(series.between(now, now + HORIZON), room))
        # Rules that contradict each other raise whatever they lead the library to.
        except Exception as error:  # noqa: BLE001
            unreadable[str(series.uid).strip()] = Refused("RRULE", f"{_in_words(error)}.")
        if len(found) > MAX_EVENTS:
            raise CannotRead(f"The calendar has more than {MAX_EVENTS} events.")
        if time.monotonic() > give_up:
            raise CannotRead(f"The calendar's series take more than {UNROLL_SECONDS:g} s.")
    return found


def _refused_row(number: int, uid: str, refused: Refused) -> RefusedRow:
    values = {"uid": uid[:MAX_EXTERNAL_ID]}
    return RefusedRow(row=number, column=refused.column, message=refused.message, values=values)


def _uid(event: Any) -> str:
    return str(event.get("UID", "")).strip()


def _in_words(error: object) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return (text or type(error).__name__)[:200]


def _appointment(
    number: int, event: Any, series: _Series, options: CalendarOptions
) -> ImportedAppointment:
    start = event.start
    if not isinstance(start, datetime):
        raise Refused("DTSTART", "The event is for a whole day: a reminder needs a time.")
    zone, wall, starts_at = _wall(start, options)
    phone_number, name = _contact(event, options)
    return ImportedAppointment(
        row=number,
        phone_number=phone_number,
        name=name,
        wall_starts_at=wall,
        time_zone=zone.key,
        starts_at=starts_at,
        duration_minutes=_minutes(event, start),
        place=_text(event, "LOCATION"),
        staff=_organizer(event),
        notes=_text(event, "SUMMARY"),
        external_id=_identity(event, start, series),
        cancelled=str(event.get("STATUS", "")).upper() == "CANCELLED",
    )


def _wall(start: datetime, options: CalendarOptions) -> tuple[ZoneInfo, datetime, datetime]:
    """Return zone, wall time and instant.

    A time in UTC (RFC 5545 3.3.5) names no zone, and one that the calendar made up has no name:
    both are read on the calendar's own clocks.
    """
    zone = start.tzinfo
    if isinstance(zone, ZoneInfo) and zone.key != "UTC":
        return zone, *wall_and_instant(start.replace(tzinfo=None), zone)
    own = zone_of(options.time_zone)
    return own, *wall_and_instant(start, own)


def _minutes(event: Any, start: datetime) -> int | None:
    try:
        return max(0, round((event.end - start) / timedelta(minutes=1))) or None
    # An end of another kind than the start, or before it.
    except (TypeError, ValueError):
        return None


def _identity(event: Any, start: datetime, series: _Series) -> str:
    uid = _uid(event)
    if not uid or not storable(uid):
        raise Refused("UID", "The event has no UID to know it by.")
    at = series.place_of(event, start)
    if at is not None:
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
