"""Ports for servers of the tests, so that two that start at the same time never want the same."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

# Below 32768, where the kernel takes the ports of outgoing connections from.
_FIRST, _SPAN = 10_000, 2_000
_WORKERS = 10
# A run without workers, which may be one that a test of another run has started.
_ALONE = f"gw{_WORKERS - 1}"
# Another run on this machine begins somewhere else.
_turn = count(os.getpid() * 7)


def free_port() -> int:
    """Return a port of the loopback that nobody has; the next call returns another one.

    Each worker of a run has ports of its own: between this look and the moment when the server
    listens, nobody else takes it.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", _ALONE).removeprefix("gw")) % _WORKERS
    for _ in range(_SPAN):
        port = _FIRST + worker * _SPAN + next(_turn) % _SPAN
        if _is_free(port):
            return port
    raise OSError(f"all ports of worker {worker} are taken")


@contextmanager
def deaf_port() -> Iterator[int]:
    """Yield a port that refuses everybody: it is taken, and nobody else listens there."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
