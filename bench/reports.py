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
from functools import partial
from itertools import cycle
from pathlib import Path

import httpx
import uvloop
from _call_book import ACCOUNTS, CALLS_PER_CONTACT, DAYS, GROUPS, LINES, USERS, fill
from _figures import figure, machine, percentile

from twoleg.directory.accounts import NewAccount, change_account, setup_account
from twoleg.reports.call_sums import sum_days
from twoleg.store import Database, EmbeddedServer, schema

ACCOUNT = 1
STOP_SECONDS = 10
ASK_SECONDS = 120
MONTH = timedelta(days=30)

REPORTS = {
    "calls": ("day", "hour", "agent", "line", "ring_group", "outcome"),
    "reminders": ("plan", "offset", "hour", "day", "outcome"),
}

Query = dict[str, str | int]
Question = Callable[[], tuple[str, Query]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20, help="how often each is asked")
    arguments = parser.parse_args()
    machine()
    sizes = (arguments.calls // 10, arguments.calls)
    few, many = (_measure(size, arguments.times) for size in sizes)
    growth = f"growth_{sizes[0]}_to_{sizes[1]}"
    for name, seconds in many.items():
        figure(f"reports.{name}_{growth}", seconds / few[name], "ratio")


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


class Draw:
    """What is asked for: another one of the account's each time."""

    def __init__(self, calls: int) -> None:
        self._random = random.Random(calls)
        self._contacts = calls // CALLS_PER_CONTACT // ACCOUNTS
        self._now = datetime.now(UTC)

    def one_of(self, count: int) -> int:
        """Give the id of a user, a line or a group."""
        return 1000 * ACCOUNT + self._random.randint(1, count)

    def contact(self) -> int:
        return ACCOUNTS * self._random.randint(1, self._contacts - 1)

    def number(self) -> str:
        return f"+1818{2_000_000 + self.contact()}"

    def month(self) -> Query:
        start = self._now - timedelta(days=self._random.uniform(31, DAYS - 1))
        return {"created_from": start.isoformat(), "created_to": (start + MONTH).isoformat()}

    def since(self, days: int) -> Query:
        return {"from": (self._now - timedelta(days=days)).date().isoformat()}


def _questions(api: httpx.Client, calls: int) -> dict[str, Question]:
    draw = Draw(calls)
    middle = (datetime.now(UTC) - timedelta(days=DAYS / 2)).isoformat()
    found = api.get("/calls", params={"created_to": middle}).raise_for_status().json()
    ids = cycle(each["id"] for each in found["data"])
    lists = _lists(draw, found["next_cursor"])
    return {
        **{f"calls.{name}": partial(_of_list, query) for name, query in lists.items()},
        "call": lambda: (f"/calls/{next(ids)}", {}),
        **{
            f"{path}_by_{group}_{days}_days": partial(_of_report, path, group, draw.since(days))
            for path, groups in REPORTS.items()
            for group in groups
            for days in (7, 30, 365)
        },
        "calls_csv": lambda: ("/reports/calls.csv", draw.since(30)),
        "reminders_csv": lambda: ("/reports/reminders.csv", draw.since(30)),
        "appointments_csv": lambda: ("/appointments.csv", {}),
    }


def _of_list(query: Callable[[], Query]) -> tuple[str, Query]:
    return "/calls", query()


def _of_report(path: str, group: str, since: Query) -> tuple[str, Query]:
    return f"/reports/{path}", {"group_by": group, **since}


def _lists(draw: Draw, deep: str) -> dict[str, Callable[[], Query]]:
    """Name filters and pairs of them: some find much, some little, some nothing."""

    def user() -> Query:
        return {"user_id": draw.one_of(USERS)}

    def line() -> Query:
        return {"line_id": draw.one_of(LINES)}

    def number() -> Query:
        return {"phone_number": draw.number()}

    return {
        "first_page": dict,
        "deep_page": lambda: {"cursor": deep},
        "ended": lambda: {"status": "ended"},
        "bridged": lambda: {"status": "bridged"},
        "queued": lambda: {"status": "queued"},
        "connected": lambda: {"outcome": "connected"},
        "failed": lambda: {"outcome": "failed"},
        "expired": lambda: {"outcome": "expired"},
        "user": user,
        "group": lambda: {"ring_group_id": draw.one_of(GROUPS)},
        "line": line,
        "contact": lambda: {"contact_id": draw.contact()},
        "number": number,
        "line_number": lambda: {"phone_number": f"+1855{2_000_000 + draw.one_of(LINES)}"},
        "unknown_number": lambda: {"phone_number": "+18185550000"},
        "machine": lambda: {"answered_by": "machine"},
        "disposition": lambda: {"disposition": "sold"},
        "month": draw.month,
        "month_deep": lambda: {**draw.month(), "cursor": deep},
        "user_outcome": lambda: {**user(), "outcome": "contact_voicemail"},
        "user_failed": lambda: {**user(), "outcome": "failed"},
        "user_month": lambda: {**user(), **draw.month()},
        "user_bridged": lambda: {**user(), "status": "bridged"},
        "user_line": lambda: {**user(), **line()},
        "line_outcome": lambda: {**line(), "outcome": "contact_busy"},
        "line_month": lambda: {**line(), **draw.month()},
        "outcome_month": lambda: {"outcome": "agent_declined", **draw.month()},
        "failed_month": lambda: {"outcome": "failed", **draw.month()},
        "number_outcome": lambda: {**number(), "outcome": "contact_busy"},
        "number_month": lambda: {**number(), **draw.month()},
    }


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
