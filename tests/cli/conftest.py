"""The command line run in this process, against an API that answers as it is told."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        """Run `twoleg ARGUMENTS`."""
        from twoleg.cli import main

        self._monkeypatch.setattr(sys, "argv", ["twoleg", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, said.out, said.err)


@pytest.fixture
def twoleg(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """The command line, in an empty directory and without settings of the environment."""
    # Switches of the tests, such as TWOLEG_SIP_RUNS, would be settings that there are not.
    for name in [name for name in os.environ if name.startswith("TWOLEG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return CommandLine(monkeypatch, capsys)


@dataclass(frozen=True)
class Asked:
    """A request that the API got."""

    method: str
    path: str
    body: Any
    token: str | None
    last_event_id: str | None = None


@dataclass
class Api:
    """Gives the replies of `replies[METHOD PATH]` one after another, the last one for ever.

    One that is text is a stream of events that breaks off at its end.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    replies: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)

    def on(self, request: str, *bodies: Any, status: int = 200) -> None:
        self.replies[request] = [(status, body) for body in bodies]

    def answer(self, asked: Asked) -> tuple[int, Any]:
        self.asked.append(asked)
        replies = self.replies.get(f"{asked.method} {asked.path}")
        if not replies:
            return 404, {"message": "Not Found"}
        return replies.pop(0) if len(replies) > 1 else replies[0]


def encoded(reply: Any) -> bytes:
    return reply if isinstance(reply, bytes) else json.dumps(reply).encode()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """An API that the command line is pointed at."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            is_json = "json" in self.headers.get("Content-Type", "")
            body = json.loads(sent) if is_json else sent or None
            path = self.path.removeprefix("/api/v1")
            token = self.headers.get("Authorization")
            status, reply = api.answer(
                Asked(self.command, path, body, token, self.headers.get("Last-Event-ID"))
            )
            stream = isinstance(reply, str)
            content = reply.encode() if stream else b"" if reply is None else encoded(reply)
            self.send_response(status)
            kind = "text/event-stream" if stream else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        api.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("TWOLEG_URL", api.url)
        monkeypatch.setenv("TWOLEG_TOKEN", "secret-token")
        try:
            yield api
        finally:
            server.shutdown()
            serving.join()
