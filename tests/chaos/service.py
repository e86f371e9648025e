"""A service of parts that are started one by one, each killed and started again at will."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twoleg.store import EmbeddedServer
from twoleg.store.errors import EmbeddedServerFailed

LOOPBACK = "127.0.0.1"
READY_SECONDS = 90
RTP_PORTS = 2000
FIRST_RTP_PORT = 44_000


def free_port() -> int:
    """A port that nobody has, for TCP and UDP."""
    with socket.socket() as stream:
        stream.bind((LOOPBACK, 0))
        return int(stream.getsockname()[1])


@dataclass(eq=False)
class Part:
    """One process of twoleg."""

    name: str
    arguments: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        with self.log.open("ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "twoleg", *self.arguments,
                stdin=DEVNULL, stdout=PIPE, stderr=errors, env=self.environment,
            )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(READY_SECONDS):
            said = await self.process.stdout.readline()
        if not said.startswith(b"ready"):
            raise AssertionError(f"{self.name} did not start: {self.log.read_text()[-2000:]}")

    async def kill(self) -> None:
        """End it as nothing can be caught."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        process = self.process
        if process is not None and process.returncode is None:
            process.send_signal(number)
            await process.wait()


@dataclass(eq=False)
class Parts:
    """An api, two engines, a worker or two, and the PostgreSQL that they share."""

    server: EmbeddedServer
    directory: Path
    workers: int = 1
    http_port: int = field(default_factory=free_port)
    sip_ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    parts: dict[str, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add("api", "api", "--http", f"{LOOPBACK}:{self.http_port}")
        for number, port in enumerate(self.sip_ports, 1):
            low = FIRST_RTP_PORT + RTP_PORTS * number
            self._add(
                f"engine {number}", "engine", "--sip", f"{LOOPBACK}:{port}",
                "--rtp-ports", f"{low}-{low + RTP_PORTS - 1}",
            )  # fmt: skip
        for name in ("worker", "worker 2")[: self.workers]:
            self._add(name, "worker")

    def _add(self, name: str, *arguments: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TWOLEG_")}
        environment = {
            **kept,
            "TWOLEG_DATABASE_URL": self.server.url,
            "TWOLEG_LOG_LEVEL": "warning",
            "TWOLEG_DRAIN_SECONDS": "1",
            # Nobody who is rung here sends audio.
            "TWOLEG_SILENT_SECONDS": "0",
            "TWOLEG_WEBHOOKS_ALLOW_PRIVATE": "true",
        }
        log = self.directory / f"{name.replace(' ', '-')}.log"
        self.parts[name] = Part(name, arguments, environment, log)

    async def start(self) -> None:
        async with asyncio.TaskGroup() as group:
            for part in self.parts.values():
                group.create_task(part.start())

    def fallen(self) -> list[str]:
        """The parts that ended though nobody killed them."""
        return [
            f"the {part.name} ended by itself with {part.process.returncode}"
            for part in self.parts.values()
            if part.process is not None and part.process.returncode is not None
        ]

    async def stop(self) -> None:
        await asyncio.gather(*[part.stop() for part in self.parts.values()])

    async def kill_database(self) -> None:
        """Kill PostgreSQL; its other processes end once they see that it is gone."""
        os.kill(self.server.pid, signal.SIGKILL)

    async def revive_database(self) -> None:
        """Start PostgreSQL again, as soon as what was left of it is gone."""
        for _ in range(100):
            try:
                await asyncio.to_thread(self.server.revive)
            except EmbeddedServerFailed:
                await asyncio.sleep(0.2)
            else:
                return
        raise AssertionError("PostgreSQL does not start again")
