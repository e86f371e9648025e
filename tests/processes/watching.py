"""Starting, watching and ending processes of twoleg."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeVar

import httpx
import pytest

LOOPBACK: Final = "127.0.0.1"
WAIT_SECONDS: Final = 100
STOP_SECONDS: Final = 30
"""How long is waited for an end; serve itself kills what has not ended after 7.5 s."""
POLL_SECONDS: Final = 0.02
MARK: Final = "PROCESSES_OF_A_TEST"
RTP_PORTS: Final = 200

Answer = TypeVar("Answer")


def wait_until(ask: Callable[[], Answer | None], what: str) -> Answer:
    """Ask until the answer is something: there is no event of another process to await."""
    give_up = time.monotonic() + WAIT_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        time.sleep(POLL_SECONDS)
    return answer


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def command_of(pid: int) -> list[str]:
    """The words of its command line; none where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


@dataclass
class Marked:
    """Processes started here, and all that they start, carry a mark in their environment."""

    mark: str

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `twoleg ARGUMENTS` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "twoleg", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_SECONDS,
            env=self.environment(environment),
        )

    def start(
        self, *arguments: str, errors: IO[str] | int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        """Start `twoleg ARGUMENTS`; what it logs goes to `errors`."""
        return subprocess.Popen(
            [sys.executable, "-m", "twoleg", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=self.environment(environment),
        )

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TWOLEG_")}
        return {**kept, "TWOLEG_LOG_LEVEL": "warning", MARK: self.mark, **more}

    def left(self) -> list[tuple[int, list[str]]]:
        """The processes with the mark that run, by id and command."""
        found = []
        wanted = f"{MARK}={self.mark}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0") and alive(
                    int(entry.name)
                ):
                    found.append((int(entry.name), command_of(int(entry.name))))
        return found

    def none_left(self) -> bool:
        return not self.left()

    def kill(self) -> None:
        """Leave nothing behind where a test failed."""
        for pid, _ in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Serving:
    """A `twoleg serve` that has said that it is ready."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str
    sip: str
    said: Sequence[str]

    @property
    def token(self) -> str:
        """The token of the account that it made, printed once."""
        [line] = [line for line in self.said if line.startswith("account ")]
        return line.split()[3]

    def parts(self) -> dict[str, int]:
        """The process ids of the parts."""
        commands = {pid: command_of(pid) for pid in children(self.process.pid)}
        return {words[3]: pid for pid, words in commands.items() if words[4:] == ["--supervised"]}

    def postgres(self) -> int:
        """The process id of the embedded server."""
        return int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return httpx.get(f"{self.url}/api/v1{path}", headers=headers, timeout=WAIT_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = STOP_SECONDS) -> int:
        """Tell it to stop; its exit code, unless it takes longer than it may."""
        self.process.send_signal(number)
        return self.process.wait(within)


@dataclass(frozen=True)
class Serve:
    """Starts `twoleg serve` on free ports."""

    marked: Marked
    rtp_ports: str

    def start(
        self,
        data_dir: Path,
        *options: str,
        errors: IO[str] | int = subprocess.PIPE,
        **environment: str,
    ) -> subprocess.Popen[str]:
        return self.marked.start(
            "serve", "--data-dir", str(data_dir), "--http", f"{LOOPBACK}:0",
            "--sip", f"{LOOPBACK}:0", "--rtp-ports", self.rtp_ports, *options,
            errors=errors, **environment,
        )  # fmt: skip

    def refused(
        self, data_dir: Path, *options: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Start one that cannot run; how it ended."""
        process = self.start(data_dir, *options, **environment)
        out, err = process.communicate(timeout=WAIT_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextlib.contextmanager
    def __call__(self, data_dir: Path, *options: str, **environment: str) -> Iterator[Serving]:
        """Run one until the block is left, if it still runs then."""
        log = data_dir.with_suffix(".log")
        with log.open("a") as errors:
            process = self.start(data_dir, *options, errors=errors, **environment)
        with process:
            try:
                said = _until_ready(process)
                if process.poll() is not None:
                    pytest.fail(f"serve ended with {process.returncode}: {log.read_text()}")
                _, url, sip = said[-1].split()
                yield Serving(process, data_dir, url, sip.removeprefix("sip:"), said)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    process.wait(STOP_SECONDS)


def _until_ready(process: subprocess.Popen[str]) -> list[str]:
    """What it printed up to its `ready` line, or up to its end."""
    said: list[str] = []
    too_late = threading.Timer(WAIT_SECONDS, process.kill)
    too_late.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.strip())
            if line.startswith("ready "):
                return said
        process.wait()
        return said
    finally:
        too_late.cancel()
