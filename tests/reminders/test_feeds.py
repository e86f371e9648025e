"""Calendar feeds: read again and again, with what moved, was cancelled, vanished and came back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from reminders.calendar_server import CalendarServer

from twoleg.calls.background import background
from twoleg.directory.errors import Invalid
from twoleg.events.addresses import AddressPolicy
from twoleg.reminders.feeds import change_feed, create_feed, delete_feed, find_feed, queries
from twoleg.reminders.feeds.fetching import Fetcher
from twoleg.reminders.feeds.polling import poll_due
from twoleg.reminders.serving import serve_reminders

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


def event(uid, hours=0, *lines, phone="+18181270001"):
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTART:{TOMORROW + timedelta(hours=hours):%Y%m%dT%H%M%SZ}",
        *([f"ATTENDEE;CN=Eva:tel:{phone}"] if phone else []),
        *lines,
        "END:VEVENT",
    ]


class Feed:
    """A feed of the practice's, and the server that it is polled from."""

    def __init__(self, practice, server, fetcher, feed_id):
        self.practice = practice
        self.server = server
        self.id = feed_id
        self._fetcher = fetcher

    def has(self, *events):
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *(line for each in events for line in each)]
        self.server.body = "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()

    async def poll(self, *events):
        """Let the time come, with the calendar that has `events`; return the feed after that."""
        if events:
            self.has(*events)
        await self.practice.execute("UPDATE appointment_feeds SET next_poll_at = now()")
        async with await self.practice.database.connect() as connection:
            assert await poll_due(connection, self._fetcher) == 1
            assert await poll_due(connection, self._fetcher) == 0
        return await self.read()

    async def read(self):
        async with self.practice.database.connection() as connection:
            return await find_feed(connection, self.practice.account_id, self.id)

    async def change(self, **fields):
        async with self.practice.database.connection() as connection:
            await change_feed(connection, self.practice.account_id, self.id, fields)

    async def booked(self):
        """{UID: (hours after TOMORROW, status)} of its appointments."""
        rows = await self.practice.execute(
            "SELECT external_id, starts_at, status FROM appointments WHERE deleted_at IS NULL"
        )
        return {
            uid: ((starts_at - TOMORROW) / timedelta(hours=1), status)
            for uid, starts_at, status in rows
        }


@pytest.fixture
async def feed(practice):
    await practice.plan()
    async with (
        CalendarServer.open() as server,
        Fetcher.open(AddressPolicy(allow_private=True)) as fetcher,
    ):
        fields = {"name": "Dr. Gray", "url": server.url(), "time_zone": "UTC"}
        async with practice.database.connection() as connection:
            made = await create_feed(connection, practice.account_id, fields)
        yield Feed(practice, server, fetcher, made.id)


async def test_a_feed_that_was_made_is_polled_and_says_so(feed):
    feed.has(event("a"), event("b", 2))
    before = await feed.read()
    assert (before.state, before.polled_at) == ("unknown", None)
    after = await feed.poll()
    assert (after.state, after.state_detail, after.events) == ("ok", None, 2)
    assert after.next_poll_at - after.polled_at == pytest.approx(
        timedelta(minutes=15), abs=timedelta(minutes=1)
    )
    assert await feed.booked() == {"a": (0, "scheduled"), "b": (2, "scheduled")}


async def test_the_worker_polls_without_being_asked(feed):
    feed.has(event("a"))
    async with background(serve_reminders(feed.practice.database, AddressPolicy(True))):
        while (await feed.read()).state == "unknown":
            pass  # each look is a round trip to the database
    assert await feed.booked() == {"a": (0, "scheduled")}


async def test_the_same_calendar_twice_makes_nothing_twice(feed):
    for _ in range(2):
        await feed.poll(event("a"), event("b", 2))
    assert len(await feed.booked()) == 2


async def test_what_moved_or_was_cancelled_in_the_calendar_does_so_here(feed):
    await feed.poll(event("a"), event("b", 2))
    await feed.poll(event("a", 5), event("b", 2, "STATUS:CANCELLED"))
    assert await feed.booked() == {"a": (5, "scheduled"), "b": (2, "cancelled")}


async def test_what_is_gone_twice_is_cancelled_and_comes_back_with_the_calendar(feed):
    both = event("a"), event("b", 2)
    await feed.poll(*both)
    await feed.poll(event("a"))
    assert (await feed.booked())["b"] == (2, "scheduled")
    await feed.poll(event("a"))
    assert (await feed.booked())["b"] == (2, "cancelled")
    await feed.poll(*both)
    assert await feed.booked() == {"a": (0, "scheduled"), "b": (2, "scheduled")}


