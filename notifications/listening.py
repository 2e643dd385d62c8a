"""Listen for what a mail server on this machine hands over (LMTP, RFC 2033).

The listener runs in our own loop. A mail is acknowledged after its commit and never before; when
the database is away the server is asked to come again.
"""

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

from notifications import intake, skimming
from notifications.intake import IntakeOptions
from notifications.storage import Database

CONNECTIONS = 20
"""Connections at the same time; a mail server opens as many as it has letters for us."""

IDLE_SECONDS = 300.0
TAKE_SECONDS = 60.0
RECIPIENTS = 50
"""Recipients of one mail; what we send has one, so a report has one, too."""

_DRAIN_SECONDS = 10.0
_TRY_SECONDS = 2.0
_SOCKET_MODE = 0o666

_Mark = tuple[int, int, int]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: a socket of this machine, or a port of it."""

    path: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"


class PlaceTakenError(Exception):
    """Another process listens there already."""


class Listener:
    """An LMTP server that takes mail in; one process of a machine has it."""

    def __init__(
        self,
        place: Place,
        database: Database,
        options: IntakeOptions,
        clock: Callable[[], datetime],
        *,
        largest: int = skimming.LARGEST,
    ) -> None:
        self._place = place
        self._largest = largest
        self._database = database
        self._options = options
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._mark: _Mark | None = None
        self._open: set[_Session] = set()
        self._taking: set[asyncio.Task[bool]] = set()
        self.port = place.port

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def open(self) -> None:
        """Begin to listen; raise `PlaceTakenError` where somebody else does, OSError otherwise.

        Whoever listens already sees to it that the place still leads here, and takes it anew where
        it leads nowhere; what is under way goes on.
        """
        if self._server is not None:
            if self._is_found:
                return
            _log.warning("intake.place_lost", place=str(self._place))
            self._stop_listening()
        if await answers(self._place):
            raise PlaceTakenError
        loop = asyncio.get_running_loop()
        if self._place.path is not None:
            self._server = await loop.create_unix_server(self._greet, self._place.path)
            # The mail server is another user; who may reach the socket is the folder's matter.
            self._place.path.chmod(_SOCKET_MODE)
            self._mark = _mark_of(self._place.path)
        else:
            self._server = await loop.create_server(self._greet, self._place.host, self._place.port)
            self.port = self._server.sockets[0].getsockname()[1]
        _log.info("intake.listening", place=str(self._place))

    async def close(self) -> None:
        """Stop listening, and finish what is being kept."""
        if self._server is None:
            return
        self._stop_listening()
        if self._taking:
            await asyncio.wait(self._taking, timeout=_DRAIN_SECONDS)
        for session in tuple(self._open):
            session.hang_up()

    @property
    def _is_found(self) -> bool:
        """Whether who comes to the place comes to us."""
        path = self._place.path
        return path is None or (self._mark is not None and self._mark == _mark_of(path))

    def _stop_listening(self) -> None:
        """Leave the place, and what is not ours there alone.

        The socket goes first: as long as we listen, nobody else puts theirs in its place.
        """
        if self._place.path is not None and self._is_found:
            with suppress(OSError):
                self._place.path.unlink()
        server, self._server, self._mark = self._server, None, None
        if server is not None:
            server.close()

    def _greet(self) -> asyncio.BaseProtocol:
        if len(self._open) >= CONNECTIONS:
            return _Busy()
        return _Session(self, self._open, self._options.mail_domain, self._largest)

    # What the protocol calls; it knows these names.

    async def handle_RCPT(  # noqa: N802 - the protocol's name for it
        self, _: LMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """Take our own addresses only, so that a server knows at once what is no use."""
        if not intake.is_ours(self._options, address):
            return "550 5.1.1 no such address here"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _: LMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail once for each recipient, and answer for each (RFC 2033 section 4.2).

        The client may hang up meanwhile, which cancels this; what is being kept is kept.
        """
        raw = _with_return_path(envelope)
        # An empty context: no mail inherits the transaction of whoever opened the listener.
        task = asyncio.create_task(
            self._take_all(raw, tuple(envelope.rcpt_tos)), context=contextvars.Context()
        )
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)
        is_kept = await asyncio.shield(task)
        answer = "250 2.0.0 kept" if is_kept else "451 4.3.0 cannot keep it now"
        return "\r\n".join(answer for _ in envelope.rcpt_tos)

    async def handle_exception(self, error: Exception) -> str:
        """Whatever went wrong: the mail server keeps the mail and comes again."""
        _log.warning("intake.session_failed", error=type(error).__name__)
        return "451 4.3.0 try again"

    async def _take_all(self, raw: bytes, recipients: tuple[str, ...]) -> bool:
        """Return whether the mail is kept for all; keeping it again is harmless."""
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                for recipient in recipients:
                    await intake.take(self._database, self._options, raw, recipient, self._clock())
        except Exception as error:  # noqa: BLE001 - the mail server has it and comes again
            _log.warning("intake.not_kept", error=type(error).__name__)
            return False
        return True


