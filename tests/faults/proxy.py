"""A TCP proxy that cuts, resets, delays or freezes what passes, as bad networks do."""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ports import free_port

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


@dataclass
class Proxy:
    """How the way is at the moment; None means that nothing is wrong.

    `cut_after` and `reset_after` count bytes from the client of each connection, `cut_reply_after`
    those from the server. A frozen way takes everything in and passes nothing on, one that hides
    the end passes on all that the server said and not that it hung up; `ended` counts these.
    `unheard` counts what was said into connections that had gone dead. The target is a port of the
    loopback, or a socket's path.
    """

    target: int | Path
    port: int = 0
    cut_after: int | None = None
    cut_reply_after: int | None = None
    reset: bool = False
    delay: float = 0.0
    frozen: bool = False
    hides_end: bool = False
    ended: int = 0
    connections: int = 0
    cuts: int = 0
    unheard: int = 0
    lost_until: int = 0
    listener: asyncio.Server | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    accept: Accept = lambda _reader, _writer: None

    async def open(self) -> None:
        """Listen, at the same port as before."""
        self.listener = await asyncio.start_server(self.accept, "127.0.0.1", self.port)
        self.port = self.listener.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Refuse connections from now on, and end those that stand."""
        if self.listener is not None:
            self.listener.close()
        self.hang_up()

    def lose(self) -> None:
        """Let all connections that stand go dead without a word; new ones are as the way is."""
        self.lost_until = self.connections

    def hang_up(self) -> None:
        """Cut all connections that stand."""
        for task in list(self.tasks):
            task.cancel()

    def heal(self) -> None:
        """Let everything pass again."""
        self.cut_after = self.cut_reply_after = None
        self.reset = self.frozen = self.hides_end = False
        self.delay, self.cuts = 0.0, 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one client with the server until one of them, or the fault, ends it."""
        self.connections += 1
        number = self.connections
        try:
            there, back = await self._reach()
        except OSError:
            writer.transport.abort()
            return
        out = asyncio.create_task(self._pump(number, reader, back, self.cut_after))
        home = asyncio.create_task(self._pump(number, there, writer, self.cut_reply_after))
        ways = {out, home}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if self.hides_end and home.done():
                await _until_arrived(writer)
                self.ended += 1
                await out
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):
                self._end(end)
            await asyncio.gather(*ways, return_exceptions=True)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection("127.0.0.1", self.target)

    async def _pump(
        self,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limit: int | None,
    ) -> None:
        passed = 0
        while data := await reader.read(65536):
            if limit is not None and passed + len(data) >= limit:
                self.cuts += 1
                writer.write(data[: limit - passed])
                await writer.drain()
                return
            passed += len(data)
            await asyncio.sleep(self.delay)
            self.unheard += number <= self.lost_until
            while self.frozen or number <= self.lost_until:
                await asyncio.sleep(0.05)
            writer.write(data)
            await writer.drain()

    def _end(self, writer: asyncio.StreamWriter) -> None:
        if self.reset:
            plain = writer.get_extra_info("socket")
            # Lingering for no time at all makes the kernel send RST instead of FIN. A Unix socket,
            # and one that is closed already, knows nothing of it.
            with suppress(OSError):
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()


async def _until_arrived(writer: asyncio.StreamWriter) -> None:
    """Wait until the kernel of the other end has all that was written, for whoever reads there."""
    plain = writer.get_extra_info("socket")
    while any(fcntl.ioctl(plain.fileno(), termios.TIOCOUTQ, bytes(4))):
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(target: int | Path) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a port of the loopback, or of a socket."""
    # The kernel could give a port of its own choice to somebody else while nobody listens there.
    proxy = Proxy(target, port=free_port())

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_quietly(proxy.carry(reader, writer)))
        proxy.tasks.add(task)
        task.add_done_callback(proxy.tasks.discard)
        # It may be cancelled before it has begun.
        task.add_done_callback(lambda _: writer.close())

    proxy.accept = accept
    await proxy.open()
    try:
        yield proxy
    finally:
        proxy.close()
        await asyncio.gather(*proxy.tasks, return_exceptions=True)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    with suppress(OSError):
        await work
