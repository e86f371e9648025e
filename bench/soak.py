"""Many short calls, and whether anything grows: memory, files, ports, tasks, connections.

Calls are placed in rounds. After each round the service is let come to rest, and looked at: what
grows from round to round is a leak. The first rounds warm caches and pools up.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import httpx
import psycopg
import uvloop
from _answerers import answerer, free_port
from _directory import LINE, Agents, set_up
from _figures import figure, machine
from _requests import Load, post
from _service import Service, service

from twoleg.store import running_url

PATH = "/api/v1/webhook/two-legged-call"
HOLD_SECONDS = 0.2
CONNECTIONS = 16
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.5
REST_SECONDS = 65.0
"""Longer than any SIP transaction lingers (64*T1), and than a heartbeat with its figures takes.

And than sockets of ports are kept that nobody needs: for up to two looks, 30 seconds apart.
"""

WARM_ROUNDS = 2
ENGINE_GAUGES = (
    "tasks", "legs", "rtp_ports_open", "rtp_ports_free", "calls_running",
    "record_changes_pending",
)  # fmt: skip

_LIVE = "SELECT count(*) FROM calls WHERE ended_at IS NULL"
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
_LEFT = "SELECT (SELECT count(*) FROM reservations) + (SELECT count(*) FROM lost_legs)"
_OUTCOMES = "SELECT outcome, count(*) FROM calls GROUP BY outcome"

Sample = dict[str, tuple[float, str]]


def main() -> None:
    arguments = _arguments()
    machine()
    agent_port, contact_port = free_port(), free_port()
    with service("--max-calls", "4000") as running:
        # A user has one call at a time, and one a round: however slow the machine, nobody is busy.
        agents = arguments.calls // arguments.rounds
        directory = uvloop.run(set_up(running, agents, agent_port, contact_port))
        with (
            answerer("answer_and_wait", agent_port),
            answerer("answer_and_hang_up", contact_port, "-d", str(round(HOLD_SECONDS * 1000))),
            psycopg.connect(running_url(running.data_dir), autocommit=True) as database,
        ):
            samples = [_sample(running, database)]
            for number in range(arguments.rounds):
                count = arguments.calls // arguments.rounds
                uvloop.run(_place(running, directory, arguments.rate, count))
                _come_to_rest(database)
                samples.append(_sample(running, database))
                for name, (value, unit) in samples[-1].items():
                    figure(f"soak.{(number + 1) * count}.{name}", value, unit)
            for outcome, calls in database.execute(_OUTCOMES).fetchall():
                figure(f"soak.outcome.{outcome}", calls, "calls")
    _report_growth(samples, arguments.calls // arguments.rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=60, help="calls a second")
    return parser.parse_args()


async def _place(running: Service, directory: Agents, rate: int, count: int) -> None:
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
    await load.open()
    try:
        await load.run(requests, rate)
    finally:
        await load.close()


def _come_to_rest(database: psycopg.Connection) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while database.execute(_LIVE).fetchone()[0] and time.monotonic() < give_up:
        time.sleep(LOOK_SECONDS)
    time.sleep(REST_SECONDS)


def _sample(running: Service, database: psycopg.Connection) -> Sample:
    sample: Sample = {}
    for part, pid in _parts(running).items():
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in status if ":" in line)
        sample[f"{part}.memory"] = (int(fields["VmRSS"].split()[0]) / 1024, "MiB")
        sample[f"{part}.files"] = (len(list(Path(f"/proc/{pid}/fd").iterdir())), "files")
        sample[f"{part}.threads"] = (int(fields["Threads"]), "threads")
    text = httpx.get(f"{running.url}/metrics", trust_env=False).text
    for line in text.splitlines():
        for gauge in ENGINE_GAUGES:
            if line.startswith(f"twoleg_engine_{gauge}{{"):
                sample[f"engine.{gauge}"] = (float(line.rsplit(" ", 1)[1]), gauge)
    sample["database.connections"] = (database.execute(_CONNECTIONS).fetchone()[0], "connections")
    sample["database.left"] = (database.execute(_LEFT).fetchone()[0], "rows")
    return sample


def _parts(running: Service) -> dict[str, int]:
    """Give the process ids of the parts."""
    commands = {child.pid: child.cmdline() for child in running.process.children()}
    return {words[3]: pid for pid, words in commands.items() if words[4:] == ["--supervised"]}


def _report_growth(samples: list[Sample], calls_a_round: int) -> None:
    """Print what grew, by the call, since the service was warm."""
    warm = samples[min(WARM_ROUNDS, len(samples) - 1)]
    calls = calls_a_round * max(1, len(samples) - 1 - WARM_ROUNDS)
    for name, (value, unit) in samples[-1].items():
        before = warm.get(name, (value, unit))[0]
        if unit == "MiB":
            figure(f"soak.growth.{name}", 1024 * 1024 * (value - before) / calls, "bytes/call")
        else:
            figure(f"soak.growth.{name}", value - before, unit)


if __name__ == "__main__":
    main()
