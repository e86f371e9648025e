"""Prompts played at once: how evenly their packets leave, and what they cost.

The media plane plays in a process of its own; this one receives. A packet's time is the kernel's
time stamp of it, so that a late receiver is not taken for a late sender. Jitter is how far each
packet is from its own stream's grid of 20 ms.
"""

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
import resource
import select
import socket
import statistics
import struct
import time
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import uvloop
from _figures import figure, machine, percentile

from twoleg.cli.precedence import take_precedence
from twoleg.media import Audio, Codec, EmbeddedPlane, RemoteStream
from twoleg.prompts import PromptSound

LOOPBACK = "127.0.0.1"
PORTS = range(10_000, 32_000)
FRAME_SECONDS = 0.020
SOCKETS = 50
"""Receiving ones: a default socket buffer holds 10 ms of all the packets, but 0.5 s of a 50th."""

SO_TIMESTAMPNS = 35  # Linux; the socket module has no name for it
STAMP = struct.Struct("@ll")
PROMPT_SECONDS = 2.0


def main() -> None:
    arguments = _arguments()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    machine()
    few = max(1, arguments.prompts // 10)
    codec = Codec[arguments.codec]
    costs = {
        prompts: _report(prompts, _measure(prompts, codec, arguments.seconds))
        for prompts in (few, arguments.prompts)
    }
    growth = costs[arguments.prompts] / costs[few]
    figure(f"prompts.cost_growth_{few}_to_{arguments.prompts}", growth, "ratio")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each measurement")
    parser.add_argument("--codec", choices=[codec.name for codec in Codec], default="PCMU")
    return parser.parse_args()


@dataclass
class Measured:
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    arrivals: dict[int, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    """By SSRC, each packet's sequence number and time."""


def _report(prompts: int, measured: Measured) -> float:
    """Print the figures, and return the processor time a prompt takes."""
    off_grid: list[float] = []
    off_interval: list[float] = []
    lost = 0
    for packets in measured.arrivals.values():
        # A sequence number that wraps goes on upwards.
        first = packets[0][0]
        turns = [((sequence - first) & 0xFFFF, at) for sequence, at in packets]
        lost += turns[-1][0] + 1 - len(turns)
        phases = [at - turn * FRAME_SECONDS for turn, at in turns]
        grid = statistics.median(phases)
        off_grid.extend(abs(phase - grid) for phase in phases)
        off_interval.extend(abs(b - a) for a, b in itertools.pairwise(phases))
    packets = len(off_grid)
    cost = 100 * measured.cpu_seconds / measured.wall_seconds / prompts
    for name, value, unit in (
        ("streams", len(measured.arrivals), "count"),
        ("packets_per_stream", packets / max(1, len(measured.arrivals)), "count"),
        ("lost", lost, "packets"),
        ("send_jitter_p50", 1000 * percentile(off_grid, 50), "ms"),
        ("send_jitter_p99", 1000 * percentile(off_grid, 99), "ms"),
        ("send_jitter_max", 1000 * max(off_grid), "ms"),
        ("interval_jitter_p99", 1000 * percentile(off_interval, 99), "ms"),
        ("cpu", cost * prompts, "%_of_a_core"),
        ("cpu_per_prompt", cost, "%_of_a_core"),
        ("cpu_per_packet", 1e6 * measured.cpu_seconds / packets, "us"),
    ):
        figure(f"prompts.{prompts}.{name}", value, unit)
    return cost


def _measure(prompts: int, codec: Codec, seconds: float) -> Measured:
    here, there = multiprocessing.Pipe()
    player = multiprocessing.get_context("spawn").Process(target=_player, args=(there,))
    player.start()
    try:
        with _sockets() as sockets:
            here.send((prompts, codec, [bound.getsockname()[1] for bound in sockets]))
            here.recv()
            _receive(sockets, 1.0)  # every prompt has begun, and each frame is encoded
            here.send("start")
            here.recv()
            began = time.monotonic()
            measured = _receive(sockets, seconds)
            here.send("stop")
            measured.cpu_seconds = here.recv()
            measured.wall_seconds = time.monotonic() - began
        player.join(20)
        return measured
    finally:
        if player.is_alive():
            player.terminate()
            player.join()


@contextlib.contextmanager
def _sockets() -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(SOCKETS):
            bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            stack.enter_context(bound)
            bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            bound.bind((LOOPBACK, 0))
            sockets.append(bound)
        yield sockets


def _receive(sockets: list[socket.socket], seconds: float) -> Measured:
    measured = Measured()
    by_descriptor = {bound.fileno(): bound for bound in sockets}
    end = time.monotonic() + seconds
    with select.epoll() as poll:
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        while time.monotonic() < end:
            for descriptor, _ in poll.poll(0.05):
                _drain(by_descriptor[descriptor], measured)
    return measured


def _drain(bound: socket.socket, measured: Measured) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            data, ancillary, _, _ = bound.recvmsg(2048, 64)
            if data[1] & 0x7F > 34 or not ancillary:
                continue  # RTCP never comes here, but whatever is not our audio is not counted
            whole, nanoseconds = STAMP.unpack(ancillary[0][2])
            sequence, _, ssrc = struct.unpack_from("!HII", data, 2)
            measured.arrivals[ssrc].append((sequence, whole + nanoseconds * 1e-9))


def _player(pipe: Connection) -> None:
    take_precedence()  # as an engine does
    uvloop.run(_play(pipe))


async def _play(pipe: Connection) -> None:
    prompts, codec, receivers = pipe.recv()
    # Any sound will do: nothing looks at it once it is encoded.
    samples = array(
        "h", (index * 7919 % 8000 - 4000 for index in range(int(PROMPT_SECONDS * 16000)))
    )
    made = Audio.from_pcm(samples, 16000)
    # As a prompt is stored: frames are cut when they are sent.
    audio = PromptSound.of({each.name: b"".join(made.frames(each)) for each in Codec})
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=PORTS) as plane,
        contextlib.AsyncExitStack() as stack,
    ):
        playbacks = []
        for number in range(prompts):
            port = await stack.enter_async_context(plane.open_port())
            port.connect(
                RemoteStream(
                    host=LOOPBACK,
                    port=receivers[number % len(receivers)],
                    codec=codec,
                    payload_type=codec.payload_type,
                )
            )
            playbacks.append(port.play(audio, loop=True))
        pipe.send("playing")
        await _order(pipe)
        spent = time.process_time()
        pipe.send("started")
        await _order(pipe)
        pipe.send(time.process_time() - spent)
        for playback in playbacks:
            playback.stop()


async def _order(pipe: Connection) -> object:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(pipe.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(pipe.fileno())
    return pipe.recv()


if __name__ == "__main__":
    main()
