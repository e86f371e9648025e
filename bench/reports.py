"""What a person with a dashboard asks, over years of call records: lists, calls, reports.

The embedded server and the api are started, and the records are filled by SQL. All is asked over
HTTP by the account that has most of the calls, one question after another, each time for another
user, contact or month. The first figures are of a tenth of the records; growth is of the medians.
"""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import uvloop
from _call_book import CALLS_PER_CONTACT, DAYS, GROUPS, LINES, USERS, fill
from _figures import figure, machine, percentile

from twoleg.directory.accounts import NewAccount, change_account, setup_account
from twoleg.reports.call_sums import sum_days
from twoleg.store import Database, EmbeddedServer, schema

ACCOUNT = 1
STOP_SECONDS = 10
ASK_SECONDS = 120
MONTH = timedelta(days=30)

Query = dict[str, str | int]
Question = Callable[[], tuple[str, Query]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20, help="how often each is asked")
    arguments = parser.parse_args()
    machine()
    few, many = (_measure(size, arguments.times) for size in
                 (arguments.calls // 10, arguments.calls))  # fmt: skip
    sizes = f"{arguments.calls // 10}_to_{arguments.calls}"
    for name, seconds in many.items():
        figure(f"reports.{name}_growth_{sizes}", seconds / few[name], "ratio")


def _measure(calls: int, times: int) -> dict[str, float]:
    """Print the figures of a book of so many calls; return the median of each question."""
    with (
        tempfile.TemporaryDirectory(prefix="twoleg-bench-") as directory,
        EmbeddedServer(Path(directory) / "data") as server,
    ):
        schema.upgrade(server.url)
        account = uvloop.run(_set_up(server.url))
        fill(server.url, calls)
        began = time.monotonic()
        days = uvloop.run(_sum_days(server.url))
        figure(f"reports.{calls}.summed", days / (time.monotonic() - began), "days_of_accounts/s")
        with _api(server.url, account.token) as api:
            return _report(calls, _ask(api, _questions(api, calls), times))


def _report(calls: int, took: dict[str, list[float]]) -> dict[str, float]:
    for name, seconds in took.items():
        for per_cent in (50, 95):
            of = 1000 * percentile(seconds, per_cent)
            figure(f"reports.{calls}.{name}_p{per_cent}", of, "ms")
    slowest = max(percentile(seconds, 95) for seconds in took.values())
    figure(f"reports.{calls}.slowest_p95", 1000 * slowest, "ms")
    return {name: percentile(seconds, 50) for name, seconds in took.items()}


def _ask(api: httpx.Client, questions: dict[str, Question], times: int) -> dict[str, list[float]]:
    """Ask all in turn, and time them from the request to the end of the reply.

    Of a file only the first part is waited for. What the first turn took is left out: then each of
    the api's connections plans its statements.
    """
    took: dict[str, list[float]] = {name: [] for name in questions}
    for turn in range(times + 1):
        for name, question in questions.items():
            path, query = question()
            began = time.monotonic()
            with api.stream("GET", path, params=query) as response:
                response.raise_for_status()
                next(response.iter_raw()) if path.endswith(".csv") else response.read()
                if turn:
                    took[name].append(time.monotonic() - began)
    return took


def _questions(api: httpx.Client, calls: int) -> dict[str, Question]:
    draw = random.Random(calls)
    now = datetime.now(UTC)
    contacts = calls // CALLS_PER_CONTACT // 20

    def one_of(count: int) -> int:
        return 1000 * ACCOUNT + draw.randint(1, count)

    def contact() -> int:
        return 20 * draw.randint(1, contacts - 1)

    def number() -> str:
        return f"+1818{2_000_000 + contact()}"

    def month() -> Query:
        start = now - timedelta(days=draw.uniform(31, DAYS - 1))
        return {"created_from": start.isoformat(), "created_to": (start + MONTH).isoformat()}

    def since(days: int) -> Query:
        return {"from": (now - timedelta(days=days)).date().isoformat()}

    middle = (now - timedelta(days=DAYS / 2)).isoformat()
    found = api.get("/calls", params={"created_to": middle}).raise_for_status().json()
    deep, ids = found["next_cursor"], [each["id"] for each in found["data"]]
    lists: dict[str, Callable[[], Query]] = {
        "first_page": lambda: {},
        "deep_page": lambda: {"cursor": deep},
        "ended": lambda: {"status": "ended"},
        "bridged": lambda: {"status": "bridged"},
        "queued": lambda: {"status": "queued"},
        "connected": lambda: {"outcome": "connected"},
        "failed": lambda: {"outcome": "failed"},
        "never": lambda: {"outcome": "expired"},
        "user": lambda: {"user_id": one_of(USERS)},
        "group": lambda: {"ring_group_id": one_of(GROUPS)},
        "line": lambda: {"line_id": one_of(LINES)},
        "contact": lambda: {"contact_id": contact()},
        "number": lambda: {"phone_number": number()},
        "line_number": lambda: {"phone_number": f"+1855{2_000_000 + one_of(LINES)}"},
        "unknown_number": lambda: {"phone_number": "+18185550000"},
        "machines": lambda: {"answered_by": "machine"},
        "disposition": lambda: {"disposition": "sold"},
        "month": month,
        "month_deep": lambda: {**month(), "cursor": deep},
        "user_outcome": lambda: {"user_id": one_of(USERS), "outcome": "contact_voicemail"},
        "user_failed": lambda: {"user_id": one_of(USERS), "outcome": "failed"},
        "user_month": lambda: {"user_id": one_of(USERS), **month()},
        "user_bridged": lambda: {"user_id": one_of(USERS), "status": "bridged"},
        "user_line": lambda: {"user_id": one_of(USERS), "line_id": one_of(LINES)},
        "line_outcome": lambda: {"line_id": one_of(LINES), "outcome": "contact_busy"},
        "line_month": lambda: {"line_id": one_of(LINES), **month()},
        "outcome_month": lambda: {"outcome": "agent_declined", **month()},
        "failed_month": lambda: {"outcome": "failed", **month()},
        "number_outcome": lambda: {"phone_number": number(), "outcome": "contact_busy"},
        "number_month": lambda: {"phone_number": number(), **month()},
    }
    questions: dict[str, Question] = {
        f"calls.{name}": lambda query=query: ("/calls", query()) for name, query in lists.items()
    }
    questions["call"] = lambda: (f"/calls/{draw.choice(ids)}", {})
    for path, groups in (
        ("calls", ("day", "hour", "agent", "line", "ring_group", "outcome")),
        ("reminders", ("plan", "offset", "hour", "day", "outcome")),
    ):
        for group in groups:
            for days in (7, 30, 365):
                questions[f"{path}_by_{group}_{days}_days"] = lambda path=path, group=group, days=days: (
                    f"/reports/{path}", {"group_by": group, **since(days)}
                )  # fmt: skip
    questions["calls_csv"] = lambda: ("/reports/calls.csv", since(30))
    questions["reminders_csv"] = lambda: ("/reports/reminders.csv", since(30))
    questions["appointments_csv"] = lambda: ("/appointments.csv", {})
    return questions


@contextlib.contextmanager
def _api(url: str, token: str) -> Iterator[httpx.Client]:
    """Start `twoleg api` on the database at `url`; stop it at the end."""
    environment = {**os.environ, "TWOLEG_DATABASE_URL": url, "TWOLEG_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "twoleg", "api", "--http", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as started:
        try:
            assert started.stdout is not None
            where = started.stdout.readline().split()[1]
            with httpx.Client(
                base_url=f"{where}/api/v1",
                headers={"Authorization": f"Bearer {token}"},
                timeout=ASK_SECONDS,
            ) as client:
                yield client
        finally:
            started.terminate()
            started.wait(STOP_SECONDS)


async def _sum_days(url: str) -> int:
    """Sum what is over, as a worker does each hour."""
    async with Database.open(url) as database:
        return await sum_days(database)


async def _set_up(url: str) -> NewAccount:
    async with Database.open(url) as database:
        account = await setup_account(database, "Bench", None)
        async with database.connection() as connection:
            zone = {"time_zone": "America/New_York"}
            await change_account(connection, account.account_id, zone)
    return account


if __name__ == "__main__":
    main()
