"""The account's own settings."""

from api.directory.bodies import errors_of


async def test_settings_are_read_and_changed_one_by_one(account, client):
    assert (await client.get("/api/v1/account")).json()["max_calls"] == 100
    change = {
        "max_calls": 7,
        "allowed_countries": ["us", "CA"],
        "quiet_hours": {"start": "21:00", "end": "08:00"},
        "time_zone": "America/Los_Angeles",
        "wrap_up_seconds": 15,
    }
    changed = (await client.patch("/api/v1/account", json=change)).json()
    assert changed["allowed_countries"] == ["US", "CA"]
    assert changed["quiet_hours"] == change["quiet_hours"]
    assert changed["calls_per_second"] == 50
    assert changed["wrap_up_seconds"] == 15
    nulls = {"quiet_hours": None, "allowed_countries": None}
    cleared = (await client.patch("/api/v1/account", json=nulls)).json()
    assert (cleared["quiet_hours"], cleared["allowed_countries"]) == (None, None)
    assert cleared["max_calls"] == 7


async def test_values_that_cannot_be_are_refused_by_name(account, client):
    for fields, field in (
        ({"max_calls": -1}, "max_calls"),
        ({"max_calls": None}, "max_calls"),
        ({"screening": "sometimes"}, "screening"),
        ({"recording": True}, "recording"),
        ({"wrap_up_seconds": 3601}, "wrap_up_seconds"),
        ({"quiet_hours": {"start": "25:00", "end": "08:00"}}, "quiet_hours.start"),
        ({"quiet_hours": {"start": "21:00"}}, "quiet_hours.end"),
        ({"allowed_countries": ["Utopia"]}, "allowed_countries.0"),
        ({"time_zone": "Nowhere"}, "time_zone"),
        ({"id": 2}, "id"),
    ):
        assert list(errors_of(await client.patch("/api/v1/account", json=fields))) == [field], (
            fields
        )
