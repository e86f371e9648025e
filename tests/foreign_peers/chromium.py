"""Chromium, a browser, told what to do over its DevTools protocol; its microphone is a file."""

from __future__ import annotations

import contextlib
import functools
import http.server
import itertools
import json
import subprocess
import threading
import time
import urllib.request
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from .ports import LOOPBACK

START_SECONDS: Final = 30
STOP_SECONDS: Final = 10
REPLY_SECONDS: Final = 45
POLL_SECONDS: Final = 0.05

PAGES: Final = Path(__file__).parents[1] / "browser"

_OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--mute-audio",
    "--remote-debugging-port=0",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
)


class Page:
    """A page that is open in a running browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def run(self, script: str) -> Any:
        """Run JavaScript in the page, and give what it comes to; promises are waited for."""
        reply = self._ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def wait_until(self, script: str) -> Any:
        """Run JavaScript until it gives something that is true, and give that."""
        give_up = time.monotonic() + REPLY_SECONDS
        while not (value := self.run(script)):
            assert time.monotonic() < give_up, script
            time.sleep(POLL_SECONDS)
        return value

    def _ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(REPLY_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]


@contextlib.contextmanager
def chromium(folder: Path, says: array[int], sample_rate: int, *options: str) -> Iterator[Page]:
    """Open the phone's page in Chromium until the block is left; `says` is what its user says."""
    folder.mkdir()
    speech, profile = folder / "speech.wav", folder / "profile"
    with wave.open(str(speech), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(says.tobytes())
    command = [
        "chromium", *_OPTIONS, f"--user-data-dir={profile}",
        f"--use-file-for-fake-audio-capture={speech}", *options, "about:blank",
    ]  # fmt: skip
    with (
        _served(PAGES) as url,
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            with connect(_debugger(process, profile, f"{url}/phone.html"), max_size=None) as socket:
                page = Page(socket)
                page.wait_until("document.readyState === 'complete' && typeof Phone === 'function'")
                yield page
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _debugger(process: subprocess.Popen[bytes], profile: Path, url: str) -> str:
    """Open a page once the browser has said where it is told what to do."""
    told = profile / "DevToolsActivePort"
    give_up = time.monotonic() + START_SECONDS
    while not (told.exists() and "\n" in told.read_text()):
        assert process.poll() is None, "chromium has ended"
        assert time.monotonic() < give_up, "chromium does not start"
        time.sleep(POLL_SECONDS)
    port = told.read_text().split()[0]
    asked = urllib.request.Request(f"http://{LOOPBACK}:{port}/json/new?{url}", method="PUT")
    with urllib.request.urlopen(asked, timeout=START_SECONDS) as reply:
        return str(json.load(reply)["webSocketDebuggerUrl"])


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve files by HTTP on loopback, where browsers trust pages with the microphone."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
