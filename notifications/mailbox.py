"""Read returned mail out of a mailbox (IMAP): for installations without a mail server beside them.

The library blocks, so every step runs in a thread. A mail is kept first, then marked as read, then
the cursor goes on: a crash in between reads it again, which changes nothing. What people wrote
stays unread, because somebody else may look into this mailbox, too.
"""

import asyncio
import imaplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import structlog
from imap_tools import BaseMailBox, ImapToolsError, MailBox, MailBoxStartTls, MailBoxUnencrypted

from notifications import intake
from notifications.bounces import Kind
from notifications.intake import IntakeOptions
from notifications.storage import Database

MAILS_AT_ONCE = 200
"""Mails of one reading; the next one goes on."""

SOCKET_SECONDS = 30.0
LEASE_SECONDS = 300
_PERSONAL = frozenset({Kind.WORDS, Kind.UNKNOWN})

_log = structlog.get_logger(__name__)

_LEASE = f"""
INSERT INTO mailbox_cursor AS c (mailbox, lease_until)
VALUES ($1, now() + make_interval(secs => {LEASE_SECONDS}))
ON CONFLICT (mailbox) DO UPDATE SET lease_until = excluded.lease_until
WHERE c.lease_until <= now()
RETURNING uid_validity, last_uid
"""
_GO_ON = """
UPDATE mailbox_cursor SET uid_validity = $2, last_uid = $3,
    lease_until = now() + make_interval(secs => $4) WHERE mailbox = $1
"""
_END = """
UPDATE mailbox_cursor SET lease_until = now(), read_at = CASE WHEN $2 THEN now() ELSE read_at END
WHERE mailbox = $1
"""


class MailboxError(Exception):
    """The mailbox cannot be read; `str` says why, without a password."""


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

    @property
    def name(self) -> str:
        """By what the cursor is kept."""
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"


async def read_new(
    database: Database, mailbox: Mailbox, options: IntakeOptions, at: datetime
) -> int:
    """Take in what is new in the mailbox; return how many mails were taken for the first time.

    Of several processes one reads at a time. Raise `MailboxError` when the mailbox is away, and
    whatever the database raises: the rest is read the next time.
    """
    cursor = await database.fetchrow(_LEASE, mailbox.name)
    if cursor is None:
        return 0
    is_read = False
    try:
        found = await _read(database, mailbox, options, (cursor[0], cursor[1]), at)
        is_read = True
        return found
    finally:
        await database.fetch(_END, mailbox.name, is_read)


async def try_out(mailbox: Mailbox) -> None:
    """Log in, open the folder and leave; raise `MailboxError` if refused."""
    reader = await _in_thread(_open, mailbox)
    await _in_thread(reader.close)


async def _read(
    database: Database,
    mailbox: Mailbox,
    options: IntakeOptions,
    cursor: tuple[int, int],
    at: datetime,
) -> int:
    reader = await _in_thread(_open, mailbox)
    try:
        last = cursor[1] if reader.uid_validity == cursor[0] else 0
        taken_first = 0
        for uid in await _in_thread(reader.list_after, last):
            raw = await _in_thread(reader.fetch, uid)
            if raw is not None:
                taken = await intake.take(database, options, raw, None, at)
                taken_first += taken.is_new
                if taken.is_stop or taken.kind not in _PERSONAL:
                    await _in_thread(reader.mark_read, uid)
            await database.fetch(_GO_ON, mailbox.name, reader.uid_validity, uid, LEASE_SECONDS)
        return taken_first
    finally:
        await _in_thread(reader.close)


async def _in_thread(work: Any, *values: Any) -> Any:
    """Run a step of the library in a thread; its errors are those of the mailbox."""
    try:
        return await asyncio.to_thread(work, *values)
    except (ImapToolsError, imaplib.IMAP4.error, OSError, EOFError) as error:
        raise MailboxError(_words_of(error)) from error


def _words_of(error: Exception) -> str:
    """Return what the server said; the library's own text would repeat the whole command."""
    result = getattr(error, "command_result", None)
    said = result[1][0] if result and len(result) > 1 and result[1] else error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())[:200] or type(error).__name__


class _Reader:
    """An open folder; every method blocks."""

    def __init__(self, box: BaseMailBox, uid_validity: int) -> None:
        self._box = box
        self.uid_validity = uid_validity

    def list_after(self, last_uid: int) -> Sequence[int]:
        """Return the next uids, the oldest first."""
        # A range whose end is the star names the last mail even when that is an old one.
        found = [int(uid) for uid in self._box.uids(f"UID {last_uid + 1}:*", charset=None)]
        return sorted(uid for uid in found if uid > last_uid)[:MAILS_AT_ONCE]

    def fetch(self, uid: int) -> bytes | None:
        """Return a mail as far as we take one, None when it is gone; it stays unread."""
        part = f"(BODY.PEEK[]<0.{intake.SIZE_LIMIT}>)"
        kind, data = self._box.client.uid("FETCH", str(uid), part)
        if kind != "OK":
            raise MailboxError(f"FETCH: {kind}")
        return next((bytes(one[1]) for one in data if isinstance(one, tuple)), None)

    def mark_read(self, uid: int) -> None:
        """Mark a mail as read. The library's own way would also delete what others marked."""
        self._box.client.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Seen)")

    def close(self) -> None:
        """Leave, whatever the server says to it."""
        with suppress(ImapToolsError, imaplib.IMAP4.error, OSError, EOFError):
            self._box.logout()


def _open(mailbox: Mailbox) -> _Reader:
    box = _connect(mailbox)
    try:
        is_ascii = (mailbox.user + mailbox.password).isascii()
        login = box.login if is_ascii else box.login_utf8
        login(mailbox.user, mailbox.password, initial_folder=mailbox.folder)
        status = box.folder.status(mailbox.folder, ("UIDVALIDITY",))
    except BaseException:
        _Reader(box, 0).close()
        raise
    return _Reader(box, int(status["UIDVALIDITY"]))


def _connect(mailbox: Mailbox) -> BaseMailBox:
    context = mailbox.tls_context or ssl.create_default_context()
    if mailbox.mode == "plain":
        return MailBoxUnencrypted(mailbox.host, mailbox.port, timeout=SOCKET_SECONDS)
    if mailbox.mode == "starttls":
        return MailBoxStartTls(
            mailbox.host, mailbox.port, timeout=SOCKET_SECONDS, ssl_context=context
        )
    return MailBox(mailbox.host, mailbox.port, timeout=SOCKET_SECONDS, ssl_context=context)
