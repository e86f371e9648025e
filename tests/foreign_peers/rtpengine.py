"""rtpengine as a node of a fleet, with forwarding in user space: no kernel module is needed."""

from __future__ import annotations

import random
import re
import signal
import socket
import subprocess
import time
from typing import Final, Self

from .ports import LOOPBACK, free_port

STOP_SECONDS: Final = 10
ATTEMPTS: Final = 1200
ANSWER_SECONDS: Final = 0.1
RTP_PORTS: Final = 400


class Rtpengine:
    """A node on loopback, with its NG protocol at `place`; it may be killed and started again."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self.place = (LOOPBACK, free_port())
        self._first_rtp = random.randrange(20_000, 60_000, RTP_PORTS)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Run it, and wait until it answers."""
        host, port = self.place
        self._process = subprocess.Popen(
            [
                "rtpengine", "--config-file=none", "--foreground", "--log-stderr", "--log-level=4",
                "--table=-1", "--num-threads=1",
                f"--interface={host}", f"--listen-ng={host}:{port}",
                f"--port-min={self._first_rtp}", f"--port-max={self._first_rtp + RTP_PORTS - 1}",
                *self._options,
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for number in range(ATTEMPTS):
            assert self.is_running, "rtpengine has ended"
            if b"pong" in self._ask(b"%d d7:command4:pinge" % number):
                return
        self.kill()
        raise AssertionError("rtpengine does not answer")

    def kill(self) -> None:
        """End it at once, as a machine that fails does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(STOP_SECONDS)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def calls(self) -> int:
        """How many calls it carries."""
        cookie = b"%d" % random.getrandbits(32)
        told = re.search(rb"sessionstotali(\d+)e", self._ask(cookie + b" d7:command10:statisticse"))
        assert told is not None
        return int(told[1])

    def _ask(self, request: bytes) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(ANSWER_SECONDS)
            try:
                probe.connect(self.place)
                probe.send(request)
                return probe.recv(65_535)
            except (ConnectionRefusedError, TimeoutError):
                time.sleep(ANSWER_SECONDS / 4)
                return b""
