"""A scripted IMAP server: it hands out what it is told, refuses the rest, or drips."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from notifications.imap import Mailbox

REFUSED = "could not be converted to an RFC-822 compatible format"
_DONE = b"OK done"


@dataclass
class ImapServer:
    """Mails by number; a word in place of one is how the server refuses it.

    `drips_at` names the command whose answer never ends, "" the greeting; `drips` is set when that
    has begun, `is_left` when whoever waited for it has hung up.
    """

    mails: dict[int, bytes | str] = field(default_factory=dict)
    drips_at: str | None = None
    port: int = 0
    drips: asyncio.Event = field(default_factory=asyncio.Event)
    is_left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def mailbox(self) -> Mailbox:
        """How to get in."""
        return Mailbox("127.0.0.1", self.port, "plain", "rueck", "secret")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client."""
        try:
            if self.drips_at == "":
                await self._drip(reader, writer)
                return
            writer.write(b"* OK ready\r\n")
            while line := await reader.readline():
                tag, _, said = line.strip().partition(b" ")
                if self.drips_at and said.decode().startswith(self.drips_at):
                    await self._drip(reader, writer)
                    return
                writer.write(b"%b%b %b\r\n" % self._answer(tag, said.decode()))
        finally:
            writer.close()

    async def _drip(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = asyncio.create_task(reader.read())
        writer.write(b"* OK ")
        while not end.done():
            writer.write(b"x")
            self.drips.set()
            await asyncio.wait({end}, timeout=0.01)
        self.is_left.set()

    def _answer(self, tag: bytes, said: str) -> tuple[bytes, bytes, bytes]:
        """Return untagged lines, the tag, and how it ended."""
        match said.upper().split():
            case ["CAPABILITY"]:
                return b"* CAPABILITY IMAP4rev1\r\n", tag, _DONE
            case ["STATUS", *_]:
                return b'* STATUS "INBOX" (UIDVALIDITY 1)\r\n', tag, _DONE
            case ["UID", "SEARCH", *_]:
                return b"* SEARCH %b\r\n" % " ".join(map(str, self.mails)).encode(), tag, _DONE
            case ["UID", "FETCH", uid, part]:
                start, size = map(int, part.partition("<")[2].rstrip(">)").split("."))
                return self._hand_out(tag, int(uid), slice(start, start + size))
            case ["LOGOUT"]:
                return b"* BYE\r\n", tag, _DONE
        return b"", tag, _DONE

    def _hand_out(self, tag: bytes, uid: int, asked: slice) -> tuple[bytes, bytes, bytes]:
        mail = self.mails.get(uid, b"")
        if isinstance(mail, str):
            # Some begin before they find that they cannot.
            return self._lines(uid, b"Subject: torn\r\n\r\n"), tag, mail.encode()
        return self._lines(uid, mail[asked]) if mail else b"", tag, _DONE

    def _lines(self, uid: int, mail: bytes) -> bytes:
        return b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%b)\r\n" % (uid, len(mail), mail)


@asynccontextmanager
async def serving(server: ImapServer) -> AsyncIterator[ImapServer]:
    """Serve on a free port for the block."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
