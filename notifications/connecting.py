"""Open connections to names that have several addresses, of which some never answer (RFC 8305)."""

import asyncio
import os
import socket

NEXT_ADDRESS_SECONDS = 0.25
"""So long the next address waits for the one before it (RFC 8305 section 5)."""


async def connect(host: str, port: int, seconds: float) -> socket.socket:
    """Return a socket to the first address that answers; raise OSError, or TimeoutError in time.

    Packets to an address can vanish without a word, mostly those of IPv6. One after the other, the
    addresses behind it would never have their turn.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_connection(
                _Still, host, port, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1
            )
    except OSError as error:
        if isinstance(error, socket.gaierror) or not error.errno:
            raise
        # The loop has the same "connect call failed" for all of them.
        raise OSError(error.errno, os.strerror(error.errno)) from error
    try:
        # What will speak here has a protocol of its own; ours leaves, and the connection stays.
        opened: socket.socket = transport.get_extra_info("socket").dup()
    finally:
        transport.abort()
    return opened


class _Still(asyncio.Protocol):
    """Reads nothing: a greeting that is there already is for whoever gets the socket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stop reading before it begins."""
        if isinstance(transport, asyncio.ReadTransport):
            transport.pause_reading()
