"""What all kinds of things have in common: made, read, listed in pages, changed and deleted."""

import pytest
from api.directory.bodies import NEW, errors_of


@pytest.mark.parametrize(("path", "fields"), NEW.items())
async def test_it_is_made_read_listed_changed_and_deleted(path, fields, account, client):
    made = await client.post(f"/api/v1/{path}", json=fields)
    assert made.status_code == 201
    where = made.headers["Location"]
    assert where == f"/api/v1/{path}/{made.json()['id']}"
    read = (await client.get(where)).json()
    assert read.items() <= made.json().items()
    assert read in (await client.get(f"/api/v1/{path}")).json()["data"]
    changed = await client.patch(where, json={"name": "Renamed"})
    assert changed.status_code == 200
    assert (await client.get(where)).json() == read | {"name": "Renamed"}
    assert (await client.delete(where)).status_code == 204
    assert (await client.get(where)).status_code == 404
    assert (await client.patch(where, json={})).status_code == 404
    assert (await client.delete(where)).status_code == 404
    listed = (await client.get(f"/api/v1/{path}")).json()["data"]
    assert made.json()["id"] not in [each["id"] for each in listed]


@pytest.mark.parametrize(("path", "fields"), NEW.items())
async def test_a_change_of_nothing_changes_nothing(path, fields, account, client):
    made = await client.post(f"/api/v1/{path}", json=fields)
    where = made.headers["Location"]
    before = (await client.get(where)).json()
    assert (await client.patch(where, json={})).status_code == 200
    assert (await client.get(where)).json() == before


@pytest.mark.parametrize("path", NEW)
async def test_an_unknown_field_is_named(path, account, client):
    reply = await client.post(f"/api/v1/{path}", json=NEW[path] | {"nmae": "x"})
    assert errors_of(reply) == {"nmae": ["The nmae field is not known here."]}


@pytest.mark.parametrize("path", NEW)
async def test_lists_come_in_pages_that_miss_and_double_nothing(path, account, client):
    for number in range(5):
        fields = dict(NEW[path])
        if path == "users":
            fields["email"] = f"bob{number}@example.com"
        if path == "lines":
            fields["phone_number"] = f"+1855256210{number}"
        assert (await client.post(f"/api/v1/{path}", json=fields)).status_code == 201
    whole = (await client.get(f"/api/v1/{path}", params={"limit": 200})).json()
    assert whole["next_cursor"] is None
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(f"/api/v1/{path}", params=query)).json()
        seen += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["data"]) == 2
    assert seen == whole["data"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "%%"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"cursor": "__________8"}, "cursor"),
        ({"cursor": "\xe9"}, "cursor"),
    ],
)
async def test_a_page_that_cannot_be_is_refused_by_name(query, field, account, client):
    for path in NEW:
        reply = await client.get(f"/api/v1/{path}", params=query)
        assert list(errors_of(reply)) == [field]
