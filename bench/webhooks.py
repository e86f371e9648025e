"""How long an event takes from its commit to its webhook, beside receivers that never answer.

Events are written to the database as an engine writes them: a batch every 10 ms, then one NOTIFY.
The time is taken after the commit, and again when the request has arrived at a receiver here. What
the worker and PostgreSQL spend on each delivery stands beside it.
"""

import argparse
import asyncio
import re
import time
from typing import Any

import psycopg
import uvloop
from _directory import LOOPBACK
from _figures import figure, machine, percentile
from _service import Service, service

from twoleg.store import running_url

MESSAGE_ID = re.compile(rb"webhook-id: evt_(\d+)", re.IGNORECASE)
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
TICK_SECONDS = 0.01
CALLS = 1000
PATIENCE_SECONDS = 30.0
ENDED_CALLS = """
INSERT INTO calls (account_id, source, contact_phone_number, line_phone_number, status, outcome,
  ended_at, sequence)
SELECT (SELECT min(account_id) FROM webhooks), 'api', '+18181276543', '+18552562001', 'ended',
  'connected', now(), 1000000
FROM generate_series(1, %s) RETURNING id, account_id
"""
EVENTS = """
INSERT INTO call_events (account_id, call_id, sequence, type, data)
SELECT %(account)s, id, %(sequence)s, 'call.bridged', '{"user_id": 1}' FROM unnest(%(calls)s) AS id
RETURNING id
"""


class Receiver(asyncio.Protocol):
    """Takes every message at once, and notes when each had arrived."""

    def __init__(self, arrived: dict[int, float]) -> None:
        self._arrived = arrived
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            length = int(LENGTH.search(head)[1]) if separator else 0
            if not separator or len(rest) < length:
                return
            self._arrived.setdefault(int(MESSAGE_ID.search(head)[1]), time.monotonic())
            self._buffer = rest[length:]
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class Silent(asyncio.Protocol):
    """Takes connections, and never says a word."""


def main() -> None:
    arguments = _arguments()
    machine()
    with service("--webhooks-allow-private", "true") as running:
        uvloop.run(_run(running, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[10, 100, 400])
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each rate")
    parser.add_argument("--silent", type=int, default=5, help="receivers that never answer")
    return parser.parse_args()


async def _run(running: Service, arguments: argparse.Namespace) -> None:
    arrived: dict[int, float] = {}
    await _hook(running, lambda: Receiver(arrived))
    database = await psycopg.AsyncConnection.connect(running_url(running.data_dir), autocommit=True)
    async with database:
        cursor = await database.execute(ENDED_CALLS, (CALLS,))
        calls = await cursor.fetchall()
        bench = Bench(running, database, [call_id for call_id, _ in calls], calls[0][1], arrived)
        for rate in arguments.rates:
            await bench.run(rate, arguments.seconds, "alone")
        for _ in range(arguments.silent):
            await _hook(running, Silent)
        for rate in arguments.rates:
            await bench.run(rate, arguments.seconds, f"beside_{arguments.silent}_silent")


async def _hook(running: Service, protocol: Any) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.to_thread(running.create, "/webhooks", url=f"http://{LOOPBACK}:{port}/")


class Bench:
    """Writes events at one rate, and waits until each has arrived."""

    def __init__(
        self,
        running: Service,
        database: psycopg.AsyncConnection[Any],
        calls: list[int],
        account_id: int,
        arrived: dict[int, float],
    ) -> None:
        self._running = running
        self._database = database
        self._calls = calls
        self._account_id = account_id
        self._arrived = arrived
        self._sequence = 0
        self._next_call = 0

    async def run(self, rate: int, seconds: float, name: str) -> None:
        committed: dict[int, float] = {}
        spent = self._running.cpu_seconds()
        began = time.monotonic()
        written = 0
        while (now := time.monotonic()) < began + seconds:
            due = int((now - began) * rate) - written
            if due > 0:
                committed |= await self._write(due)
                written += due
            await asyncio.sleep(TICK_SECONDS)
        for _ in range(int(PATIENCE_SECONDS / TICK_SECONDS)):
            if committed.keys() <= self._arrived.keys():
                break
            await asyncio.sleep(TICK_SECONDS)
        now_spent = self._running.cpu_seconds()
        missing = committed.keys() - self._arrived.keys()
        times = sorted(
            1000 * (self._arrived[event_id] - at)
            for event_id, at in committed.items()
            if event_id in self._arrived
        )
        where = f"webhooks_{name}_{rate}_per_second"
        figure(f"{where}_missing", len(missing), "events")
        for share in (50, 99):
            figure(f"{where}_p{share}", percentile(times, share), "ms")
        for part in ("worker", "postgres"):
            each = 1000 * (now_spent[part] - spent[part]) / max(1, len(committed))
            figure(f"{where}_{part}_cpu_per_event", each, "ms")

    async def _write(self, count: int) -> dict[int, float]:
        if self._next_call + count > len(self._calls):
            self._next_call = 0
        if self._next_call == 0:
            self._sequence += 1
        calls = self._calls[self._next_call : self._next_call + count]
        self._next_call += count
        parameters = {"account": self._account_id, "sequence": self._sequence, "calls": calls}
        cursor = await self._database.execute(EVENTS, parameters, prepare=True)
        ids = await cursor.fetchall()
        at = time.monotonic()
        await self._database.execute("SELECT pg_notify('twoleg_events', '')")
        return {event_id: at for (event_id,) in ids}


if __name__ == "__main__":
    main()
