"""Open connections to names that have several addresses, of which some never answer (RFC 8305)."""

import asyncio
import contextvars
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any

NEXT_ADDRESS_SECONDS = 0.25
"""So long the next address waits for the one before it (RFC 8305 section 5)."""

_Try = asyncio.Task[socket.socket]


class Caller:
    """The running loop, for a library that opens connections by it: names are called by `connect`.

    `seconds` are the limit of one name; a library that has several takes the next one then.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        """Be the loop in everything else."""
        return getattr(self._loop, name)

    async def create_connection(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, **options: Any
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Connect as the loop does; certificates are still held against the name."""
        opened = await connect(host, port, self._seconds)
        if options.get("ssl"):
            options.setdefault("server_hostname", host)
        try:
            return await self._loop.create_connection(factory, sock=opened, **options)
        except BaseException:
            opened.close()
            raise


async def connect(host: str, port: int, seconds: float) -> socket.socket:
    """Return a socket to the first address that answers; raise OSError, or TimeoutError in time.

    Packets to an address can vanish without a word, mostly those of IPv6. One after the other, the
    addresses behind it would never have their turn. The fast loop that we run on cannot do this by
    itself, as the one of the standard library can.
    """
    async with asyncio.timeout(seconds):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return await _reach_first(_by_turns(found))


def _by_turns(found: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return the addresses so that the families take turns, each in its order (section 4)."""
    families: dict[Any, list[Sequence[Any]]] = {}
    for each in found:
        families.setdefault(each[0], []).append(each)
    return [each for row in zip_longest(*families.values()) for each in row if each is not None]


async def _reach_first(found: list[Sequence[Any]]) -> socket.socket:
    """Try one address after the other without waiting long; raise what the last one said."""
    ahead, trying, refusal = found[::-1], set[_Try](), OSError("the name has no address")
    try:
        while ahead or trying:
            if ahead:
                # An empty context: no connection inherits the transaction of whoever asked.
                context = contextvars.Context()
                trying.add(asyncio.create_task(_reach(ahead.pop()), context=context))
            await asyncio.wait(
                trying,
                timeout=NEXT_ADDRESS_SECONDS if ahead else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in [each for each in trying if each.done()]:
                trying.discard(one)
                try:
                    return one.result()
                except OSError as error:
                    refusal = error
        raise _in_plain_words(refusal)
    finally:
        for each in trying:
            each.cancel()
            each.add_done_callback(_drop)


async def _reach(way: Sequence[Any]) -> socket.socket:
    family, kind, protocol, _, address = way
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, address)
    except BaseException:
        opened.close()
        raise
    return opened


def _drop(late: _Try) -> None:
    """Close a connection that came when another one was there."""
    if not late.cancelled() and late.exception() is None:
        late.result().close()


def _in_plain_words(error: OSError) -> OSError:
    """Return it in the system's words; a loop has "connect call failed" for all of them."""
    return OSError(error.errno, os.strerror(error.errno)) if error.errno else error
