"""Lines: their numbers, countries and trunks."""

from api.directory.bodies import LINE, TRUNK, errors_of


async def test_the_country_is_the_numbers_own_or_the_one_its_number_is_dialled_in(account, make):
    german = await make("lines", phone_number="+49 30 901820")
    assert (german["phone_number"], german["country"]) == ("+4930901820", "DE")
    british = await make("lines", phone_number="020 7946 0958", country="gb", trunk_ids=[1])
    assert (british["phone_number"], british["country"]) == ("+442079460958", "GB")
    assert british["trunk_ids"] == [1]


async def test_a_number_is_once_in_an_account(account, client):
    reply = await client.post("/api/v1/lines", json={"phone_number": "+1 855 256 2001"})
    assert errors_of(reply) == {"phone_number": ["The phone_number has already been taken."]}


async def test_trunks_stay_in_the_order_that_was_given(account, client, make):
    other = await make("trunks", **TRUNK)
    order = [other["id"], 1]
    reply = await client.patch("/api/v1/lines/1", json={"trunk_ids": order})
    assert reply.json()["trunk_ids"] == order
    await client.delete(f"/api/v1/trunks/{other['id']}")
    assert (await client.get("/api/v1/lines/1")).json()["trunk_ids"] == [1]
    listed = await client.get("/api/v1/lines", params={"trunk_id": other["id"]})
    assert listed.json()["data"] == []


async def test_values_that_cannot_be_are_refused_by_name(account, client):
    for fields, field in (
        ({"phone_number": "12345"}, "phone_number"),
        ({"phone_number": ""}, "phone_number"),
        ({"phone_number": "+80012345678"}, None),
        ({"country": "XX"}, "country"),
        ({"trunk_ids": [9]}, "trunk_ids"),
        ({"trunk_ids": [1, 1]}, "trunk_ids"),
        ({"trunk_ids": [-1]}, "trunk_ids.0"),
    ):
        reply = await client.post("/api/v1/lines", json=LINE | fields)
        assert list(errors_of(reply)) == [field or "country"]
