"""One connection to the mail relay, command by command, so that we always know how far it got."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import Literal

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException

from notifications import crashing, headers
from notifications.backoff import Phase, Reply

Mode = Literal["tls", "starttls", "plain"]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

CONNECT_SECONDS = 30.0
COMMAND_SECONDS = 60.0
DOT_SECONDS = 600.0
"""RFC 5321 4.5.3.2.6: an earlier time-out here delivers copies."""

LETTERS_PER_CONNECTION = 100
CONNECTION_SECONDS = 300.0
IDLE_SECONDS = 30.0
"""Servers close idle connections soon; after this long a fresh one costs less than a surprise."""

_START_INPUT = 354
_ACCEPTED = range(250, 252)
_REFUSED = range(400, 600)
_CLOSING = 421


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Where letters are handed over, and how the way there is protected.

    `plain` is for loopback only and takes no user name: a password never travels in clear.
    """

    host: str
    port: int
    mode: Mode = "starttls"
    user: str | None = None
    password: str | None = None
    local_hostname: str = "localhost"
    connections: int = 2
    dot_seconds: float = DOT_SECONDS
    command_seconds: float = COMMAND_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    tls_context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.mode == "plain" and (self.host not in LOOPBACK or self.user):
            raise ValueError("mode plain is for loopback without user name only")

    @property
    def name(self) -> str:
        """The name under which pauses and slots of this relay are kept."""
        return f"{self.host}:{self.port}"


class SmtpError(Exception):
    """A step towards the relay failed; `reply` is None where the server gave no clean one."""

    def __init__(self, phase: Phase, reply: Reply | None, what: str = "") -> None:
        super().__init__(f"{phase}: {what or (reply.text if reply else 'no reply')}")
        self.phase = phase
        self.reply = reply
        self.what = what or (reply.text if reply else "")


