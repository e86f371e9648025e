"""Ring groups of a chaos run: a few users whom many calls want at once, and who are rung by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import psycopg
from chaos.answerers import AGENTS, RungLeg

USERS = 12
USERS_OF_GROUP = 5
RING_SECONDS = 5
MAX_WAIT_SECONDS = 120
STRATEGIES = ("ring_all", "in_order", "round_robin", "longest_idle")

TOLERANCE_SECONDS = 1.0
"""A call frees its agents as it ends, which they may hear of a moment later than the next call."""

FORGOTTEN_SECONDS = 2.0
"""A reservation is not waited for to reach the disk: a server that is killed may forget one."""


def number_of(user: int) -> str:
    return f"{AGENTS}{6_000_000 + user}"


NUMBERS = frozenset(number_of(user) for user in range(USERS))


async def furnish_groups(url: str) -> list[int]:
    """Make a group of every strategy, with users in common, in the one account that there is."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute("SELECT id FROM accounts")
        [(account,)] = await cursor.fetchall()
        users = []
        for user in range(USERS):
            cursor = await connection.execute(
                "INSERT INTO users (account_id, name, email, sip_username, phone_number)"
                " VALUES (%s, 'Staff', %s, %s, %s) RETURNING id",
                (account, f"staff-{user}@example.test", f"staff-{user}", number_of(user)),
            )
            users += [row[0] for row in await cursor.fetchall()]
        groups = []
        for place, strategy in enumerate(STRATEGIES):
            cursor = await connection.execute(
                "INSERT INTO ring_groups (account_id, name, strategy, ring_seconds,"
                " max_wait_seconds) VALUES (%s, %s, %s, %s, %s) RETURNING id",
                (account, strategy, strategy, RING_SECONDS, MAX_WAIT_SECONDS),
            )
            [(group,)] = await cursor.fetchall()
            for position in range(USERS_OF_GROUP):
                member = users[(place * USERS // len(STRATEGIES) + position) % USERS]
                await connection.execute(
                    "INSERT INTO ring_group_members (ring_group_id, user_id, position)"
                    " VALUES (%s, %s, %s)",
                    (group, member, position),
                )
            groups.append(group)
    return groups


def rung_by_two(legs: Iterable[RungLeg], crashes: Sequence[float]) -> list[str]:
    """Say which users two calls rang, or had on the line, at the same time.

    What a killed engine left goes on for a while without it, and what was reserved just before a
    crash of the server may be forgotten.
    """
    faults = []
    by_number: dict[str, list[RungLeg]] = defaultdict(list)
    for leg in sorted(legs, key=lambda leg: leg.rang_at):
        if leg.number not in NUMBERS:
            continue
        for before in by_number[leg.number]:
            goes_on = before.over_at is None or before.over_at > leg.rang_at + TOLERANCE_SECONDS
            forgotten = any(-1.0 < at - before.rang_at < FORGOTTEN_SECONDS for at in crashes)
            if goes_on and not before.is_left and not forgotten:
                faults.append(
                    f"{leg.number} was rung {leg.rang_at - before.rang_at:.1f} s after a call that"
                    " it still had"
                )
        by_number[leg.number].append(leg)
    return faults
