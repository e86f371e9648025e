"""Agents with registered phones and a line over a trunk, as many as a load needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import psycopg
from _service import Service

from twoleg.sip import (
    Address,
    Credentials,
    Destination,
    NameAddr,
    OutOfDialogRequest,
    SipUri,
    Transport,
)
from twoleg.sip_io import KnownAddresses, Listen, Phone, PhoneConfig
from twoleg.store import running_url

LOOPBACK = "127.0.0.1"
LINE = "+18552562001"
NO_LIMIT = 10_000
FIRST = "agent0"
PASSWORD = "a secret of the measurement"

_MORE_USERS = """
INSERT INTO users (account_id, name, email, sip_username, sip_ha1)
SELECT account_id, 'Agent ' || n, 'agent' || n || '@example.com', 'agent' || n, sip_ha1
FROM users, generate_series(1, %s) n WHERE id = %s ORDER BY n RETURNING id
"""
_MORE_BINDINGS = """
INSERT INTO bindings (user_id, contact_uri, call_id, cseq, path, flow, engine_id, user_agent,
  expires_at)
SELECT u.id, replace(b.contact_uri, %s, u.sip_username || '@'), b.call_id, b.cseq, b.path, b.flow,
  b.engine_id, b.user_agent, b.expires_at
FROM bindings b, users u WHERE u.id = ANY(%s) AND b.user_id = %s
"""


@dataclass(frozen=True)
class Agents:
    """Users whose phones are all at one port."""

    user_ids: Sequence[int]


async def set_up(service: Service, agents: int, agent_port: int, contact_port: int) -> Agents:
    """Make the line, its trunk and the users, each registered at `agent_port`."""
    async with httpx.AsyncClient(
        base_url=f"{service.url}/api/v1",
        headers={"Authorization": f"Bearer {service.token}"},
        timeout=30,
    ) as api:
        await _ask(api, "PATCH", "/account", max_calls=NO_LIMIT, calls_per_second=NO_LIMIT)
        trunk = await _ask(
            api, "POST", "/trunks", name="contacts", host=LOOPBACK, port=contact_port
        )
        await _ask(api, "POST", "/lines", phone_number=LINE, trunk_ids=[trunk["id"]])
        first = await _ask(
            api, "POST", "/users", name="Agent", email="agent@example.com",
            sip_username=FIRST, sip_password=PASSWORD,
        )  # fmt: skip
    await _register(service, agent_port)
    return Agents([first["id"], *_more_of(service, first["id"], agents - 1)])


def _more_of(service: Service, user_id: int, count: int) -> list[int]:
    """Make users that are, and are registered, as the one is; thousands take no time this way."""
    with psycopg.connect(running_url(service.data_dir), autocommit=True) as database:
        made = database.execute(_MORE_USERS, (count, user_id)).fetchall()
        users = [each for (each,) in made]
        database.execute(_MORE_BINDINGS, (f"{FIRST}@", users, user_id))
        database.execute("ANALYZE users, bindings")
    return users


async def _ask(api: httpx.AsyncClient, method: str, path: str, **fields: object) -> dict:
    response = await api.request(method, path, json=fields)
    response.raise_for_status()
    return response.json()


async def _register(service: Service, port: int) -> None:
    """Register from the very port at which the phones will answer."""
    host, _, sip_port = service.sip.rpartition(":")
    registrar = Address(host, int(sip_port))
    config = PhoneConfig(listen=(Listen(Transport.UDP, LOOPBACK, port),))
    user = NameAddr(SipUri.parse(f"sip:{FIRST}@{registrar}"))
    async with Phone.open(config, KnownAddresses({LOOPBACK})) as phone:
        response = await phone.request(
            OutOfDialogRequest(
                method="REGISTER",
                target=SipUri.parse(f"sip:{registrar}"),
                from_=user,
                to=user,
                destinations=(Destination(Transport.UDP, registrar.host, registrar.port),),
                headers=(
                    ("Contact", f"<sip:{FIRST}@{LOOPBACK}:{port}>"),
                    ("Expires", "3600"),
                ),
                credentials=Credentials(FIRST, PASSWORD),
            )
        )
    assert response.status == 200, response.status
