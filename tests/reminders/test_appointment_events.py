"""What becomes of an appointment is in the log that calls' events are in, and sent as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from events.receiver import ANYWHERE, receiving
from psycopg import Rollback

from twoleg.calls.outcomes import Outcome
from twoleg.events import webhooks
from twoleg.events.delivery import delivering
from twoleg.events.log import events_between
from twoleg.reminders.answers import STATUS_AFTER, Answer
from twoleg.reminders.appointments import AppointmentStatus, change_appointment, delete_appointment
from twoleg.reminders.importing.rows import ImportedAppointment
from twoleg.reminders.importing.storing import store_rows


@pytest.fixture
def happened(practice):
    """What the log has of appointments, by rising id."""

    async def happened():
        async with practice.database.connection() as connection:
            events = await events_between(connection, 0, 10**9)
        return [event for event in events if event.appointment_id is not None]

    return happened


@pytest.fixture
def change(practice):
    async def change(appointment, **fields):
        async with practice.database.connection() as connection:
            return await change_appointment(connection, practice.account_id, appointment.id, fields)

    return change


async def called(practice, **fields):
    """Make an appointment, and have its contact called; returns it, and the call's id."""
    visit = await practice.appointment(**fields)
    await practice.make_due(visit)
    await practice.tick()
    [(call_id,)] = await practice.execute(
        "SELECT id FROM calls WHERE contact_id = %s AND ended_at IS NULL", visit.contact_id
    )
    return visit, call_id


def types(events):
    return [event.type.removeprefix("appointment.") for event in events]


async def test_an_appointment_that_is_made_is_the_first_event_of_it(practice, happened) -> None:
    visit = await practice.appointment(staff="Dr. Gray", external_id="visit-1")
    [event] = await happened()
    assert (event.account_id, event.call_id, event.appointment_id) == (
        practice.account_id,
        None,
        visit.id,
    )
    assert (event.type, event.sequence) == ("appointment.created", 1)
    assert event.data["before"] is None
    shown = event.data["appointment"]
    assert shown["id"] == visit.id
    assert (shown["status"], shown["staff"], shown["external_id"]) == (
        "scheduled",
        "Dr. Gray",
        "visit-1",
    )
    assert datetime.fromisoformat(shown["starts_at_utc"]) == visit.starts_at.replace(
        microsecond=visit.starts_at.microsecond // 1000 * 1000
    )


@pytest.mark.parametrize("answer", Answer)
async def test_an_answer_is_an_event_that_names_the_call(practice, happened, answer) -> None:
    await practice.plan()
    visit, call_id = await called(practice)
    await practice.answer(call_id, answer)
    status = STATUS_AFTER[answer]
    created, event = await happened()
    assert (event.type, event.sequence) == (f"appointment.{status}", created.sequence + 1)
    assert event.data["call_id"] == call_id
    assert event.data["before"]["status"] == "scheduled"
    assert event.data["appointment"]["status"] == status
    assert (await practice.read(visit)).status_call_id == call_id


async def test_an_answer_after_the_message_was_heard_is_a_second_event(practice, happened) -> None:
    await practice.plan()
    _, call_id = await called(practice)
    for answer in (Answer.HEARD, Answer.CONFIRMED, Answer.CONFIRMED, Answer.HEARD):
        await practice.answer(call_id, answer)
    events = await happened()
    assert types(events) == ["created", "reminded", "confirmed"]
    assert [event.sequence for event in events] == [1, 2, 3]


async def test_who_was_never_reached_is_told_of_with_the_last_call(practice, happened) -> None:
    await practice.plan(max_attempts=1)
    _, call_id = await called(practice)
    await practice.end(call_id, Outcome.CONTACT_NO_ANSWER)
    await practice.tick()
    _, event = await happened()
    assert (event.type, event.data["call_id"]) == ("appointment.unreachable", call_id)


async def test_what_is_changed_by_hand_has_no_call(practice, happened, change) -> None:
    await practice.plan()
    visit, call_id = await called(practice)
    await practice.answer(call_id, Answer.CONFIRMED)
    await change(visit, status=AppointmentStatus.CANCELLED)
    event = (await happened())[-1]
    assert (event.type, event.data["call_id"]) == ("appointment.cancelled", None)
    assert (await practice.read(visit)).status_call_id is None


async def test_an_appointment_that_is_moved_is_one_event_with_the_time_before(
    practice, happened, change
) -> None:
    visit = await practice.appointment(status="confirmed")
    later = visit.starts_at + timedelta(days=1)
    await change(visit, wall_starts_at=later)
    event = (await happened())[-1]
    assert (event.type, event.sequence) == ("appointment.moved", 2)
    assert event.data["appointment"]["status"] == "scheduled"
    assert event.data["before"]["status"] == "confirmed"
    before = datetime.fromisoformat(event.data["before"]["starts_at_utc"])
    assert datetime.fromisoformat(event.data["appointment"]["starts_at_utc"]) - before == (
        timedelta(days=1)
    )


