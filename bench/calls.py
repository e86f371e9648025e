"""Two-legged calls through everything: HTTP, PostgreSQL, SIP to two SIPp answerers, the record.

The agent's phone is registered and answers at once; so does the contact, who hangs up after a
second. Calls are posted on schedule whatever the service does, at a rising rate. A call counts as
good if its record says `connected`.
"""

import argparse
import asyncio
import json
import math
import time

import psycopg
import uvloop
from _answerers import answerer, free_port
from _directory import LINE, Agents, set_up
from _figures import figure, machine, percentile
from _requests import Load, post
from _service import Service, service

from twoleg.store import running_url

PATH = "/api/v1/webhook/two-legged-call"
HOLD_SECONDS = 1.0
CONNECTIONS = 64
PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.5

_LIVE = "SELECT count(*) FROM calls WHERE ended_at IS NULL"
_QUEUED = "SELECT count(*) FROM calls WHERE engine_id IS NULL AND ended_at IS NULL"
_OUTCOMES = "SELECT outcome, count(*) FROM calls WHERE id > %s GROUP BY outcome"
_LAST = "SELECT coalesce(max(id), 0) FROM calls"


def main() -> None:
    arguments = _arguments()
    machine()
    agent_port, contact_port = free_port(), free_port()
    with service("--max-calls", "4000") as running:
        # A user has one call at a time, and one at each rate: whatever is late, nobody is busy.
        agents = math.ceil(max(arguments.rates) * arguments.seconds)
        directory = uvloop.run(set_up(running, agents, agent_port, contact_port))
        with (
            answerer("answer_and_wait", agent_port),
            answerer("answer_and_hang_up", contact_port, "-d", str(round(HOLD_SECONDS * 1000))),
        ):
            costs = {
                rate: _measure(running, directory, rate, arguments.seconds)
                for rate in arguments.rates
            }
    least, most = min(costs), max(costs)
    figure(f"calls.cost_growth_{least}_to_{most}", costs[most] / costs[least], "ratio")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[40, 100, 200, 300, 400])
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each rate")
    return parser.parse_args()


def _measure(running: Service, directory: Agents, rate: int, seconds: float) -> float:
    """Post calls at `rate`, wait for the last record, print, and return the CPU a call."""
    count = round(rate * seconds)
    with psycopg.connect(running_url(running.data_dir), autocommit=True) as database:
        (last,) = database.execute(_LAST).fetchone()
        before, began = running.cpu_seconds(), time.monotonic()
        load, backlog = uvloop.run(_place(running, directory, rate, count))
        while database.execute(_LIVE).fetchone()[0]:
            if time.monotonic() - began > seconds + PATIENCE_SECONDS:
                break
            time.sleep(LOOK_SECONDS)
        took = time.monotonic() - began
        after = running.cpu_seconds()
        outcomes = dict(database.execute(_OUTCOMES, (last,)).fetchall())
    connected = outcomes.pop("connected", 0)
    spent = {part: after[part] - before[part] for part in after}
    cost = sum(spent.values()) / max(1, connected)
    for name, value, unit in (
        ("placed", count, "calls"),
        ("accepted", load.replies.accepted, "calls"),
        ("connected", connected, "calls"),
        ("failed", count - connected, "calls"),
        ("took", took, "s"),
        ("backlog_max", max(backlog, default=0), "calls"),
        ("backlog_end", backlog[-1] if backlog else 0, "calls"),
        ("accept_p50", 1000 * percentile(load.replies.seconds, 50), "ms"),
        ("accept_p99", 1000 * percentile(load.replies.seconds, 99), "ms"),
        ("cpu_per_call", 1000 * cost, "ms"),
        *((f"cpu_per_call.{part}", 1000 * spent[part] / max(1, connected), "ms") for part in spent),
    ):
        figure(f"calls.{rate}.{name}", value, unit)
    for outcome, number in sorted(outcomes.items(), key=str):
        figure(f"calls.{rate}.outcome.{outcome}", number, "calls")
    return cost


async def _place(
    running: Service, directory: Agents, rate: int, count: int
) -> tuple[Load, list[int]]:
    host, _, port = running.url.removeprefix("http://").rpartition(":")
    load = Load(host, int(port), CONNECTIONS)
    users = directory.user_ids
    requests = [
        post(
            PATH,
            json.dumps(
                {
                    "api_token": running.token,
                    "user_id": users[number % len(users)],
                    "contact_phone_number": f"+1818{2_000_000 + number % 1000}",
                    "line_phone_number": LINE,
                }
            ).encode(),
        )
        for number in range(count)
    ]
    backlog: list[int] = []
    looking = asyncio.create_task(_look(running, backlog))
    await load.open()
    try:
        await load.run(requests, rate)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await load.close()
    return load, backlog


async def _look(running: Service, backlog: list[int]) -> None:
    url = running_url(running.data_dir)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            row = await (await database.execute(_QUEUED)).fetchone()
            backlog.append(row[0])


if __name__ == "__main__":
    main()
