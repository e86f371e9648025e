"""How long twoleg lets people wait: from the request to the ring, from the answer to the voice.

Both parties are phones in this process, over real SIP and RTP. Three times are taken of each call:
from the POST to the agent's INVITE, from the ACK of the agent's answer to the contact's INVITE, and
from the contact's 200 until each has heard the other. For the last one both send a packet every
quarter of a millisecond, so that its resolution is that, and not the 20 ms of a phone.

The phones go before all else, as far as the system lets them: people's phones have processors of
their own, and do not wait for the database's turn. What they spend is still taken from the service.
"""

import argparse
import asyncio
import gc
import json
import math
import re
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import uvloop
from _answerers import free_port
from _directory import LINE, LOOPBACK, set_up
from _figures import figure, machine, percentile
from _requests import Load, post
from _service import Service, service

from twoleg.cli.precedence import take_precedence
from twoleg.sip import Transport
from twoleg.sip_io import IncomingCall, KnownAddresses, Listen, Phone, PhoneConfig

PATH = "/api/v1/webhook/two-legged-call"
CONNECTIONS = 64
TALK_SECONDS = 0.2
BURST_SECONDS = 0.05
SPACING_SECONDS = 0.00025
AUDIO = re.compile(rb"m=audio (\d+) ")
AGENT_SAYS, CONTACT_SAYS = b"\x11" * 160, b"\x22" * 160


Party = Callable[[IncomingCall, float], Coroutine[None, None, None]]


@dataclass
class Times:
    """Moments of one call, in seconds of the monotonic clock."""

    posted: float = math.nan
    agent_invited: float = math.nan
    acknowledged: float = math.nan
    contact_invited: float = math.nan
    answered: float = math.nan
    agent_heard: float = math.nan
    contact_heard: float = math.nan


@dataclass
class Voice:
    """One party's RTP: raw packets, and when the other's were first heard."""

    other_says: bytes
    heard_at: float = math.nan
    sequence: int = 0
    opened: socket.socket = field(default_factory=lambda: _bound())

    def answer(self) -> bytes:
        port = self.opened.getsockname()[1]
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        ).encode()

    def say(self, payload: bytes, port: int) -> None:
        self.sequence += 1
        head = b"\x80\x00" + self.sequence.to_bytes(2, "big")
        head += (160 * self.sequence).to_bytes(4, "big") + b"talk"
        self.opened.sendto(head + payload, (LOOPBACK, port))

    def listen(self) -> None:
        try:
            while True:
                data = self.opened.recv(2048)
                if math.isnan(self.heard_at) and data[12:] == self.other_says:
                    self.heard_at = time.monotonic()
        except BlockingIOError:
            return


def _bound() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    opened.bind((LOOPBACK, 0))
    return opened


def main() -> None:
    arguments = _arguments()
    machine()
    agent_port, contact_port = free_port(), free_port()
    with service() as running:
        take_precedence()
        gc.disable()  # a look through all that is kept here would pass for the service's
        uvloop.run(_run(running, arguments, agent_port, contact_port))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each rate")
    return parser.parse_args()


async def _run(
    running: Service, arguments: argparse.Namespace, agent_port: int, contact_port: int
) -> None:
    agents = await set_up(running, 3 * max(arguments.rates), agent_port, contact_port)
    known = KnownAddresses({LOOPBACK})
    async with (
        Phone.open(_config(agent_port), known) as agent,
        Phone.open(_config(contact_port), known) as contact,
    ):
        for rate in arguments.rates:
            bench = Bench(agent, contact)
            await bench.run(running, agents.user_ids, rate, round(rate * arguments.seconds))
            bench.report(rate)


def _config(port: int) -> PhoneConfig:
    listen = (Listen(Transport.UDP, LOOPBACK, port),)
    return PhoneConfig(listen=listen, accept_calls=True, max_incoming=1000)


