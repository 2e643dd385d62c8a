"""One connection to the mail relay, command by command, so that we always know how far it got."""

import asyncio
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException

from notifications import connecting, crashing
from notifications.backoff import Phase, Reply
from notifications.envelopes import SmtpEnvelope
from notifications.hurrying import hurried
from notifications.wire import Wire, WireError

Mode = Literal["tls", "starttls", "plain"]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

CONNECT_SECONDS = hurried(30.0)
QUIT_SECONDS = 2.0
COMMAND_SECONDS = hurried(60.0)
DOT_SECONDS = hurried(600.0)
"""RFC 5321 4.5.3.2.6: an earlier time-out here delivers copies."""

LETTERS_PER_CONNECTION = 100
CONNECTION_SECONDS = 300.0
IDLE_SECONDS = 30.0
"""Servers close idle connections soon; after this long a fresh one costs less than a surprise."""

REFUSALS_PER_CONNECTION = 8
"""Servers hang up, or slow down, after some more errors on one connection."""

_EXTENSIONS = ("pipelining", "dsn", "size")
_START_INPUT = 354
_ACCEPTED = range(250, 252)
_REFUSED = range(400, 600)
_CLOSING = 421
# Our letters have none; to look costs a third of replacing.
_DOT = re.compile(rb"\n\.")


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Where letters are handed over, and how the way there is protected.

    `plain` is for loopback only and takes no user name: a password never travels in clear.
    `notify` says which reports are asked for (RFC 3461 section 4.1): those of success are for a
    program that reads them, in a person's mailbox they would be a flood.
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
    notify: str = "FAILURE,DELAY"

    def __post_init__(self) -> None:
        if self.mode == "plain" and (self.host not in LOOPBACK or self.user):
            raise ValueError("mode plain is for loopback without user name only")

    @property
    def name(self) -> str:
        """The name under which pauses and slots of this relay are kept."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a server says of itself: its extensions with their values, and its certificate.

    The names are in small letters (RFC 5321 section 4.1.1.1). The certificate is None without TLS.
    """

    extensions: Mapping[str, str] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Offer:
    """What the server said it can do."""

    welcome: Welcome = Welcome()
    pipelines: bool = False
    reports: bool = False
    knows_size: bool = False


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
        self._wire: Wire | None = None
        self._offer = _Offer()
        self._refusals = 0
        self._letters = 0
        self._opened = 0.0
        self._used = 0.0
        self._envelope_open = False
        self._content_asked = False
        self._asked: SmtpEnvelope | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the connection stands, as far as we know."""
        return self._wire is not None and self._wire.is_open

    async def open(self) -> None:
        """Connect, protect and log in, unless the connection stands already."""
        await self._ensure_open()

    async def address(self, envelope: SmtpEnvelope) -> None:
        """Get as far as RCPT (nothing can have been delivered yet), or raise `SmtpError`.

        A connection that was idle may have been closed by the server: it is opened anew once.
        """
        if self._asked not in {None, envelope}:
            # The server waits for the content of a letter that does not come.
            self.close()
        reused = await self._ensure_open()
        try:
            await self._send_envelope(envelope)
        except SmtpError as error:
            if not reused or _is_clean(error) or error.phase is not Phase.MAIL:
                raise
            self.close()
            await self._ensure_open()
            await self._send_envelope(envelope)

    def _commands(self, envelope: SmtpEnvelope) -> tuple[bytes, bytes]:
        notify = self._settings.notify if self._offer.reports else None
        return envelope.commands(knows_size=self._offer.knows_size, notify=notify)

    async def transfer(self, raw: bytes, following: SmtpEnvelope | None = None) -> str:
        """Send the letter's bytes and return the server's words of acceptance.

        The envelope of a following letter leaves together with their end where the server allows
        it (RFC 2920 section 3.1): half the ways to and fro. `SmtpError` without reply means that
        nobody knows; whatever is raised, the connection is closed unless the reply was clean.
        """
        try:
            if not self._content_asked:
                await self._ask_content()
            self._content_asked = False
            crashing.pass_point("mid_data", lambda: self._ask(Phase.DOT, raw[: len(raw) // 2], 0))
            # The gate let CRLF line ends through only, so stuffing dots is all that is left.
            content = (raw.replace(b"\r\n.", b"\r\n..") if _DOT.search(raw) else raw) + b".\r\n"
            if following is not None and self._offer.pipelines and not self._is_worn(letters=1):
                self._asked = following
                self._ask(Phase.DOT, b"%b%b%bDATA\r\n" % (content, *self._commands(following)), 4)
            else:
                self._ask(Phase.DOT, content, 1)
            crashing.pass_point("after_dot")
            code, words = await self._reply(Phase.DOT, self._settings.dot_seconds)
            self._letters += 1
            self._refusals = 0
            self._envelope_open = False
            _require(code in _ACCEPTED, Phase.DOT, code, words)
        except BaseException as error:
            if not _is_clean(error):
                self.close()
            raise
        self._used = time.monotonic()
        return Reply(code, words).text

    async def rewind(self) -> None:
        """Forget an envelope that is not going to be sent."""
        if self._content_asked:
            # After 354 there is no way back but to hang up; the server then drops the letter.
            self.close()
        if not self._envelope_open or not self.is_open:
            return
        try:
            self._ask(Phase.MAIL, b"RSET\r\n", 1)
            await self._reply(Phase.MAIL, self._settings.command_seconds)
            self._envelope_open = False
        except SmtpError:
            self.close()

    async def look(self) -> Welcome:
        """Open as for a letter and return what the server says of itself; raise `SmtpError`."""
        await self._ensure_open()
        return self._offer.welcome

    async def try_out(self) -> None:
        """Connect, protect and log in as for a letter, then leave; raise `SmtpError` if refused."""
        await self._ensure_open()
        await self.leave()

    async def leave(self) -> None:
        """Say goodbye if the connection stands; never wait longer than a moment for it."""
        try:
            if self.is_open and not self._content_asked and self._asked is None:
                self._ask(Phase.MAIL, b"QUIT\r\n", 1)
                await self._reply(Phase.MAIL, QUIT_SECONDS)
        except SmtpError:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Cut the connection at once."""
        wire, self._wire = self._wire, None
        self._content_asked, self._asked = False, None
        if wire is not None:
            wire.close()

    def _is_worn(self, *, letters: int = 0) -> bool:
        """Tell whether the connection has served enough, after so many letters more."""
        now = time.monotonic()
        return (
            self._letters + letters >= LETTERS_PER_CONNECTION
            or self._refusals >= REFUSALS_PER_CONNECTION
            or now - self._opened > CONNECTION_SECONDS
            or now - self._used > IDLE_SECONDS
        )

    async def _ensure_open(self) -> bool:
        """Return whether a standing connection is used again."""
        if self.is_open and self._asked is not None:
            return True
        if self.is_open and not self._is_worn():
            await self.rewind()
            if self.is_open:
                return True
        await self.leave()
        transport, self._offer = await _open(self._settings)
        self._wire = Wire(transport)
        self._refusals = self._letters = 0
        self._opened = self._used = time.monotonic()
        self._envelope_open = False
        return False

    async def _send_envelope(self, envelope: SmtpEnvelope) -> None:
        self._envelope_open = True
        asked, self._asked = self._asked, None
        try:
            if asked is not None:
                await self._hear_envelope()
            elif self._offer.pipelines:
                # MAIL, RCPT and DATA at once (RFC 2920); content follows only after the mark.
                self._ask(Phase.MAIL, b"%b%bDATA\r\n" % self._commands(envelope), 3)
                await self._hear_envelope()
            else:
                await self._send_in_turn(self._commands(envelope))
        except BaseException as error:
            self._refusals += 1
            # After a clean refusal the connection goes on; after anything else replies may be
            # mispaired, and after 354 the server waits for content.
            if not _is_clean(error) or self._content_asked:
                self.close()
            raise

    async def _send_in_turn(self, commands: tuple[bytes, bytes]) -> None:
        for phase, command in zip((Phase.MAIL, Phase.RCPT), commands, strict=True):
            self._ask(phase, command, 1)
            code, words = await self._reply(phase, self._settings.command_seconds)
            _require(code in _ACCEPTED, phase, code, words)
            if phase is Phase.MAIL:
                crashing.pass_point("after_mail")

    async def _hear_envelope(self) -> None:
        seconds = self._settings.command_seconds
        mail = await self._reply(Phase.MAIL, seconds)
        crashing.pass_point("after_mail")
        rcpt = await self._reply(Phase.RCPT, seconds)
        # Without its reply nothing has been sent either: that is as definite as at RCPT.
        data = await self._reply(Phase.RCPT, seconds)
        self._content_asked = data[0] == _START_INPUT
        _require(mail[0] in _ACCEPTED, Phase.MAIL, *mail)
        _require(rcpt[0] in _ACCEPTED, Phase.RCPT, *rcpt)
        _require(self._content_asked, Phase.DATA, *data)

    async def _ask_content(self) -> None:
        self._ask(Phase.DATA, b"DATA\r\n", 1)
        code, words = await self._reply(Phase.DATA, self._settings.dot_seconds)
        _require(code == _START_INPUT, Phase.DATA, code, words)

    def _ask(self, phase: Phase, data: bytes, replies: int) -> None:
        if self._wire is None:
            raise SmtpError(phase, None, "closed")
        try:
            self._wire.ask(data, replies)
        except WireError as error:
            raise SmtpError(phase, None, str(error)) from error

    async def _reply(self, phase: Phase, seconds: float) -> tuple[int, str]:
        if self._wire is None:
            raise SmtpError(phase, None, "closed")
        try:
            return await self._wire.read(seconds)
        except WireError as error:
            raise SmtpError(phase, None, str(error)) from error


