"""Bridged calls at once: processor time, delay, loss and memory of the media plane.

The plane runs in a process of its own, with statistics and digit detection on; another process is
all far ends: every leg sends 50 packets a second of G.711, and checks what it hears. Delay is that
of the whole way, from the far end's send to the other far end's receive, so it contains the far
ends' own share too (`direct_delay`: the same far ends without a plane between them).
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import resource
import select
import socket
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from _figures import figure, machine, percentile

from twoleg.cli.precedence import take_precedence
from twoleg.media import Codec, EmbeddedPlane, Recorder, RemoteStream

LOOPBACK = "127.0.0.1"
FRAME_SECONDS = 0.02
SETTLING_SECONDS = 1.0
BURST = 64
"""Packets sent before those that came are looked at."""

PACKET = struct.Struct("!BBHII160s")
PORTS = range(10_000, 32_000)


def main() -> None:
    arguments = _arguments()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    machine()
    few = max(1, arguments.calls // 10)
    direct = _direct(arguments.calls, min(arguments.seconds, 3))
    figure("media.direct_delay_p50", 1000 * percentile(direct.delays, 50), "ms")
    figure("media.direct_delay_p99", 1000 * percentile(direct.delays, 99), "ms")
    costs = {}
    for calls in (few, arguments.calls // 2, arguments.calls):
        measured = _measure(
            calls, arguments.seconds, transcode=arguments.transcode, record=arguments.record
        )
        costs[calls] = _report(calls, measured)
    growth = costs[arguments.calls] / costs[few]
    figure(f"media.cost_growth_{few}_to_{arguments.calls}", growth, "ratio")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each measurement")
    parser.add_argument(
        "--transcode", action="store_true", help="mu-law on one leg, A-law on the other"
    )
    parser.add_argument(
        "--record", action="store_true", help="record every call, into a directory of its own"
    )
    return parser.parse_args()


@dataclass
class Heard:
    """What the far ends got."""

    sent: int = 0
    received: int = 0
    late_sends: float = 0.0
    delays: list[float] = field(default_factory=list)


@dataclass
class Measured:
    heard: Heard
    cpu_seconds: float
    wall_seconds: float
    bytes_a_call: float
    kernel_bytes_a_call: float
    qualities: dict[str, float]


def _report(calls: int, measured: Measured) -> float:
    heard = measured.heard
    cost = 100 * measured.cpu_seconds / measured.wall_seconds / calls
    packets = max(1, heard.received)
    for name, value, unit in (
        ("cpu", cost * calls, "%_of_a_core"),
        ("cpu_per_call", cost, "%_of_a_core"),
        ("cpu_per_packet", 1e6 * measured.cpu_seconds / packets, "us"),
        ("packets", heard.received / measured.wall_seconds, "per_s"),
        ("loss", 100 * (1 - heard.received / max(1, heard.sent)), "%"),
        ("delay_p50", 1000 * percentile(heard.delays, 50), "ms"),
        ("delay_p99", 1000 * percentile(heard.delays, 99), "ms"),
        ("sender_lateness_max", 1000 * heard.late_sends, "ms"),
        ("memory_per_call", measured.bytes_a_call / 1000, "kB"),
        ("kernel_memory_per_call", measured.kernel_bytes_a_call / 1000, "kB"),
        ("plane_loss_seen", measured.qualities["lost"], "packets"),
        ("plane_jitter_median", measured.qualities["jitter_ms"], "ms"),
        ("recordings_stopped", measured.qualities["stopped"], "recordings"),
    ):
        figure(f"media.{calls}.{name}", value, unit)
    return cost


def _measure(calls: int, seconds: float, *, transcode: bool, record: bool) -> Measured:
    """Run one plane in a process of its own, and all far ends in this one."""
    here, there = multiprocessing.Pipe()
    plane = multiprocessing.get_context("spawn").Process(target=_plane, args=(there,))
    plane.start()
    try:
        with _sockets(2 * calls) as sockets:
            addresses = [bound.getsockname() for bound in sockets]
            here.send({"remotes": addresses, "transcode": transcode, "record": record})
            opened = here.recv()
            # Settle: every stream is latched, and the plane's first costs are paid.
            _talk(sockets, opened["ports"], SETTLING_SECONDS, transcode=transcode)
            here.send("start")
            here.recv()
            began = time.monotonic()
            first = int(SETTLING_SECONDS / FRAME_SECONDS)
            heard = _talk(sockets, opened["ports"], seconds, transcode=transcode, first=first)
            here.send("stop")
            figures = here.recv()
            wall = time.monotonic() - began
        plane.join(20)
        return Measured(
            heard=heard,
            cpu_seconds=figures["cpu"],
            wall_seconds=wall,
            bytes_a_call=opened["memory"] / calls,
            kernel_bytes_a_call=opened["kernel_memory"] / calls,
            qualities=figures["quality"],
        )
    finally:
        if plane.is_alive():
            plane.terminate()
            plane.join()


def _direct(calls: int, seconds: float) -> Heard:
    """Measure the far ends alone: every one sends to its partner."""
    with _sockets(2 * calls) as sockets:
        ports = [bound.getsockname()[1] for bound in sockets]
        partners = [ports[number ^ 1] for number in range(len(ports))]
        return _talk(sockets, partners, seconds, transcode=False)


@contextlib.contextmanager
def _sockets(count: int) -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    try:
        for _ in range(count):
            bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            sockets.append(bound)
            bound.bind((LOOPBACK, 0))
        yield sockets
    finally:
        for bound in sockets:
            bound.close()


def _talk(
    sockets: list[socket.socket],
    ports: list[int],
    seconds: float,
    *,
    transcode: bool,
    first: int = 0,
) -> Heard:
    """Send a packet on each socket every 20 ms, evenly spread, and time what comes.

    `first`: the first frame's number, so that a stream goes on where it stopped.
    """
    heard = Heard()
    count = len(sockets)
    addresses = [(LOOPBACK, port) for port in ports]
    types = [8 if transcode and number % 2 else 0 for number in range(count)]
    buffer = bytearray(2048)
    sent_at = [0.0] * count  # of the newest packet of each leg: a frame is far longer than a delay
    numbers = {bound.fileno(): number for number, bound in enumerate(sockets)}
    clock, pack, poll = time.perf_counter, PACKET.pack, select.epoll()
    for bound in sockets:
        poll.register(bound.fileno(), select.EPOLLIN)
    delays = heard.delays
    start = clock()
    turns = int(seconds / FRAME_SECONDS) * count
    turn = 0
    while True:
        now = clock()
        due = min(turns, int((now - start) / FRAME_SECONDS * count))
        if turn < due:
            heard.late_sends = max(heard.late_sends, now - start - turn * FRAME_SECONDS / count)
        for sending in range(turn, min(due, turn + BURST)):
            number, frame = sending % count, first + sending // count
            packet = pack(0x80, types[number], frame & 0xFFFF, frame * 160, number, bytes(160))
            sent_at[number] = clock()
            sockets[number].sendto(packet, addresses[number])
            heard.sent += 1
        turn = min(due, turn + BURST)
        pause = 0.0 if turn < due else 0.0005
        for descriptor, _ in poll.poll(pause, 128):
            number = numbers[descriptor]
            sockets[number].recv_into(buffer)
            if 200 <= buffer[1] <= 204:
                continue  # an RTCP report for the socket with the port below
            delays.append(clock() - sent_at[number ^ 1])
            heard.received += 1
        if turn >= turns and (heard.received >= heard.sent or clock() - start > seconds + 0.5):
            poll.close()
            return heard


def _plane(pipe: Connection) -> None:
    take_precedence()  # as an engine does
    uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    orders = pipe.recv()
    loop = asyncio.get_running_loop()
    before, kernel_before = _memory(), _kernel_memory()
    async with (
        EmbeddedPlane.open(host=LOOPBACK, ports=PORTS) as plane,
        contextlib.AsyncExitStack() as stack,
    ):
        ports = []
        for number, (host, port) in enumerate(orders["remotes"]):
            leg = await stack.enter_async_context(plane.open_port())
            codec = Codec.PCMA if orders["transcode"] and number % 2 else Codec.PCMU
            leg.connect(
                RemoteStream(
                    host=host,
                    port=port,
                    codec=codec,
                    payload_type=codec.payload_type,
                    dtmf_payload_type=101,
                )
            )
            ports.append(leg)
        pairs = list(zip(ports[::2], ports[1::2], strict=True))
        for left, right in pairs:
            plane.bridge(left, right)
        recorder = None
        if orders["record"]:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            recorder = await stack.enter_async_context(Recorder.open(directory))
            for number, (left, right) in enumerate(pairs):
                recorder.record(number, 1, left, right, print)
        memory, kernel = _memory() - before, _kernel_memory() - kernel_before
        numbers = [leg.port for leg in ports]
        pipe.send({"ports": numbers, "memory": memory, "kernel_memory": kernel})
        await _order(loop, pipe)
        spent = time.process_time()
        pipe.send("started")
        await _order(loop, pipe)
        spent = time.process_time() - spent
        qualities = [leg.quality() for leg in ports]
        jitter = statistics.median(quality.jitter_ms for quality in qualities)
        lost = sum(quality.packets_lost for quality in qualities)
        stopped = 0 if recorder is None else recorder.stopped
        quality = {"lost": lost, "jitter_ms": jitter, "stopped": stopped}
        pipe.send({"cpu": spent, "quality": quality})


async def _order(loop: asyncio.AbstractEventLoop, pipe: Connection) -> object:
    ready = asyncio.Event()
    loop.add_reader(pipe.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(pipe.fileno())
    return pipe.recv()


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _kernel_memory() -> int:
    """Unreclaimable kernel memory of the machine: sockets and what belongs to them."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["Slab"].split()[0]) * 1024


if __name__ == "__main__":
    main()
