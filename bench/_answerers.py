"""SIPp as the two parties of a call."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SCENARIOS = Path(__file__).parent / "scenarios"
LOOK_SECONDS = 0.02


def free_port() -> int:
    """Give a UDP port that nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def answerer(scenario: str, port: int, *options: str) -> Iterator[None]:
    """Run SIPp with `scenarios/SCENARIO.xml` on `port` until the block is left.

    The block begins once SIPp listens, of which it says nothing itself.
    """
    command = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1"]
    command += ["-p", str(port), "-mi", "127.0.0.1", "-nostdin", "-nd", *options]
    with (
        tempfile.TemporaryDirectory(prefix="twoleg-sipp-") as folder,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as sipp,
    ):
        try:
            while not _is_listened_on(port):
                if sipp.poll() is not None:
                    raise SystemExit(f"SIPp ended by itself: {' '.join(command)}")
                time.sleep(LOOK_SECONDS)
            yield
        finally:
            sipp.kill()
            sipp.wait()


def _is_listened_on(port: int) -> bool:
    return f" 0100007F:{port:04X} " in Path("/proc/net/udp").read_text()