async def _open(settings: RelaySettings) -> tuple[asyncio.Transport, _Offer]:
    """Connect, protect, log in: in this order, and never with a password before TLS.

    Return the connection and what the server offers.
    """
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        use_tls=settings.mode == "tls",
        start_tls=False,
        tls_context=settings.tls_context,
        local_hostname=settings.local_hostname,
        timeout=settings.connect_seconds,
    )
    phase = Phase.CONNECT
    try:
        # The host's name above stays what the certificate has to name.
        way = await connecting.connect(settings.host, settings.port, settings.connect_seconds)
        await client.connect(sock=way)
        phase = Phase.GREETING
        await client.ehlo()
        if settings.mode == "starttls":
            phase = Phase.TLS
            await client.starttls()
            await client.ehlo()
        if settings.user:
            phase = Phase.AUTH
            await _log_in(client, settings)
        # Raises when the connection is gone already.
        certificate = client.get_transport_info("peercert")
        welcome = Welcome(dict(client.esmtp_extensions), certificate)
        offer = _Offer(welcome, *map(client.supports_extension, _EXTENSIONS))
    except BaseException as error:
        client.close()
        if isinstance(error, (SMTPException, OSError, ValueError)):
            raise _as_smtp_error(phase, error) from error
        raise
    return cast("asyncio.Transport", client.transport), offer


def _require(fine: bool, phase: Phase, code: int, words: str) -> None:  # noqa: FBT001
    if not fine:
        raise SmtpError(phase, _refusal(code, words), Reply(code, words).text)


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
