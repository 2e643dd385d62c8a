"""A small scripted SMTP server: it keeps what it took, and misbehaves where a test wants it to."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from notifications.relay import RelaySettings

# What a script may answer instead of a reply.
CLOSE = "close"
HANG = "hang"

Answer = str | None
Script = Callable[[str, "Session"], Answer]


@dataclass
class Mail:
    """One accepted mail: envelope and bytes as they were before dot-stuffing, and when."""

    sender: str
    recipient: str
    raw: bytes
    connection: int
    at: float = field(default_factory=time.time)


@dataclass
class Session:
    """What the server knows while it talks to one client."""

    number: int
    sender: str = ""
    recipient: str = ""
    mails: int = 0


@dataclass
class Server:
    """The running server; `script(line, session)` may return a reply, CLOSE, HANG or None.

    The reply to a line is delayed by so many seconds, or held until its event is set.
    """

    script: Script = lambda _line, _session: None
    extensions: tuple[str, ...] = ()
    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    connections: int = 0
    open: set[int] = field(default_factory=set)
    most_open: int = 0
    delays: dict[str, float] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    reached: dict[str, asyncio.Event] = field(default_factory=dict)

    def relay(self, connections: int = 2, **more: object) -> RelaySettings:
        """Return settings that lead here."""
        values = {"mode": "plain", "connections": connections, "command_seconds": 60.0, **more}
        return RelaySettings(host="127.0.0.1", port=self.port, **values)  # type: ignore[arg-type]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client until it leaves."""
        self.connections += 1
        session = Session(self.connections)
        self.open.add(session.number)
        self.most_open = max(self.most_open, len(self.open))
        try:
            await self._talk(session, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open.discard(session.number)
            writer.close()

    async def _talk(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        greeting = self.script("CONNECT", session) or "220 test"
        if not await self._answer("CONNECT", greeting, writer):
            return
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.lines.append(line)
            verb = line.split(" ")[0].upper()
            if verb == "DATA":
                usual = "354 go on" if session.recipient else "503 5.5.1 no recipient"
                answer = self.script(line, session) or usual
                if not await self._answer(line, answer, writer):
                    return
                if answer.startswith("354") and not await self._take(session, reader, writer):
                    return
                continue
            self._remember(verb, line, session)
            answer = self.script(line, session) or self._usual(verb)
            if verb == "RCPT" and not session.sender:
                answer = "503 5.5.1 no sender"
            if answer[0] != "2":
                session.recipient = ""
                session.sender = "" if verb == "MAIL" else session.sender
            if not await self._answer(line, answer, writer) or verb == "QUIT":
                return

    async def _take(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        raw = b""
        while (line := await reader.readline()) not in {b".\r\n", b""}:
            raw += line.removeprefix(b".") if line.startswith(b"..") else line
        if not line:
            return False
        answer = self.script(".", session)
        if answer is None or answer[0] not in "45":
            # Whatever the client hears, the mail is taken: the ambiguous case.
            self.mails.append(Mail(session.sender, session.recipient, raw, session.number))
            session.mails += 1
        words = answer or f"250 2.0.0 queued as {len(self.mails)}"
        return await self._answer(".", words, writer)

    async def _answer(self, line: str, answer: str, writer: asyncio.StreamWriter) -> bool:
        """Return whether the talk goes on."""
        if line in self.reached:
            self.reached[line].set()
        await asyncio.sleep(self.delays.get(line, 0))
        if line in self.held:
            await self.held[line].wait()
        if answer == CLOSE:
            writer.transport.abort()
            return False
        if answer == HANG:
            await asyncio.sleep(3600)
        writer.write(answer.encode() + b"\r\n")
        await writer.drain()
        return True

    def _remember(self, verb: str, line: str, session: Session) -> None:
        address = line.partition("<")[2].partition(">")[0]
        if verb == "MAIL":
            session.sender = address
        if verb == "RCPT":
            session.recipient = address

    def _usual(self, verb: str) -> str:
        if verb == "EHLO":
            names = ["test", *self.extensions, "HELP"]
            return "\r\n".join([*(f"250-{name}" for name in names[:-1]), f"250 {names[-1]}"])
        return "221 bye" if verb == "QUIT" else "250 OK"


@asynccontextmanager
async def running(
    script: Script = lambda _line, _session: None, extensions: tuple[str, ...] = ("PIPELINING",)
) -> AsyncIterator[Server]:
    """Run a server on a free port of the loopback."""
    server = Server(script, extensions)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
