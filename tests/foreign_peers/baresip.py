"""baresip, a softphone: it plays a file to the far end and records what it hears."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import wave
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from .ports import LOOPBACK, free_port

START_SECONDS: Final = 30
STOP_SECONDS: Final = 10
EVENT_SECONDS: Final = 45
POLL_SECONDS: Final = 0.05
HEAD_BYTES: Final = 44
"""Of a WAV file, with the sampling rate at its 24th byte."""
SAMPLE_RATE: Final = 8000

_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
net_interface {host}
call_max_calls 4
audio_source aufile,{plays}
audio_player aubridge,none
audio_alert aubridge,none
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {records}
module_app account.so
module_app menu.so
module_tmp uuid.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
"""


class Baresip:
    """A running baresip, told what to do and telling what happens over its control port."""

    def __init__(self, port: int, records: Path, control: socket.socket) -> None:
        self.port = port
        self._records = records
        self._control = control
        self._unread = b""

    def command(self, command: str, parameters: str = "") -> None:
        """Give a command of baresip's menu, such as `dial` or `hangup`."""
        self._send({"command": command, "params": parameters, "token": command})

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read events until one of the type `event` (`REGISTER_OK`, `CALL_ESTABLISHED`, ...)."""
        while True:
            message = self._receive()
            if message.get("type") == event:
                return message

    def listen(self, seconds: float) -> None:
        """Let the far end say so much more: what has come of it is in the file of what is heard."""
        enough = self._heard_seconds() + seconds
        give_up = time.monotonic() + EVENT_SECONDS
        while self._heard_seconds() < enough:
            assert time.monotonic() < give_up, "the far end has fallen silent"
            time.sleep(POLL_SECONDS)

    def _heard_seconds(self) -> float:
        for recording in self._records.glob("dump-*-dec.wav"):
            with recording.open("rb") as file:
                head = file.read(HEAD_BYTES)
            if len(head) == HEAD_BYTES:
                rate = int.from_bytes(head[24:28], "little")
                return (recording.stat().st_size - HEAD_BYTES) / (2 * rate)
        return 0.0

    def heard(self) -> array[int]:
        """Give the samples that the far end of the last call sent, once baresip has ended."""
        recording = max(self._records.glob("dump-*-dec.wav"), key=lambda path: path.name)
        with wave.open(str(recording)) as file:
            assert file.getnchannels() == 1
            # G.722 has twice the samples, which tones that G.711 carries do not need.
            step = file.getframerate() // SAMPLE_RATE
            return array("h", file.readframes(file.getnframes()))[::step]

    def _send(self, message: dict[str, str]) -> None:
        text = json.dumps(message).encode()
        self._control.sendall(b"%d:%b," % (len(text), text))

    def _receive(self) -> dict[str, Any]:
        # Netstrings: LENGTH:JSON,
        while True:
            length, colon, rest = self._unread.partition(b":")
            if colon and len(rest) > int(length):
                self._unread = rest[int(length) + 1 :]
                message: dict[str, Any] = json.loads(rest[: int(length)])
                return message
            received = self._control.recv(65536)
            if not received:
                raise AssertionError("baresip has ended")
            self._unread += received


@contextlib.contextmanager
def baresip(
    folder: Path, account: Callable[[int], str], plays: array[int], *further: str
) -> Iterator[Baresip]:
    """Run baresip on loopback until the block is left.

    `account` gives the account line for the port that it gets; `plays` is what it says in calls.
    `further` are lines of its configuration. With a certificate it takes TLS at the next port.
    """
    folder.mkdir()
    port, control = free_port(), free_port()
    speech, records = folder / "speech.wav", folder / "records"
    records.mkdir()
    with wave.open(str(speech), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(plays.tobytes())
    (folder / "config").write_text(
        _CONFIG.format(
            host=LOOPBACK, port=port, control=control, plays=speech, records=records,
            rate=SAMPLE_RATE,
        ) + "".join([f"{line}\n" for line in further])
    )  # fmt: skip
    (folder / "accounts").write_text(account(port) + "\n")
    (folder / "contacts").touch()
    with subprocess.Popen(
        ["baresip", "-f", str(folder)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "baresip is ready" in line:
                    break
            else:
                raise AssertionError("".join(said))
            with (
                contextlib.closing(process.stdout),
                socket.create_connection((LOOPBACK, control), START_SECONDS) as connection,
            ):
                connection.settimeout(EVENT_SECONDS)
                yield Baresip(port, records, connection)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
