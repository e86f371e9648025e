"""The HTTP client of the data commands; it reads `TWOLEG_URL` and `TWOLEG_TOKEN`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx
import typer

from twoleg.cli.exit_codes import ExitCode

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_SECONDS = 30.0
UPLOAD_TIMEOUT_SECONDS = 180.0
"""A file is converted before the reply comes."""

PAGE_ROWS = 200
SILENCE_SECONDS = 45.0
"""A stream that is silent for so long, heartbeats too, has broken off."""

RESUME_SECONDS = 1.0

Json = dict[str, Any]


@dataclass
class RequestRefused(Exception):
    """The service answered with an error; `errors` holds the messages by field."""

    status: int
    message: str
    errors: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        if self.status in (401, 403):
            return ExitCode.NO_PERMISSION
        later = self.status == httpx.codes.TOO_MANY_REQUESTS or self.status >= 500
        return ExitCode.UNAVAILABLE if later else ExitCode.REFUSED

    def __str__(self) -> str:
        lines = [f"{name}: {text}" for name, texts in self.errors.items() for text in texts]
        if self.status == httpx.codes.UNAUTHORIZED:
            lines.append("Set TWOLEG_TOKEN to a token of the account")
        return "\n".join([self.message, *lines])


class ServiceUnreachable(Exception):
    """No answer came from the service at `url`."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"no answer from {url}: is `twoleg serve` running? Set TWOLEG_URL to reach another one"
        )
        self.url = url


@contextmanager
def connected() -> Iterator[Client]:
    """Give a client; what the service refuses ends the command, with an exit code of its own."""
    try:
        with Client() as client:
            yield client
    except RequestRefused as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(refusal.exit_code) from refusal
    except ServiceUnreachable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNAVAILABLE) from error


class Client:
    """Speaks to `/api/v1` with one token. Use as a context manager."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self.url = (url or os.environ.get("TWOLEG_URL") or DEFAULT_URL).rstrip("/")
        token = token or os.environ.get("TWOLEG_TOKEN", "")
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Accept": "application/json", "Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int) -> Json:
        """GET `path`. Raises RequestRefused, ServiceUnreachable (as all verbs do)."""
        return self._send("GET", path, params=params)

    def post(self, path: str, body: Json) -> Json:
        return self._send("POST", path, json=body)

    def upload(
        self, path: str, content: bytes, content_type: str, params: dict[str, str | int]
    ) -> Json:
        """POST a file."""
        headers = {"Content-Type": content_type}
        return self._send("POST", path, content=content, headers=headers, params=params)

    def send_form(self, method: str, path: str, fields: Mapping[str, str], file: Path) -> Json:
        """Send a form with a file. Raises OSError too."""
        with file.open("rb") as opened:
            files = {"file": (file.name, opened)}
            return self._send(
                method, path, data=fields, files=files, timeout=UPLOAD_TIMEOUT_SECONDS
            )

    def patch(self, path: str, body: Json) -> Json:
        return self._send("PATCH", path, json=body)

    def delete(self, path: str) -> Json:
        return self._send("DELETE", path)

    def pages(self, path: str, most: int, **filters: str) -> Iterator[Json]:
        """Walk through a list, page by page, up to `most` rows."""
        cursor: str | None = None
        while most > 0:
            params: dict[str, str | int] = {**filters, "limit": min(most, PAGE_ROWS)}
            if cursor is not None:
                params["cursor"] = cursor
            page = self._send("GET", path, params=params)
            yield from page["data"]
            most -= len(page["data"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def events(self, **params: str | int) -> Iterator[Json | None]:
        """Follow the account's events for ever; a stream that breaks off is resumed.

        Gives None once it stands: what happens from then on is given. Raises as all verbs do
        before that.
        """
        last_id: str | None = None
        while True:
            headers = {"Accept": "text/event-stream"}
            if last_id is not None:
                headers["Last-Event-ID"] = last_id
            try:
                with self._http.stream(
                    "GET", "/events", params=params, headers=headers, timeout=SILENCE_SECONDS
                ) as response:
                    if response.is_error:
                        response.read()
                        raise _refusal(response)
                    for id_, data in server_sent(response.iter_lines()):
                        if id_ and last_id is None:
                            yield None
                        last_id = id_ or last_id
                        if data:
                            yield json.loads(data)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                if last_id is None:
                    raise ServiceUnreachable(self.url) from error
            except RequestRefused as refusal:
                if last_id is None or refusal.status != httpx.codes.SERVICE_UNAVAILABLE:
                    raise
            time.sleep(RESUME_SECONDS)

    def download(
        self, path: str, file: BinaryIO, *, accept: str = "*/*", **params: str | int
    ) -> None:
        """Write what `path` gives into a file, as it comes. Raises OSError too."""
        headers = {"Accept": accept}
        try:
            with self._http.stream("GET", path, params=params, headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(response)
                file.writelines(response.iter_bytes())
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(self.url) from error

    def _send(self, method: str, path: str, **options: Any) -> Json:
        try:
            response = self._http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(self.url) from error
        if response.is_error:
            raise _refusal(response)
        return _body(response)


def server_sent(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read a stream's lines; give id and data of each of its parts, "" for what is not there."""
    id_ = ""
    data: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        if not line:
            yield id_, "\n".join(data)
            data = []
        elif name == "id":
            id_ = value.removeprefix(" ")
        elif name == "data":
            data.append(value.removeprefix(" "))


def _refusal(response: httpx.Response) -> RequestRefused:
    body = _body(response)
    message = body.get("message", response.reason_phrase)
    return RequestRefused(response.status_code, message, body.get("errors", {}))


def _body(response: httpx.Response) -> Json:
    try:
        body = response.json() if response.content else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
