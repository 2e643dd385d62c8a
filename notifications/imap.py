"""Speak IMAP, one step at a time. The library blocks, so every step runs in a thread, and ends.

A time-out of a socket counts from byte to byte: a server that sends one now and then would hold
its thread for ever, and the process with it. So a step has a limit of its own, at which the
connection is cut from outside; the thread then reads the end of it.
"""

import asyncio
import imaplib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from imap_tools import BaseMailBox, ImapToolsError

from notifications import connecting

SOCKET_SECONDS = 30.0
STEP_SECONDS = 70.0
"""Of a whole step: four of them fit into the lease of a mailbox."""

_FAILURES = (ImapToolsError, imaplib.IMAP4.error, OSError, EOFError)


class MailboxError(Exception):
    """The mailbox cannot be read; `str` says why, without a password."""


class MailRefusedError(Exception):
    """The server does not hand out this mail; `str` says why. The next one may come."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the mailbox is and how to get in; `plain` is for this machine only."""

    host: str
    port: int
    mode: Literal["tls", "starttls", "plain"]
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tls_context: ssl.SSLContext | None = field(default=None, repr=False)
    step_seconds: float = STEP_SECONDS

    @property
    def name(self) -> str:
        """By what the cursor is kept."""
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"


@asynccontextmanager
async def opened(mailbox: Mailbox) -> AsyncIterator["Reader"]:
    """Log in and open the folder for the block; raise `MailboxError`."""
    line = await _call(mailbox)
    try:
        folder = await line.run(_Folder, line.socket, mailbox)
        try:
            yield Reader(line, folder)
        finally:
            with suppress(MailboxError):
                await line.run(folder.close)
    finally:
        line.close()


class Reader:
    """An open folder; every method raises `MailboxError`, after which nothing more comes of it."""

    def __init__(self, line: "_Line", folder: "_Folder") -> None:
        self._line = line
        self._folder = folder

    @property
    def uid_validity(self) -> int:
        """Since when the numbers count."""
        return self._folder.uid_validity

    async def list_after(self, last_uid: int, limit: int) -> Sequence[int]:
        """Return the next uids, the oldest first."""
        found: Sequence[int] = await self._line.run(self._folder.list_after, last_uid)
        return found[:limit]

    async def fetch(self, uid: int, size: int, *, start: int = 0) -> bytes | None:
        """Return so many bytes of a mail, None when there are none; it stays unread.

        Raise `MailRefusedError` where the server has an answer, but not the mail.
        """
        found: bytes | None = await self._line.run(self._folder.fetch, uid, start, size)
        return found

    async def mark_read(self, uid: int) -> None:
        """Mark a mail as read; a server that does not want that is let alone."""
        await self._line.run(self._folder.mark_read, uid)


class _Line:
    """A connection that can be cut while a thread waits at it."""

    def __init__(self, opened_socket: socket.socket, seconds: float) -> None:
        self.socket = opened_socket
        # TLS takes the socket away from its first owner; through a second one we keep hold.
        self._hold = opened_socket.dup()
        self._seconds = seconds

    async def run(self, work: Callable[..., Any], *values: Any) -> Any:
        """Run a step in a thread; what the library raises is a `MailboxError`."""
        running = asyncio.get_running_loop().run_in_executor(None, work, *values)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(running)
        except _FAILURES as error:
            await self._cut(running)
            raise MailboxError(_words_of(error)) from error
        except asyncio.CancelledError:
            await self._cut(running)
            raise

    async def _cut(self, running: "asyncio.Future[Any]") -> None:
        """End the thread of a step, so that nothing shares its connection and no exit waits."""
        if running.done():
            return
        with suppress(OSError):
            self._hold.shutdown(socket.SHUT_RDWR)
        await asyncio.wait({running})
        running.exception()

    def close(self) -> None:
        """Let go."""
        self._hold.close()