def _mark_of(path: Path) -> _Mark | None:
    """Return what tells this socket from another one at its place, None where there is none.

    A number alone would not: file systems give it to the next one at once. To give the socket to
    somebody else does not change when it was made.
    """
    with suppress(OSError):
        found = path.lstat()
        return found.st_dev, found.st_ino, found.st_mtime_ns
    return None


async def answers(place: Place) -> bool:
    """Tell whether somebody listens there."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_TRY_SECONDS):
            if place.path is not None:
                _, writer = await asyncio.open_unix_connection(place.path)
            elif place.port:
                _, writer = await asyncio.open_connection(place.host, place.port)
            else:
                return False
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return True
    return False


def _with_return_path(envelope: Envelope) -> bytes:
    """Put the envelope's sender on top, as the last server on the way does (RFC 5321 4.4)."""
    sender = (envelope.mail_from or "").strip("<>")
    content = envelope.original_content or b""
    return b"Return-Path: <%b>\r\n%b" % (sender.encode("utf-8", "replace"), content)


class _Session(LMTP):
    """One connection, counted as long as it is open."""

    # So much of a line is taken in one piece; the loop has its turn in between.
    line_length_limit = 64 * 1024

    def __init__(
        self, listener: Listener, among: "set[_Session]", hostname: str, largest: int
    ) -> None:
        super().__init__(
            listener,
            data_size_limit=largest,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident="LMTP",
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self._among = among
        self._largest = largest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        self._among.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count it no more."""
        self._among.discard(self)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - the protocol's name for it
        """Take the mail in, of a large one what has words; the library would refuse that.

        A refusal is final, and the answer of somebody who added a photo would be lost with it.
        """
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        envelope: Any = self.envelope
        if arg or not envelope.rcpt_tos:
            await self.push("501 Syntax: DATA" if arg else "503 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = await self._read_mail()
        answer = "552 5.3.4 too large"
        if content is not None:
            envelope.content = envelope.original_content = content
            answer = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(answer)

    async def _read_mail(self) -> bytes | None:
        """Read to the single dot (RFC 5321 section 4.5.2); None where there was too much."""
        skimmer, batch, size, begins_line = skimming.Skimmer(), bytearray(), 0, True
        while True:
            try:
                piece = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as error:
                # Reports quote letters with lines of any length.
                piece = await self._reader.read(error.consumed)
            is_end = begins_line and piece == b".\r\n"
            size += len(piece)
            if size <= self._largest and not is_end:
                batch += piece[1:] if begins_line and piece.startswith(b".") else piece
            if is_end or len(batch) > self.line_length_limit:
                skimmer.add(bytes(batch))
                batch.clear()
            if is_end:
                return skimmer.finish() if size <= self._largest else None
            begins_line = piece.endswith(b"\r\n")

    def hang_up(self) -> None:
        """Close the connection."""
        transport: Any = self.transport
        if transport is not None:
            transport.close()


class _Busy(asyncio.Protocol):
    """The answer to a connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to come later."""
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 too many connections\r\n")
        transport.close()
