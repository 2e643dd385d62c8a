"""Commands out, replies in, over a connection that is already open and protected.

Several commands may leave together (RFC 2920), which halves the ways to a relay and back. What
was not asked for, is malformed or too long makes the connection unusable: replies must never be
paired with the wrong letter.
"""

import asyncio
import re
from collections import deque

LINE_LIMIT = 2048
REPLY_LIMIT = 32768

_LINE = re.compile(rb"([2-5]\d\d)([ -]?)(.*)")


class WireError(Exception):
    """There is no proper reply, and there will be none."""


class Wire(asyncio.Protocol):
    """Takes a transport over from whoever opened it, and reads replies in order."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""
        self._text: list[bytes] = []
        self._size = 0
        self._replies: deque[tuple[int, str]] = deque()
        self._expected = 0
        self._waiter: asyncio.Future[None] | None = None
        self._broken = ""
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Tell whether replies can still be trusted to come, and to belong to our commands."""
        return not self._broken and not self._transport.is_closing()

    def ask(self, data: bytes, replies: int) -> None:
        """Send commands that this many replies will answer."""
        if not self.is_open:
            raise WireError(self._broken or "closed")
        self._expected += replies
        self._transport.write(data)

    async def read(self, seconds: float) -> tuple[int, str]:
        """Return the next reply, its lines joined; `WireError` after so many seconds without."""
        if not self._replies:
            await self._wait(seconds)
        if not self._replies:
            raise WireError(self._broken or "no reply")
        return self._replies.popleft()

    def close(self) -> None:
        """Cut the connection; whoever waits for a reply gets none."""
        self._break("closed")
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Cut what came into replies; the protocol's part of asyncio."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take_line(line.rstrip(b"\r"))
        if len(self._buffer) > LINE_LIMIT:
            self._break("reply too long")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        self._break(type(exc).__name__ if exc else "connection lost")

    def _take_line(self, line: bytes) -> None:
        found = _LINE.fullmatch(line)
        self._size += len(line)
        if found is None or self._size > REPLY_LIMIT or len(line) > LINE_LIMIT:
            self._break("malformed reply")
            return
        self._text.append(found[3].strip())
        if found[2] == b"-":
            return
        if not self._expected:
            self._break("unasked reply")
            return
        self._expected -= 1
        self._replies.append((int(found[1]), b"\n".join(self._text).decode("utf-8", "replace")))
        self._text, self._size = [], 0

    async def _wait(self, seconds: float) -> None:
        if self._broken:
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self._break, "timed out")
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _break(self, why: str) -> None:
        self._broken = self._broken or why
        self._wake(broken=True)

    def _wake(self, *, broken: bool = False) -> None:
        if self._waiter is not None and not self._waiter.done() and (self._replies or broken):
            self._waiter.set_result(None)