async def _call(mailbox: Mailbox) -> _Line:
    try:
        found = await connecting.connect(mailbox.host, mailbox.port, SOCKET_SECONDS)
    except OSError as error:
        raise MailboxError(_words_of(error)) from error
    found.settimeout(SOCKET_SECONDS)
    return _Line(found, mailbox.step_seconds)


def _words_of(error: Exception) -> str:
    """Return what the server said; the library's own text would repeat the whole command."""
    result = getattr(error, "command_result", None)
    said = result[1][0] if result and len(result) > 1 and result[1] else error
    return _plain(said) or type(error).__name__


def _plain(said: object) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:200]


class _Folder:
    """An open folder; every method blocks, the making of it, too."""

    def __init__(self, opened_socket: socket.socket, mailbox: Mailbox) -> None:
        self._box = _Box(opened_socket, mailbox)
        try:
            is_ascii = (mailbox.user + mailbox.password).isascii()
            login = self._box.login if is_ascii else self._box.login_utf8
            login(mailbox.user, mailbox.password, initial_folder=mailbox.folder)
            status = self._box.folder.status(mailbox.folder, ("UIDVALIDITY",))
        except BaseException:
            self.close()
            raise
        self.uid_validity = int(status["UIDVALIDITY"])

    def list_after(self, last_uid: int) -> Sequence[int]:
        """Return the uids after this one, the oldest first."""
        # A range whose end is the star names the last mail even when that is an old one.
        found = [int(uid) for uid in self._box.uids(f"UID {last_uid + 1}:*", charset=None)]
        return sorted(uid for uid in found if uid > last_uid)

    def fetch(self, uid: int, start: int, size: int) -> bytes | None:
        """Return some of the mail's bytes; raise `MailRefusedError`."""
        kind, data = self._ask("FETCH", uid, f"(BODY.PEEK[]<{start}.{size}>)")
        if kind != "OK":
            # What came of it before the refusal would else be taken for the next mail.
            self._box.client.response("FETCH")
            raise MailRefusedError(_plain(next(filter(None, data), kind)))
        return next((bytes(one[1]) for one in data if isinstance(one, tuple)), None)

    def mark_read(self, uid: int) -> None:
        """Mark a mail as read. The library's own way would also delete what others marked."""
        self._ask("STORE", uid, "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        """Leave, whatever the server says to it."""
        with suppress(*_FAILURES):
            self._box.logout()
        with suppress(OSError):
            self._box.client.shutdown()

    def _ask(self, command: str, uid: int, *values: str) -> tuple[str, Sequence[Any]]:
        """Return how the server answered (OK, NO, BAD) and what."""
        try:
            return self._box.client.uid(command, str(uid), *values)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            # The library has one exception for an answer and for what is no answer at all.
            _, is_answer, said = str(error).partition(" command error: BAD ")
            if not is_answer:
                raise
            return "BAD", (said.removeprefix("[b'").removesuffix("']"),)


class _Box(BaseMailBox):
    """The library's mailbox over a connection that stands already."""

    def __init__(self, opened_socket: socket.socket, mailbox: Mailbox) -> None:
        self._socket = opened_socket
        self._mailbox = mailbox
        super().__init__()

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        mode = self._mailbox.mode
        if mode == "plain":
            return _Client(self._socket, self._mailbox, None)
        context = self._mailbox.tls_context or ssl.create_default_context()
        if mode == "tls":
            return _Client(self._socket, self._mailbox, context)
        client = _Client(self._socket, self._mailbox, None)
        try:
            client.starttls(context)
        except BaseException:
            with suppress(OSError):
                client.shutdown()
            raise
        return client


class _Client(imaplib.IMAP4):
    """The standard library's client, which would connect by itself."""

    def __init__(
        self, opened_socket: socket.socket, mailbox: Mailbox, context: ssl.SSLContext | None
    ) -> None:
        self._given = opened_socket
        self._context = context
        super().__init__(mailbox.host, mailbox.port, SOCKET_SECONDS)

    def _create_socket(self, _: float | None) -> socket.socket:
        if self._context is None:
            return self._given
        return self._context.wrap_socket(self._given, server_hostname=self.host)
