"""Ports for processes that want to be told theirs."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """Give a UDP and TCP port, with the one after it, that nobody has at the moment."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            first = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            first.bind((LOOPBACK, 0))
            port = int(first.getsockname()[1])
            for kind, number in (
                (socket.SOCK_DGRAM, port),
                (socket.SOCK_STREAM, port + 1),
                (socket.SOCK_DGRAM, port + 1),
            ):
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((LOOPBACK, number))
            return port


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Give a TCP port at which nobody listens, nor will while the block lasts."""
    with socket.socket() as kept:
        kept.bind((LOOPBACK, 0))
        yield int(kept.getsockname()[1])
