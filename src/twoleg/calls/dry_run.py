"""What a call would be, without placing it: by the rules, the search and the plan of a real one.

Everything happens in a transaction that can only read: nothing is stored, reserved or counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from twoleg.calls.admission import judge
from twoleg.calls.admission_lookup import Asked, find
from twoleg.calls.admission_rules import Candidate
from twoleg.calls.agent_queries import Found, found_outside, look
from twoleg.calls.agent_search import SETTLE_SECONDS, AgentSearch, Target
from twoleg.calls.claims import CLAIMED, Claim, claim_of
from twoleg.calls.plan import AgentPlan, AgentRound, CallPlan
from twoleg.calls.planning import Surroundings, plan_of, round_of
from twoleg.calls.requests import CallRequest
from twoleg.calls.seeking import WOULD_RESERVE
from twoleg.directory.tokens import hash_of
from twoleg.sip import Address

MAX_STEPS: Final = 50
"""Rings and waits, one after another, that are told of; of more it is said that there are more."""

NO_ENGINE: Final = "engine.invalid"
"""Stands for the address of an engine where none runs (RFC 2606 2)."""

_LATEST: Final = 2**63 - 1
"""The id of the call: every other that waits has waited longer."""

_READ_ONLY: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ENGINE: Final = """
SELECT id, sip_host, sip_port FROM engines
WHERE NOT gone AND sip_host IS NOT NULL ORDER BY draining, heartbeat_at DESC LIMIT 1
"""
_CLAIMED: Final = f"""
WITH seeking AS MATERIALIZED (
  SELECT x.*, '{{}}'::bigint[] AS rung, false AS begun, 1 AS sequence,
    NULL::timestamptz AS hangup_requested_at, clock_timestamp() AS created_at
  FROM jsonb_to_record(%s::jsonb) AS x(
    call_id bigint, account_id bigint, user_id bigint, ring_group_id bigint,
    named_group_id bigint, contact_id bigint, line_id bigint, user_phone_number text,
    contact_phone_number text, line_phone_number text, options jsonb)
), {WOULD_RESERVE}
{CLAIMED}
"""  # noqa: S608
_QUEUE: Final = """
SELECT g.max_waiting, (
  SELECT count(*) FROM waiting_calls w JOIN calls c ON c.id = w.call_id
  WHERE w.ring_group_id = g.id AND c.ended_at IS NULL)
