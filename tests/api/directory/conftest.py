"""Things of the directory, made over HTTP."""

import pytest


@pytest.fixture
def make(client):
    """Make one thing; returns what the reply shows."""

    async def post(path, **fields):
        reply = await client.post(f"/api/v1/{path}", json=fields)
        assert reply.status_code == 201, reply.text
        return reply.json()

    return post
