"""Asking a node: replies that get lost, come twice, late or broken, and a node that is away."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from twoleg.media.rtpengine import ng
from twoleg.media.rtpengine.bencode import decode, encode
from twoleg.media.rtpengine.ng import MAX_REQUEST_BYTES, NgClient, NodeRefused, NodeSilent

LOOPBACK = "127.0.0.1"
PONG = encode({"result": "pong"})


class FakeNode(asyncio.DatagramProtocol):
    """Answers each datagram with what `answer` makes of its cookie and content."""

    def __init__(self):
        self.asked = []
        self.answer = lambda cookie, _: [cookie + b" " + PONG]

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, source):
        cookie, _, body = data.partition(b" ")
        self.asked.append((cookie, decode(body)))
        for reply in self.answer(cookie, len(self.asked)):
            self.transport.sendto(reply, source)


@asynccontextmanager
async def fake_node():
    loop = asyncio.get_running_loop()
    transport, node = await loop.create_datagram_endpoint(FakeNode, local_addr=(LOOPBACK, 0))
    node.port = transport.get_extra_info("sockname")[1]
    try:
        yield node
    finally:
        transport.close()


@pytest.fixture
async def node():
    async with fake_node() as node:
        yield node


@pytest.fixture
async def client(node, monkeypatch):
    """One that sends nothing again, however long the machine takes."""
    monkeypatch.setattr(ng, "RETRANSMIT_SECONDS", (60.0,))
    async with NgClient.open(LOOPBACK, node.port) as client:
        yield client
        assert not client._waiting


async def test_a_request_is_a_dictionary_behind_a_cookie_of_its_own(node, client):
    await client.request("ping")
    await client.request("query", {"call-id": "one"})
    (first, ping), (second, query) = node.asked
    assert ping == {"command": b"ping"}
    assert query == {"command": b"query", "call-id": b"one"}
    assert first != second


async def test_a_lost_request_is_sent_again_with_the_same_cookie(node, client, monkeypatch):
    monkeypatch.setattr(ng, "RETRANSMIT_SECONDS", (0.05, 0.05, 60.0))
    node.answer = lambda cookie, asked: [cookie + b" " + PONG] if asked == 3 else []
    assert await client.request("ping") == {"result": b"pong"}
    assert len({cookie for cookie, _ in node.asked}) == 1


async def test_requests_under_way_at_once_get_each_its_own_reply(node, client):
    held = []

    def answer(cookie, asked):
        held.append(cookie + b" " + encode({"result": "ok", "n": asked}))
        return reversed(held) if asked == 3 else []

    node.answer = answer
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.request("query")) for _ in range(3)]
    assert [task.result()["n"] for task in tasks] == [1, 2, 3]


@pytest.mark.parametrize(
    "rubbish", [b"", b" ", b"d", b"other d6:result4:ponge", b"%s garbage", b"%s i1e", b"%s"]
)
async def test_what_is_no_reply_is_dropped(node, client, rubbish):
    def answer(cookie, _):
        broken = rubbish.replace(b"%s", cookie)
        good = cookie + b" " + PONG
        return [broken, good, good]

    node.answer = answer
    assert await client.request("ping") == {"result": b"pong"}


async def test_a_refusal_says_why(node, client):
    reply = encode({"result": "error", "error-reason": "Unknown call-id"})
    node.answer = lambda cookie, _: [cookie + b" " + reply]
    with pytest.raises(NodeRefused) as refused:
        await client.request("query")
    assert (refused.value.command, refused.value.reason) == ("query", "Unknown call-id")


@pytest.mark.parametrize("reply", [{}, {"result": 1}, {"result": "error", "error-reason": 7}])
async def test_a_reply_without_sense_is_a_refusal(node, client, reply):
    node.answer = lambda cookie, _: [cookie + b" " + encode(reply)]
    with pytest.raises(NodeRefused, match="no reason given"):
        await client.request("query")


async def test_a_node_that_answers_nothing_is_silent(node, client, monkeypatch):
    monkeypatch.setattr(ng, "RETRANSMIT_SECONDS", (0.05, 0.05, 0.05))
    node.answer = lambda *_: []
    with pytest.raises(NodeSilent) as silent:
        await client.request("ping")
    assert silent.value.node == f"{LOOPBACK}:{node.port}"
    assert len(node.asked) == 3


async def test_where_nothing_listens_is_no_use_to_ask_on():
    async with fake_node() as node:
        port = node.port
    async with asyncio.timeout(5), NgClient.open(LOOPBACK, port) as client:
        with pytest.raises(NodeSilent):
            await client.request("ping")


async def test_a_request_that_is_cancelled_waits_for_nothing(node, client):
    node.answer = lambda *_: []
    asking = asyncio.create_task(client.request("ping"))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_what_waits_when_the_client_closes_hears_of_it(node):
    node.answer = lambda *_: []
    async with NgClient.open(LOOPBACK, node.port) as client:
        asking = asyncio.create_task(client.request("ping"))
        await asyncio.sleep(0)
    with pytest.raises(NodeSilent):
        await asking
    with pytest.raises(NodeSilent):
        await client.request("ping")


async def test_a_request_has_a_bound(client):
    with pytest.raises(ValueError, match="bytes"):
        await client.request("play media", {"blob": bytes(MAX_REQUEST_BYTES)})
