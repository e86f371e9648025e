"""Appointments and reminder plans over HTTP, and the reminders that are planned from them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from twoleg.reminders.planning import plan_waiting

BERLIN = ZoneInfo("Europe/Berlin")
PLAN = {
    "name": "The day before, and two hours before",
    "line_id": 1,
    "moments": [{"days_before": 1}, {"minutes_before": 120}],
    "text": "Hello {name}, see you {date} at {time}.",
    "is_default": True,
}


@pytest.fixture
def ask(client, account):
    """Send a request that must succeed; returns what the reply shows."""

    async def send(method, path, **fields):
        reply = await client.request(method, f"/api/v1{path}", json=fields)
        assert reply.status_code in (200, 201), reply.text
        return reply.json()

    return send


@pytest.fixture
def refused(client, account):
    """Send a request that must be refused; returns the errors by field."""

    async def send(method, path, **fields):
        reply = await client.request(method, f"/api/v1{path}", json=fields)
        assert reply.status_code == 422, reply.text
        return reply.json()["errors"]

    return send


def in_days(days, at="10:00"):
    """A wall time in Berlin, some days from today."""
    day = datetime.now(BERLIN).date() + timedelta(days=days)
    return f"{day.isoformat()}T{at}:00"


@pytest.fixture
def make(ask):
    async def make(**fields):
        fields = {
            "contact_id": 1234,
            "starts_at": in_days(5),
            "time_zone": "Europe/Berlin",
        } | fields
        return await ask("POST", "/appointments", **fields)

    return make


def due(appointment):
    """When each reminder is due on the clocks of Berlin; or why it is not."""
    return [
        each["reason"]
        if each["due_at"] is None
        else datetime.fromisoformat(each["due_at"]).astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M:%S")
        for each in sorted(appointment["reminders"], key=lambda each: each["moment"])
    ]


class TestAppointments:
    async def test_are_wall_times_in_a_zone(self, make):
        made = await make(starts_at="2030-06-10T10:00")
        assert made["starts_at"] == "2030-06-10T10:00:00"
        assert made["starts_at_utc"] == "2030-06-10T08:00:00.000Z"
        assert made["time_zone"] == "Europe/Berlin"
        assert made["status"] == "scheduled"

    async def test_a_time_with_an_offset_is_that_instant(self, make):
        made = await make(starts_at="2030-01-10T09:00:00Z")
        assert made["starts_at"] == "2030-01-10T10:00:00"

    async def test_an_instant_stays_it_where_the_clocks_show_it_twice(self, make, ask):
        made = await make(starts_at="2030-10-27T01:30:00Z", status="confirmed")
        assert (made["starts_at"], made["starts_at_utc"]) == (
            "2030-10-27T02:30:00",
            "2030-10-27T01:30:00.000Z",
        )
        edited = await ask("PATCH", f"/appointments/{made['id']}", notes="bring the card")
        assert (edited["status"], edited["starts_at_utc"]) == ("confirmed", made["starts_at_utc"])

    async def test_keep_their_wall_time_in_another_zone(self, make, ask):
        made = await make(starts_at="2030-06-10T10:00")
        moved = await ask("PATCH", f"/appointments/{made['id']}", time_zone="America/New_York")
        assert (moved["starts_at"], moved["starts_at_utc"]) == (
            "2030-06-10T10:00:00",
            "2030-06-10T14:00:00.000Z",
        )

    async def test_without_a_zone_have_the_accounts(self, ask):
        await ask("PATCH", "/account", time_zone="Asia/Tokyo")
        made = await ask("POST", "/appointments", contact_id=1234, starts_at="2030-01-10T09:00")
        assert made["starts_at_utc"] == "2030-01-10T00:00:00.000Z"

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"contact_id": 99}, "contact_id"),
            ({"reminder_plan_id": 99}, "reminder_plan_id"),
            ({"starts_at": "tomorrow"}, "starts_at"),
            ({"starts_at": "0001-01-01T00:00"}, "starts_at"),
            ({"time_zone": "Europe/Nowhere"}, "time_zone"),
            ({"status": "perhaps"}, "status"),
            ({"duration_minutes": -1}, "duration_minutes"),
            ({"place": "a\0b"}, "place"),
            ({"colour": "red"}, "colour"),
        ],
    )
    async def test_what_is_wrong_is_said_by_field(self, refused, fields, field):
        fields = {"contact_id": 1234, "starts_at": "2030-01-10T09:00"} | fields
        assert field in await refused("POST", "/appointments", **fields)

    async def test_an_external_id_is_one_appointments(self, make, refused, ask):
        made = await make(external_id="visit-1")
        errors = await refused(
            "POST", "/appointments", contact_id=1234, starts_at=in_days(3), external_id="visit-1"
        )
        assert errors == {"external_id": ["The external_id has already been taken."]}
        again = await ask("PATCH", f"/appointments/{made['id']}", external_id="visit-1")
        assert again["external_id"] == "visit-1"

    async def test_are_listed_by_contact_state_and_time(self, make, client):
        early, late = await make(starts_at=in_days(2)), await make(starts_at=in_days(9))

        async def listed(**query):
            future = {"starts_from": datetime.now(UTC).isoformat()}
            reply = await client.get("/api/v1/appointments", params=future | query)
            return [each["id"] for each in reply.json()["data"]]

        between = datetime.now(UTC) + timedelta(days=5)
        assert await listed() == [early["id"], late["id"]]
        assert await listed(starts_before=between.isoformat()) == [early["id"]]
        assert await listed(starts_from=between.isoformat()) == [late["id"]]
        assert await listed(status="confirmed") == []
        assert await listed(contact_id=1234, limit=1) == [early["id"]]


class TestReminders:
    async def test_are_planned_by_the_default_plan(self, ask, make):
        plan = await ask("POST", "/reminder-plans", **PLAN)
        made = await make()
        assert made["reminder_plan_id"] == plan["id"]
        assert due(made) == [in_days(4), in_days(5, "08:00")]

    async def test_move_with_the_appointment(self, ask, make):
        await ask("POST", "/reminder-plans", **PLAN)
        made = await make()
        moved = await ask("PATCH", f"/appointments/{made['id']}", starts_at=in_days(7, "15:30"))
        assert due(moved) == [in_days(6, "15:30"), in_days(7, "13:30")]

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            ("cancelled", "appointment_cancelled"),
            ("confirmed", "answered"),
            ("reschedule_requested", "answered"),
            ("opted_out", "opted_out"),
        ],
    )
    async def test_are_dropped_once_there_is_an_answer(self, ask, make, status, reason):
        await ask("POST", "/reminder-plans", **PLAN)
        made = await make()
        answered = await ask("PATCH", f"/appointments/{made['id']}", status=status)
        assert due(answered) == [reason, reason]
        again = await ask("PATCH", f"/appointments/{made['id']}", status="scheduled")
        assert due(again) == due(made)

    async def test_an_answered_appointment_that_moves_is_reminded_of_anew(self, ask, make):
        await ask("POST", "/reminder-plans", **PLAN)
        made = await make(status="confirmed")
        moved = await ask("PATCH", f"/appointments/{made['id']}", starts_at=in_days(6))
        assert moved["status"] == "scheduled"
        assert due(moved) == [in_days(5), in_days(6, "08:00")]

    async def test_of_an_appointment_made_too_late_is_none(self, ask, make):
        await ask("POST", "/reminder-plans", **PLAN | {"moments": [{"days_before": 20}]})
        assert due(await make()) == ["made_too_late"]

    async def test_change_with_their_plan(self, ask, make, database):
        plan = await ask("POST", "/reminder-plans", **PLAN)
        made = await make()
        moments = [{"days_before": 2, "at": "18:00"}]
        await ask("PATCH", f"/reminder-plans/{plan['id']}", moments=moments)
        async with database.connection() as connection:
            assert await plan_waiting(connection) == 1
            assert await plan_waiting(connection) == 0
        changed = await ask("GET", f"/appointments/{made['id']}")
        assert due(changed) == [in_days(3, "18:00"), "plan_changed"]

    async def test_change_with_the_zone_and_the_consent_of_the_contact(self, ask, make, database):
        await ask("POST", "/reminder-plans", **PLAN)
        quiet = {"start": "21:00", "end": "08:00"}
        await ask("PATCH", "/account", quiet_hours=quiet)
        await ask("PATCH", "/contacts/1234", time_zone="Europe/Berlin")
        made = await make()
        await ask("PATCH", "/contacts/1234", time_zone="America/New_York")
        async with database.connection() as connection:
            await plan_waiting(connection)
        # 04:00 and 02:00 in New York are night there.
        new_york = ZoneInfo("America/New_York")
        hours = {
            datetime.fromisoformat(each["due_at"]).astimezone(new_york).strftime("%H:%M")
            for each in (await ask("GET", f"/appointments/{made['id']}"))["reminders"]
        }
        assert hours <= {"08:00", "20:59"}
        await ask("PATCH", "/contacts/1234", opted_out=True)
        async with database.connection() as connection:
            await plan_waiting(connection)
        assert due(await ask("GET", f"/appointments/{made['id']}")) == ["opted_out", "opted_out"]

    async def test_are_gone_with_their_appointment(self, ask, make, client, execute):
        await ask("POST", "/reminder-plans", **PLAN)
        made = await make()
        assert (await client.delete(f"/api/v1/appointments/{made['id']}")).status_code == 204
        states = await execute("SELECT DISTINCT state FROM reminders")
        assert [tuple(row) for row in states] == [("dropped",)]


class TestPlans:
    async def test_one_is_the_default(self, ask, client):
        first = await ask("POST", "/reminder-plans", **PLAN)
        await ask("POST", "/reminder-plans", **PLAN)
        assert not (await ask("GET", f"/reminder-plans/{first['id']}"))["is_default"]

    async def test_leave_people_alone_as_the_rules_of_the_united_states_do_unless_told(self, ask):
        made = await ask("POST", "/reminder-plans", **PLAN)
        assert made["quiet_hours"] == {"start": "21:00", "end": "08:00"}
        assert (made["max_calls_per_day"], made["max_calls_per_30_days"]) == (3, 10)
        never = {"start": "00:00", "end": "00:00"}
        for wanted in (never, None):
            told = await ask("POST", "/reminder-plans", **PLAN | {"quiet_hours": wanted})
            assert told["quiet_hours"] == wanted
        await ask("PATCH", "/account", quiet_hours={"start": "20:00", "end": "09:00"})
        assert (await ask("POST", "/reminder-plans", **PLAN))["quiet_hours"] is None

    @pytest.mark.parametrize("language", ["de", "pt-BR", "fr_CA", None])
    async def test_speak_the_languages_of_the_product(self, ask, language):
        assert (await ask("POST", "/reminder-plans", **PLAN, language=language))[
            "language"
        ] == language

    async def test_hours_that_end_when_they_begin_are_none(self, ask, make):
        never = {"start": "00:00", "end": "00:00"}
        plan = PLAN | {"moments": [{"minutes_before": 120}], "quiet_hours": never}
        await ask("POST", "/reminder-plans", **plan)
        assert due(await make(starts_at=in_days(5, "05:00"))) == [in_days(5, "03:00")]

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"moments": []}, "moments"),
            ({"moments": [{}]}, "moments.0"),
            ({"moments": [{"at": "18:00", "minutes_before": 5}]}, "moments.0"),
            ({"moments": [{"at": "25:00"}]}, "moments.0.at"),
            ({"line_id": 99}, "line_id"),
            ({"ring_group_id": 99}, "ring_group_id"),
            ({"text": None}, "text"),
            ({"voicemail": "message"}, "voicemail_text"),
            ({"weekdays": [8]}, "weekdays.0"),
            ({"max_attempts": 0}, "max_attempts"),
            ({"ring_seconds": 4}, "ring_seconds"),
            ({"language": "pl"}, "language"),
            ({"text": "Hello {who}."}, "text"),
            ({"voicemail_text": "Hello {name"}, "voicemail_text"),
        ],
    )
    async def test_what_is_wrong_is_said_by_field(self, refused, fields, field):
        assert field in await refused("POST", "/reminder-plans", **PLAN | fields)