async def test_one_that_is_moved_and_confirmed_at_once_is_both(practice, happened, change) -> None:
    visit = await practice.appointment()
    await change(visit, wall_starts_at=visit.starts_at + timedelta(days=1), status="confirmed")
    events = await happened()
    assert types(events) == ["created", "moved", "confirmed"]
    assert [event.sequence for event in events] == [1, 2, 3]


async def test_what_changes_neither_time_nor_status_is_no_event(practice, happened, change) -> None:
    visit = await practice.appointment()
    await change(visit, staff="Dr. Gray", notes="bring the card", status="scheduled")
    assert types(await happened()) == ["created"]


async def test_one_that_is_deleted_is_told_of(practice, happened) -> None:
    visit = await practice.appointment()
    async with practice.database.connection() as connection:
        await delete_appointment(connection, practice.account_id, visit.id)
    assert types(await happened()) == ["created", "deleted"]


async def test_a_change_that_is_rolled_back_never_happened(practice, happened) -> None:
    visit = await practice.appointment()
    async with await practice.database.connect() as connection, connection.transaction():
        await change_appointment(
            connection, practice.account_id, visit.id, {"status": AppointmentStatus.CANCELLED}
        )
        raise Rollback
    assert types(await happened()) == ["created"]


async def test_a_file_tells_of_what_it_makes_moves_and_cancels_and_of_nothing_else(
    practice, happened
) -> None:
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)

    def row(number, *, hours=0, cancelled=False):
        at = starts + timedelta(hours=hours)
        return ImportedAppointment(
            row=number,
            name=None,
            phone_number=f"+1818127{2000 + number}",
            wall_starts_at=at.replace(tzinfo=None),
            time_zone="UTC",
            starts_at=at,
            external_id=f"visit-{number}",
            cancelled=cancelled,
        )

    for rows in (
        [row(1), row(2), row(3)],
        [row(1), row(2, hours=1), row(3, cancelled=True)],
    ):
        async with practice.database.connection() as connection:
            await store_rows(connection, practice.account_id, rows, plan_id=None)
    told = [(event.data["appointment"]["external_id"], event.type) for event in await happened()]
    assert told == [
        ("visit-1", "appointment.created"),
        ("visit-2", "appointment.created"),
        ("visit-3", "appointment.created"),
        ("visit-2", "appointment.moved"),
        ("visit-3", "appointment.cancelled"),
    ]


async def test_webhooks_get_the_types_they_ask_for_with_the_appointment_as_it_was(
    practice, change
) -> None:
    await practice.plan()
    async with receiving() as receiver, delivering(practice.database, ANYWHERE):
        async with practice.database.connection() as connection:
            _, secret = await webhooks.create_webhook(
                connection,
                practice.account_id,
                url=receiver.url,
                events=["appointment.reminded", "appointment.confirmed"],
                active=True,
            )
        visit, call_id = await called(practice)
        await practice.answer(call_id, Answer.HEARD)
        await practice.answer(call_id, Answer.CONFIRMED)
        await change(visit, status="cancelled")
        reminded, confirmed = await receiver.until(2)
    confirmed.verify(secret)
    assert [each.json["type"] for each in (reminded, confirmed)] == [
        "appointment.reminded",
        "appointment.confirmed",
    ]
    data = confirmed.json["data"]
    event_id = int(confirmed.id.removeprefix("evt_"))
    assert data["event"] == {
        "id": event_id,
        "call_id": call_id,
        "before": {"status": "reminded", "starts_at_utc": data["starts_at_utc"]},
    }
    assert (data["id"], data["status"], data["sequence"]) == (visit.id, "confirmed", 3)
    assert data["contact_id"] == visit.contact_id
    assert confirmed.json["timestamp"].endswith("Z")


async def test_the_events_of_an_appointment_come_in_their_order(practice, change) -> None:
    async with receiving() as receiver:
        async with practice.database.connection() as connection:
            await webhooks.create_webhook(
                connection, practice.account_id, url=receiver.url, events=(), active=True
            )
        visits = [await practice.appointment() for _ in range(3)]
        for status in ("confirmed", "scheduled", "cancelled", "scheduled"):
            for visit in visits:
                await change(visit, status=status)
        async with delivering(practice.database, ANYWHERE):
            received = await receiver.until(15)
    for visit in visits:
        of_it = [each.json["data"] for each in received if each.json["data"]["id"] == visit.id]
        assert [data["sequence"] for data in of_it] == [1, 2, 3, 4, 5]