FROM ring_groups g WHERE g.id = %s
"""
_USERS: Final = "SELECT id, name FROM users WHERE id = ANY(%s)"
_TRUNKS: Final = "SELECT id, name FROM trunks WHERE id = ANY(%s)"

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Whom of a target is rung together; None: its users have no phone that could be rung."""

    target: Target
    together: AgentRound | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """All of a target are busy: the call waits so long, unless its queue is full already."""

    target: Target
    seconds: float
    waiting: int = 0
    """Calls that wait for the group by now."""

    is_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What would happen. `steps` go on until an agent answers; `more` were left out."""

    candidate: Candidate
    plan: CallPlan
    steps: tuple[Ring | Wait, ...]
    more: bool
    user_names: dict[int, str] = field(default_factory=dict)
    trunk_names: dict[int, str] = field(default_factory=dict)


async def dry_run(connection: Connection, token: str, request: CallRequest) -> DryRun:
    """Plan a call and forget it; `connection` is at the beginning of a transaction.

    Raises UnknownToken, TokenNotAllowed, AdmissionRefused: just as the call would be refused,
    limits aside.
    """
    await connection.execute(_READ_ONLY)
    found = await find(connection, [Asked(hash_of(token).hex(), request)])
    candidate = judge(request, found.get(0))
    claim = await _claimed(connection, request, candidate)
    here = await _surroundings(connection)
    plan = plan_of(claim, here)
    steps, more = await _steps(connection, claim, here)
    return DryRun(
        candidate=candidate,
        plan=plan,
        steps=tuple(steps),
        more=more,
        user_names=await _names(connection, _USERS, _users(steps)),
        trunk_names=await _names(connection, _TRUNKS, _trunks(plan, steps)),
    )


async def _claimed(connection: Connection, request: CallRequest, candidate: Candidate) -> Claim:
    """Load what an engine would that claims the call now."""
    row = {
        "call_id": _LATEST,
        "account_id": candidate.account_id,
        "user_id": request.user_id,
        "ring_group_id": None if request.user_id is not None else request.ring_group_id,
        "named_group_id": request.ring_group_id,
        "contact_id": candidate.contact_id,
        "line_id": candidate.line_id,
        "user_phone_number": candidate.user_phone_number,
        "contact_phone_number": candidate.contact_phone_number,
        "line_phone_number": candidate.line_phone_number,
        "options": request.options,
    }
    cursor = await connection.execute(_CLAIMED, (json.dumps(row),))
    claimed = await cursor.fetchone()
    assert claimed is not None
    return claim_of(claimed)


async def _surroundings(connection: Connection) -> Surroundings:
    """Take an engine that runs; of equal trunks the one with more weight comes first."""
    cursor = await connection.execute(_ENGINE)
    row = await cursor.fetchone()
    engine_id, host, port = row or (0, NO_ENGINE, 5060)
    return Surroundings(engine_id, Address(host, port), lambda: 0.5)


async def _steps(
    connection: Connection, claim: Claim, here: Surroundings
) -> tuple[list[Ring | Wait], bool]:
    """Search as an engine does, where nobody ever answers and nobody becomes free."""
    search = claim.search()
    found: Found | None = claim.found
    steps: list[Ring | Wait] = []
    while (target := search.target) is not None and len(steps) < MAX_STEPS:
        if target.phone_number is not None:
            search.turn_to_next(None)
            outside = found_outside(target.phone_number)
            steps.append(Ring(target=target, together=round_of(claim, outside, here)))
            continue
        found = found or await look(connection, claim.account_id, search.seek)
        if found.agents:
            steps.append(Ring(target=target, together=round_of(claim, found, here)))
            search.ring(found)
        else:
            steps += await _waits(connection, search, target, found)
            search.turn_to_next(found.fallback)
        found = None
    return steps, search.target is not None


async def _waits(
    connection: Connection, search: AgentSearch, target: Target, found: Found
) -> list[Wait]:
    seconds = search.patience(found.max_wait_seconds)
    if not found.others or seconds <= SETTLE_SECONDS:
        return []
    if target.ring_group_id is None:
        return [Wait(target=target, seconds=seconds)]
    cursor = await connection.execute(_QUEUE, (target.ring_group_id,))
    row = await cursor.fetchone()
    assert row is not None
    most, waiting = row
    full = most is not None and waiting >= most
    return [Wait(target=target, seconds=seconds, waiting=waiting, is_full=full)]


def _users(steps: Iterable[Ring | Wait]) -> set[int]:
    agents = [agent for step in steps for agent in _agents(step)]
    return {agent.user_id for agent in agents if agent.user_id is not None} | {
        step.target.user_id for step in steps if step.target.user_id is not None
    }


def _trunks(plan: CallPlan, steps: Iterable[Ring | Wait]) -> set[int]:
    legs = [leg for step in steps for agent in _agents(step) for leg in agent.endpoints]
    tried = [way for leg in (*plan.contact.trunks, *legs) for way in leg.ways()]
    return {way.trunk_id for way in tried if way.trunk_id is not None}


def _agents(step: Ring | Wait) -> tuple[AgentPlan, ...]:
    return step.together.agents if isinstance(step, Ring) and step.together is not None else ()


async def _names(connection: Connection, query: str, ids: Iterable[int]) -> dict[int, str]:
    cursor = await connection.execute(query, (list(ids),))
    return dict(await cursor.fetchall())
