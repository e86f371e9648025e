"""A database that is away: 503 that says when to come back, and everything works once it does."""

import asyncio
import re

import psycopg
import pytest

from twoleg.api import create_app
from twoleg.api.documentation.schemas import describe
from twoleg.settings import Settings
from twoleg.store import Database

CALL = {"user_id": 1, "contact_id": 1234, "line_id": 1}
PATH = "/api/v1/webhook/two-legged-call"
PATIENCE_SECONDS = 60
WITHOUT_DATABASE = {"/api/v1/health", "/api/v1/metrics", "/api/v1/health/ready"}


@pytest.fixture
async def app(database_url):
    """The app on a database that gives up on a connection quickly."""
    async with Database.open(database_url, wait=0.1) as database:
        app = create_app(Settings(), database)
        async with app.router.lifespan_context(app):
            yield app


@pytest.fixture
def away(postgres, database_url):
    """Take the database away, as a failover would: connections end, and new ones are refused."""
    name = database_url.rpartition("/")[2].partition("?")[0]

    def switch(is_away):
        with psycopg.connect(postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {not is_away}".encode())
            if is_away:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (name,),
                )

    yield switch
    switch(False)


async def test_every_route_is_503_that_says_when_to_come_back(app, account, client, away):
    async def ask(method, path, operation):
        where = re.sub(r"\{\w+\}", "1", path)
        if "text/csv" in operation.get("requestBody", {}).get("content", {}):
            sent = {"content": "phone,start", "headers": {"Content-Type": "text/csv"}}
        else:
            sent = {"json": CALL if method in ("post", "patch") else None}
        reply = await client.request(method.upper(), where, **sent)
        assert reply.status_code == 503, (method, path)
        assert reply.json() == {"message": "Service Unavailable."}
        assert int(reply.headers["Retry-After"]) > 0

    away(True)
    # Each waits for a connection until it gives up: all of them do at the same time.
    async with asyncio.TaskGroup() as asking:
        for path, methods in describe(app)["paths"].items():
            for method, operation in methods.items():
                if path not in WITHOUT_DATABASE:
                    asking.create_task(ask(method, path, operation))
    assert (await client.get("/health")).status_code == 200
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["database"]) == (503, "unavailable")


async def test_calls_are_taken_in_again_once_it_is_back(app, account, client, away):
    assert (await client.post(PATH, json=CALL)).status_code == 202
    away(True)
    assert (await client.post(PATH, json=CALL)).status_code == 503
    away(False)
    # The pool tries again with growing pauses: ask until it has a connection.
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await client.post(PATH, json=CALL)).status_code == 503:
            pass
        while (listed := await client.get("/api/v1/calls")).status_code == 503:
            pass
    assert len(listed.json()["data"]) == 2