async def test_what_was_gone_once_counts_anew_from_then_on(feed):
    both = event("a"), event("b", 2)
    for calendar in (both, both[:1], both, both[:1]):
        await feed.poll(*calendar)
    assert (await feed.booked())["b"] == (2, "scheduled")


async def test_what_a_contact_cancelled_is_not_revived_by_the_calendar(feed):
    await feed.poll(event("a"))
    await feed.practice.execute("UPDATE appointments SET status = 'cancelled'")
    await feed.poll(event("a"))
    assert await feed.booked() == {"a": (0, "cancelled")}


async def test_an_event_that_cannot_be_read_any_more_is_told_of_and_not_taken_for_gone(feed):
    await feed.poll(event("a"), event("b", 2))
    for _ in range(2):
        after = await feed.poll(event("a", phone=None), event("b", 2))
    assert (after.state, after.events, after.events_refused) == ("ok", 2, 1)
    assert after.state_detail.startswith("1 events were refused. The first, 'a': ATTENDEE: ")
    assert (await feed.booked())["a"] == (0, "scheduled")


async def test_what_is_past_is_left_as_it_was(feed):
    await feed.poll(event("a"), event("b", 2))
    await feed.practice.execute(
        "UPDATE appointments SET starts_at = now() - interval '1 hour' WHERE external_id = 'a'"
    )
    for _ in range(2):
        await feed.poll(event("b", 2))
    assert (await feed.booked())["a"][1] == "scheduled"


async def test_a_feed_that_fails_says_why_and_keeps_its_appointments(feed):
    await feed.poll(event("a"))
    feed.server.status = 500
    for _ in range(2):
        after = await feed.poll()
    assert (after.state, after.state_detail) == ("failed", "The server answers 500.")
    feed.server.status, feed.server.body = 200, b"<html>Please log in</html>"
    after = await feed.poll()
    assert after.state == "failed"
    assert "iCalendar" in after.state_detail
    assert await feed.booked() == {"a": (0, "scheduled")}


async def test_a_calendar_that_has_not_changed_is_read_again_once_a_day(feed):
    feed.server.headers = {"ETag": '"1"'}
    await feed.poll(event("a"))
    feed.server.status = 304
    after = await feed.poll()
    assert (after.state, after.events) == ("ok", 1)
    assert after.polled_at > after.read_at
    await feed.practice.execute("UPDATE appointment_feeds SET read_at = now() - interval '25 h'")
    await feed.poll()
    asked = [each.get("if-none-match") for each in feed.server.asked]
    assert asked == [None, '"1"', None]


async def test_another_url_is_read_from_its_start(feed):
    feed.server.headers = {"ETag": '"1"'}
    await feed.poll(event("a"))
    await feed.change(url=feed.server.url("/other.ics"))
    assert (await feed.read()).state == "unknown"
    await feed.poll(event("a"))
    assert [each.get("if-none-match") for each in feed.server.asked] == [None, None]


async def test_appointments_to_come_follow_the_feed_to_another_plan(feed):
    await feed.poll(event("a"))
    other = await feed.practice.plan(name="Another", is_default=False)
    await feed.change(reminder_plan_id=other.id)
    [(plan_id, to_be_planned)] = await feed.practice.execute(
        "SELECT reminder_plan_id, to_be_planned FROM appointments"
    )
    assert (plan_id, to_be_planned) == (other.id, True)


async def test_a_feed_that_is_switched_off_or_deleted_is_not_polled(feed):
    await feed.change(active=False)
    async with await feed.practice.database.connect() as connection:
        assert await poll_due(connection, feed._fetcher) == 0
    await feed.change(active=True)
    await feed.poll(event("a"))
    async with feed.practice.database.connection() as connection:
        await delete_feed(connection, feed.practice.account_id, feed.id, with_appointments=False)
    await feed.practice.execute("UPDATE appointment_feeds SET next_poll_at = now()")
    async with await feed.practice.database.connect() as connection:
        assert await poll_due(connection, feed._fetcher) == 0
    assert await feed.booked() == {"a": (0, "scheduled")}


async def test_appointments_to_come_go_with_their_feed_if_that_is_wanted(feed):
    await feed.poll(event("a"))
    async with feed.practice.database.connection() as connection:
        await delete_feed(connection, feed.practice.account_id, feed.id, with_appointments=True)
    assert await feed.booked() == {}


async def test_an_account_has_so_many_feeds_at_most(feed, monkeypatch):
    monkeypatch.setattr(queries, "MAX_FEEDS", 1)
    fields = {"name": "One too many", "url": "https://calendar.example.com/", "time_zone": "UTC"}
    with pytest.raises(Invalid, match="1 feeds at most"):
        async with feed.practice.database.connection() as connection:
            await create_feed(connection, feed.practice.account_id, fields)
