"""The contract on the wire: curl against a server, as a client in any language would."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, nullcontext

import pytest
import uvicorn
from call_contract import ACCEPTED, CONTRACT, PATH, REQUESTS, with_token


class Server(uvicorn.Server):
    def capture_signals(self):
        return nullcontext()


@asynccontextmanager
async def served(app):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        server = Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def url(app):
    """The URL of the app on a port of its own."""
    async with served(app) as url:
        yield url


@pytest.fixture
def curl(url):
    """Run curl; returns status and body of the reply."""

    async def run(path, *arguments, given=b""):
        process = await asyncio.create_subprocess_exec(
            *("curl", "--silent", "--show-error", "--max-time", "60", "--write-out"),
            *("\n%{http_code}", f"{url}{path}", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(given)
        assert process.returncode == 0, errors.decode()
        body, _, status = output.decode().rpartition("\n")
        return int(status), json.loads(body)

    return run


def options(option, fields):
    return [word for name, value in fields.items() for word in (option, f"{name}={value}")]


@pytest.mark.parametrize("case", REQUESTS, ids=[each["name"] for each in REQUESTS])
async def test_curl_places_a_call_with_each_body_of_the_contract(case, account, curl, execute):
    body = with_token(case["body"], account.token)
    headers = [f"-H{name}: {value}" for name, value in CONTRACT["headers"].items()]
    assert await curl(PATH, *headers, "--data", json.dumps(body)) == ACCEPTED
    assert await curl(PATH, *options("--data-urlencode", body)) == ACCEPTED
    assert await curl(PATH, *options("--form", body)) == ACCEPTED
    assert await execute("SELECT count(*), count(DISTINCT id) FROM calls") == [(3, 3)]


async def test_curl_gets_the_refusals_of_the_contract(account, curl):
    for case in CONTRACT["rejected"]["cases"]:
        body = json.dumps(with_token(case["request"], account.token))
        headers = [f"-H{name}: {value}" for name, value in CONTRACT["headers"].items()]
        reply = await curl(PATH, *headers, "--data", body)
        assert reply == (CONTRACT["rejected"]["status"], case["body"])


async def test_a_body_of_ten_megabytes_is_refused_and_the_client_hears_why(account, curl):
    body = json.dumps({"api_token": account.token, "x": "x" * 10_000_000}).encode()
    arguments = ("-H", "Content-Type: application/json", "--data-binary", "@-")
    status, reply = await curl(PATH, *arguments, given=body)
    assert (status, reply) == (413, {"message": "The body is larger than 1048576 bytes."})


async def test_requests_in_a_pipeline_are_each_answered_and_each_stored_once(account, url, execute):
    host, _, port = url.removeprefix("http://").partition(":")
    body = json.dumps(with_token(REQUESTS[0]["body"], account.token)).encode()
    request = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request * 5)
    for _ in range(5):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202 ")
        await reader.readexactly(len(json.dumps(ACCEPTED[1], separators=(",", ":"))))
    writer.close()
    await writer.wait_closed()
    assert await execute("SELECT count(*) FROM calls") == [(5,)]


async def test_a_client_that_leaves_in_the_middle_of_its_body_places_nothing(
    account, url, execute, curl
):
    host, _, port = url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {PATH}?api_token={account.token} HTTP/1.1\r\nHost: x\r\n"
        "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{".encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await curl("/health"))[0] == 200
    assert await execute("SELECT count(*) FROM calls") == [(0,)]
