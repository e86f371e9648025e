"""Contacts: their numbers and attributes."""

from api.directory.bodies import CONTACT, errors_of


async def test_numbers_are_kept_as_e164_the_main_one_first(account, make):
    made = await make(
        "contacts", phone_number="+1 818 127 6543", phone_numbers=["+44 20 7946 0958"]
    )
    assert made["phone_number"] == "+18181276543"
    assert made["phone_numbers"] == ["+18181276543", "+442079460958"]


async def test_the_first_number_is_the_main_one_where_none_is_named(account, make):
    made = await make("contacts", phone_numbers=["+442079460958", "+18181276543"])
    assert made["phone_number"] == "+442079460958"


async def test_a_contact_without_a_number_is_refused(account, client):
    reply = await client.post("/api/v1/contacts", json={"name": "C"})
    assert errors_of(reply) == {"phone_number": ["The phone_number field is required."]}


async def test_numbers_are_replaced_as_a_whole_and_a_main_one_is_added(account, client):
    where = f"/api/v1/contacts/{account.contact_id}"
    added = await client.patch(where, json={"phone_number": "+18181276599"})
    assert added.json()["phone_numbers"] == ["+18181276599", account.contact_phone_number]
    fewer = await client.patch(where, json={"phone_numbers": ["+18181276500"]})
    assert fewer.json()["phone_number"] == "+18181276500"
    assert fewer.json()["phone_numbers"] == ["+18181276500"]


async def test_numbers_are_bounded_however_they_are_added(account, client):
    where = f"/api/v1/contacts/{account.contact_id}"
    numbers = [f"+181812765{n:02}" for n in range(20)]
    assert (await client.patch(where, json={"phone_numbers": numbers})).status_code == 200
    reply = await client.patch(where, json={"phone_number": "+18181276599"})
    assert list(errors_of(reply)) == ["phone_numbers"]


async def test_attributes_are_merged_and_null_removes(account, client):
    where = f"/api/v1/contacts/{account.contact_id}"
    for patch in ({"a": 1, "b": {"c": 1}}, {"a": None, "b": {"d": "x"}}):
        reply = await client.patch(where, json={"attributes": patch})
    assert reply.json()["attributes"] == {"b": {"c": 1, "d": "x"}}


async def test_attributes_cannot_grow_without_bound_by_small_changes(account, client):
    where = f"/api/v1/contacts/{account.contact_id}"
    for name in ("a", "b"):
        reply = await client.patch(where, json={"attributes": {name: "x" * 5000}})
    assert list(errors_of(reply)) == ["attributes"]
    assert list((await client.get(where)).json()["attributes"]) == ["a"]


async def test_values_that_cannot_be_are_refused_by_name(account, client):
    for fields, field in (
        ({"phone_number": "911"}, "phone_number"),
        ({"phone_number": None}, "phone_number"),
        ({"phone_numbers": []}, "phone_numbers"),
        ({"phone_numbers": ["x"]}, "phone_numbers.0"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"language": "e"}, "language"),
        ({"opted_out": "perhaps"}, "opted_out"),
        ({"attributes": []}, "attributes"),
        ({"attributes": {"a": "\0"}}, "attributes"),
    ):
        for reply in (
            await client.post("/api/v1/contacts", json=CONTACT | fields),
            await client.patch(f"/api/v1/contacts/{account.contact_id}", json=fields),
        ):
            assert list(errors_of(reply)) == [field], fields


async def test_a_list_is_filtered_by_any_number(account, client, make):
    made = await make("contacts", phone_numbers=["+18181276500", "+18181276501"], name="Zoe")
    for query in (
        {"phone_number": "+18181276501"},
        {"phone_number": "1 818 127 6500"},
        {"name": "zo"},
    ):
        listed = (await client.get("/api/v1/contacts", params=query)).json()["data"]
        assert [each["id"] for each in listed] == [made["id"]]
    await client.patch(f"/api/v1/contacts/{made['id']}", json={"opted_out": True})
    listed = (await client.get("/api/v1/contacts", params={"opted_out": "true"})).json()
    assert [each["id"] for each in listed["data"]] == [made["id"]]
