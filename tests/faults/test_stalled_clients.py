"""Clients that ask and take nothing of the answers keep no place for long."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from notifications import hurrying
from tests.end_to_end import programs
from tests.faults.harness import Stage
from tests.ports import free_port

pytestmark = [
    pytest.mark.xdist_group("faults"),
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit is one of Linux"),
]

COUNT = 20
REQUEST = b"GET /robots.txt HTTP/1.1\r\nhost: localhost\r\n\r\n"
# More than the buffers of both ends hold.
REQUESTS = 20_000
HASTE = 10
LET_GO_SECONDS = 120
UNUSED_PORT = 25
ESTABLISHED = "01"


def _held(port: int) -> int:
    """Count the connections that stand at this port of ours, as its server sees them."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    ends = [(line.split()[1].split(":")[1], line.split()[3]) for line in lines]
    return ends.count((f"{port:04X}", ESTABLISHED))


@contextmanager
def _client(port: int) -> Iterator[socket.socket]:
    """Connect somebody who will read nothing."""
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        yield client


def _ask(client: socket.socket) -> None:
    """Ask as much as goes in; who was kept waiting for so long is let go of already."""
    left = REQUEST * REQUESTS
    with suppress(BlockingIOError, ConnectionError):
        while left:
            left = left[client.send(left) :]


async def test_who_takes_nothing_of_an_answer_is_let_go_of(stage: Stage) -> None:
    port = free_port()
    more = {"TERMINBUCH_PORT": str(port), hurrying.VARIABLE: str(HASTE)}
    settings = stage.environment(UNUSED_PORT) | more
    async with programs.running(settings, "serve", "--role", "web") as program:
        await programs.until_ready(f"http://localhost:{port}", program)
        with ExitStack() as stack:
            clients = [stack.enter_context(_client(port)) for _ in range(COUNT)]
            await programs.until(lambda: _held(port) >= COUNT, "all of them are there")
            most = _held(port)
            for client in clients:
                _ask(client)
            end = time.monotonic() + LET_GO_SECONDS
            while _held(port) and time.monotonic() < end:
                await asyncio.sleep(0.2)
            held = _held(port)

    assert (COUNT, 0) == (most, held)
