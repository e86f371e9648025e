"""The demo's service: `twoleg serve` on a directory and ports of its own, spoken to by HTTP."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from twoleg.cli.demo.children import Child
from twoleg.cli.demo.script import (
    AGENT_EMAIL,
    AGENT_NAME,
    AGENT_SIP_USERNAME,
    CONTACT,
    LINE,
    LOOPBACK,
    RTP_PORTS,
)

SERVICE_RTP_PORTS = 100
API = "/api/v1"
DATA = "data: "
SILENCE_SECONDS = 45.0
"""A stream of events has heartbeats more often than that."""

CONTRACT_PATH = "/api/v1/webhook/two-legged-call"


@dataclass(frozen=True, slots=True)
class Agent:
    """The user whose phone registers."""

    user_id: int
    sip_username: str
    sip_password: str


class UnexpectedReply(Exception):
    """The service answered the demo with an error."""

    def __init__(self, request: str, response: httpx.Response) -> None:
        super().__init__(f"{request} was answered with {response.status_code}: {response.text}")
        self.status = response.status_code


class Service:
    """A running service and its API."""

    def __init__(self, http: httpx.AsyncClient, token: str, sip: str) -> None:
        self._http = http
        self._token = token
        self._headers = {"Authorization": f"Bearer {token}"}
        self.sip = sip

    @classmethod
    @asynccontextmanager
    async def start(
        cls, directory: Path, *options: str, simulator: bool = False
    ) -> AsyncIterator[Service]:
        """Start everything in `directory`, and wait until calls can be placed.

        `options` are further ones of `serve`; with `simulator` a trunk of numbers is there too.
        """
        rtp = random.choice(RTP_PORTS[: -2 * SERVICE_RTP_PORTS : 2])
        arguments = [
            "twoleg", "serve", "--supervised", "--data-dir", "data",
            "--http", f"{LOOPBACK}:0", "--sip", f"{LOOPBACK}:0",
            "--rtp-ports", f"{rtp}-{rtp + SERVICE_RTP_PORTS - 1}",
            "--log-level", "warning", "--log-format", "console", *options,
        ]  # fmt: skip
        if simulator:
            ports = f"{rtp + SERVICE_RTP_PORTS}-{rtp + 2 * SERVICE_RTP_PORTS - 1}"
            arguments += ["--simulator", "--simulator-sip", f"{LOOPBACK}:0"]
            arguments += ["--simulator-rtp-ports", ports]
        async with Child.start("service", arguments, directory) as child:
            token = url = sip = ""
            while not url:
                words = (await child.line()).split()
                if words[:1] == ["account"]:
                    token = words[3]
                elif words[:1] == ["ready"]:
                    url, sip = words[1], words[2].removeprefix("sip:")
            async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                yield cls(http, token, sip)

    async def furnish(self, contact_port: int) -> Agent:
        """Make the trunk to the contact's phone, the line, and the agent."""
        trunk = await self.create("/trunks", name="Demo", host=LOOPBACK, port=contact_port)
        await self.create("/lines", phone_number=LINE, trunk_ids=[trunk["id"]])
        user = await self.create(
            "/users", name=AGENT_NAME, email=AGENT_EMAIL, sip_username=AGENT_SIP_USERNAME
        )
        return Agent(user["id"], user["sip_username"], user["sip_password"])

    async def place(self, agent: Agent) -> str:
        """Send the one request of the contract; return where the call's record is."""
        response = await self._http.post(
            CONTRACT_PATH,
            json={
                "api_token": self._token,
                "user_id": agent.user_id,
                "contact_phone_number": CONTACT,
                "line_phone_number": LINE,
            },
        )
        if response.status_code != httpx.codes.ACCEPTED:
            raise UnexpectedReply(f"POST {CONTRACT_PATH}", response)
        return response.headers["Location"]

    async def record(self, location: str) -> dict[str, Any]:
        """Get the call as it is now."""
        return await self._ask("GET", location)

    async def create(self, path: str, **fields: object) -> dict[str, Any]:
        """POST a thing, and return it. Raises UnexpectedReply."""
        return await self._ask("POST", f"{API}{path}", fields)

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """GET what `path` is about. Raises UnexpectedReply."""
        return await self._ask("GET", f"{API}{path}", query=query)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Give every event of the account, from the first on, as they come; ends never."""
        url, query = f"{API}/events", {"last_event_id": 0}
        async with self._http.stream(
            "GET", url, params=query, headers=self._headers, timeout=SILENCE_SECONDS
        ) as response:
            if response.is_error:
                await response.aread()
                raise UnexpectedReply(f"GET {url}", response)
            async for line in response.aiter_lines():
                if line.startswith(DATA):
                    yield json.loads(line.removeprefix(DATA))

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        response = await self._http.request(
            method, path, json=body, params=query, headers=self._headers
        )
        if response.is_error:
            raise UnexpectedReply(f"{method} {path}", response)
        thing: dict[str, Any] = response.json()
        return thing