class Bench:
    """Places calls at one rate, and takes their times."""

    def __init__(self, agent: Phone, contact: Phone) -> None:
        self._agent = agent
        self._contact = contact
        self._times: dict[str, Times] = {}
        self._agents: dict[str, tuple[Voice, int]] = {}

    async def run(self, running: Service, users: list[int], rate: int, count: int) -> None:
        host, _, port = running.url.removeprefix("http://").rpartition(":")
        load = Load(host, int(port), CONNECTIONS)
        numbers = [f"+1818{2_000_000 + rate * 1000 + number}" for number in range(count)]
        self._times = {number: Times() for number in numbers}
        requests = [
            post(
                PATH,
                json.dumps(
                    {
                        "api_token": running.token,
                        "user_id": users[position % len(users)],
                        "contact_phone_number": number,
                        "line_phone_number": LINE,
                    }
                ).encode(),
            )
            for position, number in enumerate(numbers)
        ]
        async with asyncio.TaskGroup() as group:
            taking = [
                group.create_task(self._take(group, self._agent, self._be_agent)),
                group.create_task(self._take(group, self._contact, self._be_contact)),
            ]
            await load.open()
            began = time.monotonic()
            for position, number in enumerate(numbers):
                self._times[number].posted = began + position / rate
            await load.run(requests, rate)
            await load.close()
            await asyncio.sleep(2 * TALK_SECONDS + 1)
            for task in taking:
                task.cancel()

    async def _take(self, group: asyncio.TaskGroup, phone: Phone, be: Party) -> None:
        async for call in phone.incoming():
            group.create_task(be(call, time.monotonic()))

    async def _be_agent(self, call: IncomingCall, now: float) -> None:
        number = call.request.from_.uri.user
        times = self._times[number]
        times.agent_invited = now
        voice = Voice(CONTACT_SAYS)
        port = int(AUDIO.search(call.offer)[1])
        self._agents[number] = (voice, port)
        asyncio.get_running_loop().add_reader(voice.opened, voice.listen)
        try:
            call.accept(voice.answer())
            if await call.leg.established():
                times.acknowledged = time.monotonic()
                voice.say(AGENT_SAYS, port)
            await call.ended()
            times.agent_heard = voice.heard_at
        finally:
            asyncio.get_running_loop().remove_reader(voice.opened)
            voice.opened.close()

    async def _be_contact(self, call: IncomingCall, now: float) -> None:
        number = call.request.to.uri.user
        times = self._times[number]
        times.contact_invited = now
        voice = Voice(AGENT_SAYS)
        agent, agent_port = self._agents[number]
        port = int(AUDIO.search(call.offer)[1])
        loop = asyncio.get_running_loop()
        loop.add_reader(voice.opened, voice.listen)
        try:
            times.answered = time.monotonic()
            call.accept(voice.answer())
            said_at = 0.0
            while (now := time.monotonic()) < times.answered + BURST_SECONDS and math.isnan(
                voice.heard_at + agent.heard_at
            ):
                if now >= said_at + SPACING_SECONDS:
                    said_at = now
                    voice.say(CONTACT_SAYS, port)
                    agent.say(AGENT_SAYS, agent_port)
                await asyncio.sleep(0)  # timers know whole milliseconds only
            times.contact_heard = voice.heard_at
            await asyncio.sleep(TALK_SECONDS)
            call.hang_up()
        finally:
            loop.remove_reader(voice.opened)
            voice.opened.close()

    def report(self, rate: int) -> None:
        every = list(self._times.values())
        heard = [max(times.agent_heard, times.contact_heard) - times.answered for times in every]
        spans = {
            "post_to_agent_invite": [times.agent_invited - times.posted for times in every],
            "agent_ack_to_contact_invite": [
                times.contact_invited - times.acknowledged for times in every
            ],
            "answer_to_audio": heard,
        }
        figure(f"latency.{rate}.calls", len(every), "calls")
        for name, seconds in spans.items():
            taken = [each for each in seconds if not math.isnan(each)]
            figure(f"latency.{rate}.{name}.missing", len(seconds) - len(taken), "calls")
            for per_cent in (50, 99):
                value = 1000 * percentile(taken, per_cent)
                figure(f"latency.{rate}.{name}.p{per_cent}", value, "ms")


if __name__ == "__main__":
    main()
