"""`POST two-legged-call` to durable 202: the api process on the embedded server, fsync on.

No engine runs: what is measured is the way in. Requests are the contract's own (ring group,
contact and line by phone number), of contacts that are known; the last figures are of numbers
that nobody has yet. Durable means that the database has the call when the reply leaves; at the
end the calls in the database are counted against the replies.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import uvloop
from _figures import figure, machine, percentile
from _requests import Load, Replies, post

from twoleg.directory.accounts import NewAccount, change_account, setup_account
from twoleg.directory.contacts import create_contact
from twoleg.directory.lines import create_line
from twoleg.directory.ring_groups import create_ring_group
from twoleg.directory.trunks import create_trunk
from twoleg.directory.users import list_users
from twoleg.store import Database, EmbeddedServer, schema

PATH = "/api/v1/webhook/two-legged-call"
LINE = "+18552562001"
CONTACTS = 200
FIRST_NEW_NUMBER = 2_000_000
NO_LIMIT = 1_000_000
CONNECTIONS = 64
STOP_SECONDS = 10


@dataclass(frozen=True)
class Api:
    """A running api process and its database."""

    host: str
    port: int
    process: psutil.Process
    postmaster: psutil.Process
    database_url: str


@dataclass(frozen=True)
class Spent:
    """CPU seconds."""

    api: float
    postgres: float
    load: float

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.api - other.api, self.postgres - other.postgres, self.load - other.load)


def main() -> None:
    arguments = _arguments()
    machine()
    with _api() as api:
        account = uvloop.run(_set_up(api.database_url))
        known = [_request(account, f"+1818555{n % CONTACTS:04}") for n in range(NO_LIMIT // 50)]
        uvloop.run(_measure(api, "warm_up", known[:500], rate=arguments.rate / 10, quiet=True))
        tenth, half, whole = (arguments.rate * part for part in (0.1, 0.5, 1))
        costs = {}
        for rate in (tenth, half, whole):
            requests = known[: round(rate * arguments.seconds)]
            costs[rate] = uvloop.run(_measure(api, f"accept.{rate:g}_per_s", requests, rate=rate))
        flood = known[: round(whole * arguments.seconds)]
        uvloop.run(_measure(api, "accept.flood", flood, rate=None))
        new = [
            _request(account, f"+1919{n:07}")
            for n in range(2000000, 2000000 + round(half * arguments.seconds))
        ]
        uvloop.run(_measure(api, f"accept.new_contacts_{half:g}_per_s", new, rate=half))
        figure(f"accept.cost_growth_{tenth:g}_to_{whole:g}", costs[whole] / costs[tenth], "ratio")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000, help="requests a second to reach")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    return parser.parse_args()


def _request(account: NewAccount, contact: str) -> bytes:
    body = {
        "api_token": account.token,
        "ring_group_id": "1",
        "contact_phone_number": contact,
        "line_phone_number": LINE,
    }
    return post(PATH, json.dumps(body).encode())


async def _measure(
    api: Api, name: str, requests: list[bytes], *, rate: float | None, quiet: bool = False
) -> float:
    """Send `requests`, print what came of them, return the CPU milliseconds of one."""
    load = Load(api.host, api.port, CONNECTIONS)
    await load.open()
    stored, spent, began = _stored(api), _spent(api), time.monotonic()
    if rate is None:
        await load.flood(requests)
    else:
        await load.run(requests, rate)
    wall, spent = time.monotonic() - began, _spent(api) - spent
    await load.close()
    replies = load.replies
    if not quiet:
        _report(name, replies, spent, wall, missing=replies.accepted - (_stored(api) - stored))
        if rate is not None:
            for per_cent in (50, 99):
                time_ms = 1000 * percentile(replies.seconds, per_cent)
                figure(f"{name}.reply_p{per_cent}", time_ms, "ms")
    return 1000 * (spent.api + spent.postgres) / max(1, replies.accepted)


def _report(name: str, replies: Replies, spent: Spent, wall: float, *, missing: int) -> None:
    count = max(1, replies.accepted)
    figure(f"{name}.accepted", replies.accepted / wall, "per_s")
    figure(f"{name}.refused", sum(replies.refused.values()), "requests")
    figure(f"{name}.not_stored", missing, "requests")
    for part in ("api", "postgres", "load"):
        figure(f"{name}.cpu_{part}", 1000 * getattr(spent, part) / count, "ms_a_request")


def _stored(api: Api) -> int:
    with psycopg.connect(api.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM calls").fetchone()
    return row[0] if row else 0


def _spent(api: Api) -> Spent:
    servers = [api.postmaster, *api.postmaster.children(recursive=True)]
    return Spent(
        api=_seconds(api.process),
        postgres=sum(_seconds(process) for process in servers),
        load=time.process_time(),
    )


def _seconds(process: psutil.Process) -> float:
    # A backend may end between being listed and being asked; the postmaster has its time then.
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system + times.children_user + times.children_system
    return 0.0


@contextlib.contextmanager
def _api() -> Iterator[Api]:
    """Start the embedded server and `twoleg api` on it; stop both at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="twoleg-bench-") as temporary,
        EmbeddedServer(Path(temporary) / "data") as server,
    ):
        schema.upgrade(server.url)
        environment = {**os.environ, "TWOLEG_DATABASE_URL": server.url}
        command = [sys.executable, "-m", "twoleg", "api", "--http", "127.0.0.1:0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as started:
            try:
                assert started.stdout is not None
                ready = started.stdout.readline().split()
                where = urlsplit(ready[1])
                yield Api(
                    where.hostname or "",
                    where.port or 0,
                    psutil.Process(started.pid),
                    psutil.Process(server.pid),
                    server.url,
                )
            finally:
                started.terminate()
                started.wait(STOP_SECONDS)


async def _set_up(url: str) -> NewAccount:
    async with Database.open(url) as database:
        account = await setup_account(database, "Bench", None)
        mine = account.account_id
        async with database.connection() as connection:
            limits = {"max_calls": NO_LIMIT, "calls_per_second": NO_LIMIT}
            await change_account(connection, mine, limits)
            [owner] = await list_users(connection, mine, after_id=None, limit=1)
            await create_ring_group(connection, mine, {"name": "All", "user_ids": [owner.id]})
            trunk = await create_trunk(connection, mine, {"name": "T", "host": "127.0.0.1"})
            line = {"phone_number": LINE, "trunk_ids": [trunk.id]}
            await create_line(connection, mine, line)
            for number in range(CONTACTS):
                await create_contact(connection, mine, {"phone_number": f"+1818555{number:04}"})
    return account


if __name__ == "__main__":
    main()
