"""SIPp as the two parties of a call."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

SCENARIOS = Path(__file__).parent / "scenarios"


def free_port() -> int:
    """Give a UDP port that nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def answerer(scenario: str, port: int, *options: str) -> Iterator[None]:
    """Run SIPp with `scenarios/SCENARIO.xml` on `port` until the block is left."""
    command = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1"]
    command += ["-p", str(port), "-mi", "127.0.0.1", "-nostdin", "-nd", *options]
    with (
        tempfile.TemporaryDirectory(prefix="twoleg-sipp-") as folder,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as sipp,
    ):
        try:
            yield
        finally:
            sipp.kill()
            sipp.wait()
