"""Calendar feeds over HTTP."""

import pytest

PATH = "/api/v1/appointment-feeds"
FEED = {"name": "Dr. Gray", "url": "https://calendar.example.com/basic.ics"}


@pytest.fixture
async def make(client, account):
    async def post(**fields):
        reply = await client.post(PATH, json=FEED | fields)
        assert reply.status_code == 201, reply.text
        return reply.json()

    return post


async def test_a_feed_takes_the_accounts_zone_and_default_plan(make, client, execute):
    await execute("UPDATE accounts SET time_zone = 'Europe/Berlin'")
    await execute("UPDATE reminder_plans SET is_default = true")
    made = await make()
    assert (made["time_zone"], made["reminder_plan_id"]) == ("Europe/Berlin", 1)
    assert (made["state"], made["poll_minutes"], made["active"]) == ("unknown", 15, True)
    assert (await client.get(f"{PATH}/{made['id']}")).json() == made


async def test_webcal_is_read_as_https(make):
    made = await make(url="webcal://calendar.example.com/basic.ics")
    assert made["url"] == "https://calendar.example.com/basic.ics"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"url": "http://calendar.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "https://me:secret@calendar.example.com/"}, "url"),
        ({"poll_minutes": 1}, "poll_minutes"),
        ({"time_zone": "Moon/Base"}, "time_zone"),
        ({"country": "XX"}, "country"),
        ({"reminder_plan_id": 999}, "reminder_plan_id"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_what_is_wrong_is_named(client, account, fields, name):
    reply = await client.post(PATH, json=FEED | fields)
    assert reply.status_code == 422
    assert list(reply.json()["errors"]) == [name]


async def test_a_feed_is_changed_polled_and_deleted(make, client, execute):
    made = await make()
    url = f"{PATH}/{made['id']}"
    await execute("UPDATE appointment_feeds SET next_poll_at = now() + interval '1 hour'")
    changed = await client.patch(url, json={"active": False, "poll_minutes": 60})
    assert (changed.json()["active"], changed.json()["poll_minutes"]) == (False, 60)
    await execute("UPDATE appointment_feeds SET next_poll_at = now() + interval '1 hour'")
    assert (await client.post(f"{url}/poll")).status_code == 202
    [(soon,)] = await execute("SELECT next_poll_at <= now() FROM appointment_feeds")
    assert soon
    assert (await client.delete(url)).status_code == 204
    assert (await client.get(url)).status_code == 404
