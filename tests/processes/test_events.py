"""Events beyond the end of a process: what a killed worker had, and who follows a stopped api."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psycopg
import pytest
from processes.watching import LOOPBACK, STOP_SECONDS, WAIT_SECONDS, wait_until
from standardwebhooks import Webhook

from twoleg.events.webhooks import make_secret

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

ACCOUNT = """
INSERT INTO accounts (id, name) VALUES (1, 'Main');
INSERT INTO tokens (account_id, name, token_hash) VALUES (1, 'test', sha256('token'));
INSERT INTO calls (id, account_id, source, contact_phone_number, line_phone_number)
VALUES (1, 1, 'api', '+18181276543', '+18552562001')
"""
EVENT = """
INSERT INTO call_events (account_id, call_id, sequence, type)
SELECT 1, 1, (SELECT count(*) + 1 FROM call_events), 'call.queued' RETURNING id
"""


@dataclass
class Receiver:
    """Takes messages, once `answering` is set; before, it leaves who asks waiting."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append((dict(self.headers), body))
            receiver.answering.wait(WAIT_SECONDS)
            try:
                self.send_response(204)
                self.end_headers()
            except OSError:
                pass  # who asked was killed

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        receiver.url = f"http://{LOOPBACK}:{server.server_port}/"
        try:
            yield receiver
        finally:
            receiver.answering.set()
            server.shutdown()
            serving.join()


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(ACCOUNT)
        yield connection


def test_what_a_killed_worker_had_on_its_way_is_sent_by_another(
    marked, database_url, connection, receiver
) -> None:
    secret = make_secret()
    connection.execute(
        "INSERT INTO webhooks (id, account_id, url, secret) VALUES (1, 1, %s, %s)",
        (receiver.url, secret),
    )
    connection.execute("INSERT INTO webhook_receivers (account_id, webhook_id) VALUES (1, 1)")
    environment = {"TWOLEG_DATABASE_URL": database_url, "TWOLEG_WEBHOOKS_ALLOW_PRIVATE": "true"}
    with marked.start("worker", **environment) as first:
        first.stdout.readline()
        [(event_id,)] = connection.execute(EVENT).fetchall()
        wait_until(lambda: receiver.received, "the message")
        first.kill()
    [(missed,)] = connection.execute(EVENT).fetchall()
    receiver.answering.set()
    with marked.start("worker", **environment) as second:
        # The lease of the one that was killed runs out.
        connection.execute("UPDATE webhook_receivers SET leased_until = now()")
        wait_until(
            lambda: connection.execute(
                "SELECT count(*) = 2 FROM webhook_deliveries WHERE state = 'delivered'"
            ).fetchone()[0],
            "both events to be delivered",
        )
        second.terminate()
        assert second.wait(STOP_SECONDS) == 0
        assert second.stderr.read() == ""
    ids = [headers["webhook-id"] for headers, _ in receiver.received]
    assert ids == [f"evt_{event_id}", f"evt_{event_id}", f"evt_{missed}"]
    for headers, body in receiver.received:
        Webhook(secret).verify(body, headers)
    assert marked.none_left()


def test_a_stream_is_ended_in_order_when_the_api_is_told_to_stop(
    marked, database_url, connection
) -> None:
    with marked.start(
        "api", "--http", f"{LOOPBACK}:0", TWOLEG_DATABASE_URL=database_url
    ) as process:
        url = process.stdout.readline().split()[1]
        headers = {"Authorization": "Bearer token"}
        with httpx.stream("GET", f"{url}/api/v1/events", headers=headers, timeout=60) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            process.terminate()
            # The end of the body, not of the connection: httpx would raise.
            for _ in lines:
                pass
        assert process.wait(STOP_SECONDS) == 0
        assert process.stderr.read() == ""
    assert marked.none_left()