class Link:
    """A connection that opens when needed, serves one letter at a time, and closes when unclean."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None
        self._letters = 0
        self._opened = 0.0
        self._used = 0.0
        self._dirty = False

    @property
    def is_open(self) -> bool:
        """Tell whether the connection stands, as far as we know."""
        return self._client is not None and self._client.is_connected

    async def address(self, sender: str, recipient: str) -> None:
        """Get as far as RCPT (nothing can have been delivered yet), or raise `SmtpError`.

        Both addresses are checked again, whoever has done so before: ValueError. A connection
        that was idle may have been closed by the server: it is opened anew once.
        """
        sender, recipient = headers.check_address(sender), headers.check_address(recipient)
        reused = await self._ensure_open()
        try:
            await self._envelope(sender, recipient)
        except SmtpError as error:
            if not reused or _is_clean(error) or error.phase is not Phase.MAIL:
                raise
            self.close()
            await self._ensure_open()
            await self._envelope(sender, recipient)

    async def transfer(self, raw: bytes) -> str:
        """Send the letter's bytes and return the server's words of acceptance.

        `SmtpError` without reply means that nobody knows; whatever is raised, the connection is
        closed unless the reply was clean.
        """
        client = self._require()
        try:
            await self._content(client, raw)
            words = await self._final_reply(client)
        except BaseException as error:
            if not _is_clean(error):
                self.close()
            raise
        self._used = time.monotonic()
        return words

    async def rewind(self) -> None:
        """Forget an envelope that is not going to be sent."""
        if self._dirty and self._client is not None:
            try:
                await self._client.rset(timeout=self._settings.command_seconds)
                self._dirty = False
            except (SMTPException, OSError, ValueError):
                self.close()

    async def try_out(self) -> None:
        """Connect, protect and log in as for a letter, then leave; raise `SmtpError` if refused."""
        await self._ensure_open()
        await self.leave()

    async def leave(self) -> None:
        """Say goodbye if the connection stands; never wait longer than a moment for it."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if client.is_connected:
                await client.quit(timeout=2)
        except (SMTPException, OSError):
            pass
        finally:
            client.close()

    def close(self) -> None:
        """Cut the connection at once."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _require(self) -> aiosmtplib.SMTP:
        if self._client is None:
            raise SmtpError(Phase.MAIL, None, "closed")
        return self._client

    async def _ensure_open(self) -> bool:
        """Return whether a standing connection is used again."""
        now = time.monotonic()
        worn = (
            self._letters >= LETTERS_PER_CONNECTION
            or now - self._opened > CONNECTION_SECONDS
            or now - self._used > IDLE_SECONDS
        )
        if self.is_open and not worn:
            await self.rewind()
            if self.is_open:
                return True
        await self.leave()
        await self._open()
        self._letters, self._opened, self._used, self._dirty = 0, now, now, False
        return False

    async def _open(self) -> None:
        """Connect, protect, log in: in this order, and never with a password before TLS."""
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.mode == "tls",
            start_tls=False,
            tls_context=settings.tls_context,
            local_hostname=settings.local_hostname,
            timeout=settings.connect_seconds,
        )
        phase = Phase.CONNECT
        try:
            await client.connect()
            phase = Phase.GREETING
            await client.ehlo()
            if settings.mode == "starttls":
                phase = Phase.TLS
                await client.starttls()
                await client.ehlo()
            if settings.user:
                phase = Phase.AUTH
                await _log_in(client, settings)
        except BaseException as error:
            client.close()
            if isinstance(error, (SMTPException, OSError, ValueError)):
                raise _as_smtp_error(phase, error) from error
            raise
        self._client = client

    async def _envelope(self, sender: str, recipient: str) -> None:
        client = self._require()
        phase = Phase.MAIL
        try:
            self._dirty = True
            await self._command(client, phase, b"MAIL", b"FROM:<%b>" % sender.encode("ascii"))
            phase = Phase.RCPT
            await self._command(client, phase, b"RCPT", b"TO:<%b>" % recipient.encode("ascii"))
        except (SmtpError, SMTPException, OSError) as error:
            failed = error if isinstance(error, SmtpError) else _as_smtp_error(phase, error)
            # After a clean refusal the connection goes on; after anything else replies may be
            # mispaired.
            if not _is_clean(failed):
                self.close()
            raise failed from error
        except BaseException:
            self.close()
            raise

    async def _command(self, client: aiosmtplib.SMTP, phase: Phase, *words: bytes) -> None:
        """Send a command whose addresses were checked; the library would parse them once more."""
        reply = await client.execute_command(*words, timeout=self._settings.command_seconds)
        if reply.code not in _ACCEPTED:
            raise SmtpError(phase, _refusal(reply.code, reply.message))

    async def _content(self, client: aiosmtplib.SMTP, raw: bytes) -> None:
        try:
            reply = await client.execute_command(b"DATA", timeout=self._settings.dot_seconds)
        except (SMTPException, OSError) as error:
            raise _as_smtp_error(Phase.DATA, error) from error
        if reply.code != _START_INPUT:
            raise SmtpError(Phase.DATA, _refusal(reply.code, reply.message))
        protocol = client.protocol
        if protocol is None:
            raise SmtpError(Phase.DATA, None, "closed")
        # The gate let CRLF line ends through only, so stuffing dots is all that is left to do.
        protocol.write(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        crashing.pass_point("after_dot")

    async def _final_reply(self, client: aiosmtplib.SMTP) -> str:
        protocol = client.protocol
        if protocol is None:
            raise SmtpError(Phase.DOT, None, "closed")
        try:
            reply = await protocol.read_response(timeout=self._settings.dot_seconds)
        except (SMTPException, OSError) as error:
            raise _as_smtp_error(Phase.DOT, error) from error
        self._letters += 1
        self._dirty = False
        if reply.code not in _ACCEPTED:
            raise SmtpError(Phase.DOT, _refusal(reply.code, reply.message))
        return Reply(reply.code, reply.message).text


def _refusal(code: int, text: str) -> Reply | None:
    """Return a reply that refuses; anything else that was not expected is no reply at all."""
    return Reply(code, text) if code in _REFUSED else None


def _is_clean(error: BaseException) -> bool:
    """Tell whether the server answered properly, so that the next letter may follow."""
    reply = error.reply if isinstance(error, SmtpError) else None
    return reply is not None and reply.code != _CLOSING


async def _log_in(client: aiosmtplib.SMTP, settings: RelaySettings) -> None:
    """Try one method only: trying the next after a refusal can lock the account."""
    user, password = settings.user or "", settings.password or ""
    offered = client.server_auth_methods
    if "plain" in offered:
        await client.auth_plain(user, password, timeout=settings.command_seconds)
    elif "login" in offered:
        await client.auth_login(user, password, timeout=settings.command_seconds)
    else:
        raise SMTPException("the server offers neither AUTH PLAIN nor AUTH LOGIN")


def _as_smtp_error(phase: Phase, error: BaseException) -> SmtpError:
    if isinstance(error, SMTPResponseException) and error.code in _REFUSED:
        found = Phase.GREETING if phase is Phase.CONNECT else phase
        return SmtpError(found, Reply(error.code, error.message))
    causes = (error, error.__cause__)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return SmtpError(Phase.TLS, None, "TLS could not be agreed on")
    if phase is Phase.AUTH and not isinstance(error, OSError):
        # No way to log in is a matter of set-up, as a refused password is.
        return SmtpError(phase, Reply(535, str(error)))
    # A lost connection while TLS is set up is a relay that is down, not one that is set up wrong.
    lost = isinstance(error, (OSError, asyncio.TimeoutError)) and phase is Phase.TLS
    return SmtpError(Phase.GREETING if lost else phase, None, type(error).__name__)
