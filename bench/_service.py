"""The service under measurement: `twoleg serve` on loopback, and the CPU that its parts spend."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

STOP_SECONDS = 20


@dataclass(frozen=True)
class Service:
    """A running service with one account."""

    url: str
    sip: str
    token: str
    data_dir: Path
    process: psutil.Process

    def api(self) -> httpx.Client:
        """Give a client of the native API."""
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )

    def create(self, path: str, **fields: object) -> dict[str, object]:
        """Make one thing through the API."""
        with self.api() as client:
            response = client.post(path, json=fields)
            response.raise_for_status()
            return response.json()

    def cpu_seconds(self) -> dict[str, float]:
        """Give the CPU seconds spent so far by each part, and by PostgreSQL."""
        spent = {"api": 0.0, "engine": 0.0, "worker": 0.0, "supervisor": 0.0, "postgres": 0.0}
        for process in [self.process, *self.process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                command = process.cmdline()
                part = next((name for name in command[2:5] if name in spent), "supervisor")
                if process.name() != "postgres":
                    spent[part] += _seconds(process)
        for process in self.postgres():
            with contextlib.suppress(psutil.NoSuchProcess):
                spent["postgres"] += _seconds(process)
        return spent

    def postgres(self) -> list[psutil.Process]:
        """Give the embedded server's processes, backends included."""
        for process in psutil.process_iter(["name", "cmdline"]):
            if process.info["name"] == "postgres" and any(
                str(self.data_dir) in word for word in process.info["cmdline"] or ()
            ):
                return [process, *process.children(recursive=True)]
        return []


def _seconds(process: psutil.Process) -> float:
    # What children that ended have spent is theirs: PostgreSQL's short-lived backends count.
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


@contextlib.contextmanager
def service(*options: str) -> Iterator[Service]:
    """Start `twoleg serve` with a fresh data directory; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="twoleg-bench-") as temporary:
        data_dir = Path(temporary) / "data"
        command = [sys.executable, "-m", "twoleg", "serve", "--data-dir", str(data_dir)]
        command += ["--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", *options]
        environment = {**os.environ, "TWOLEG_LOG_LEVEL": "warning"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as started:
            try:
                assert started.stdout is not None
                words: list[str] = []
                for line in started.stdout:
                    words = line.split()
                    if words[:1] == ["ready"]:
                        break
                token = json.loads(
                    subprocess.run(
                        [*command[:3], "setup", "--data-dir", str(data_dir), "--json"],
                        check=True, capture_output=True, text=True,
                    ).stdout
                )["token"]  # fmt: skip
                yield Service(
                    words[1], words[2].removeprefix("sip:"), token, data_dir,
                    psutil.Process(started.pid),
                )  # fmt: skip
            finally:
                started.send_signal(signal.SIGTERM)
                started.wait(STOP_SECONDS)
