"""Agents with registered phones and a line over a trunk, as many as a load needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
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

LOOPBACK = "127.0.0.1"
LINE = "+18552562001"
NO_LIMIT = 10_000
AT_ONCE = 16


@dataclass(frozen=True)
class Agents:
    """Users whose phones are all at one port."""

    user_ids: Sequence[int]


async def set_up(service: Service, agents: int, agent_port: int, contact_port: int) -> Agents:
    """Make the line, its trunk and the users, and register each user at `agent_port`."""
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
        bounded = asyncio.Semaphore(AT_ONCE)

        async def make(number: int) -> dict:
            async with bounded:
                return await _ask(
                    api, "POST", "/users", name=f"Agent {number}",
                    email=f"agent{number}@example.com", sip_username=f"agent{number}",
                    sip_password="a secret of the measurement",
                )  # fmt: skip

        users = await asyncio.gather(*(make(number) for number in range(agents)))
    await _register(service, agents, agent_port)
    return Agents([user["id"] for user in users])


async def _ask(api: httpx.AsyncClient, method: str, path: str, **fields: object) -> dict:
    response = await api.request(method, path, json=fields)
    response.raise_for_status()
    return response.json()


async def _register(service: Service, agents: int, port: int) -> None:
    """Register from the very port at which the phones will answer."""
    host, _, sip_port = service.sip.rpartition(":")
    registrar = Address(host, int(sip_port))
    config = PhoneConfig(listen=(Listen(Transport.UDP, LOOPBACK, port),))
    bounded = asyncio.Semaphore(AT_ONCE)
    async with Phone.open(config, KnownAddresses({LOOPBACK})) as phone:

        async def register(number: int) -> None:
            user = NameAddr(SipUri.parse(f"sip:agent{number}@{registrar}"))
            async with bounded:
                response = await phone.request(
                    OutOfDialogRequest(
                        method="REGISTER",
                        target=SipUri.parse(f"sip:{registrar}"),
                        from_=user,
                        to=user,
                        destinations=(Destination(Transport.UDP, registrar.host, registrar.port),),
                        headers=(
                            ("Contact", f"<sip:agent{number}@{LOOPBACK}:{port}>"),
                            ("Expires", "3600"),
                        ),
                        credentials=Credentials(f"agent{number}", "a secret of the measurement"),
                    )
                )
            assert response.status == 200, response.status

        await asyncio.gather(*(register(number) for number in range(agents)))
