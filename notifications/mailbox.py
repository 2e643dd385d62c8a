"""Read returned mail out of a mailbox (IMAP): for installations without a mail server beside them.

A mail is kept first, then marked as read, then the cursor goes on: a crash in between reads it
again, which changes nothing. What people wrote stays unread, because somebody else may look into
this mailbox, too. A mail that the server will not hand out is passed over, and the office told.
"""

from datetime import datetime

import structlog

from notifications import imap, intake, skimming
from notifications.bounces import Kind
from notifications.imap import Mailbox, MailboxError, MailRefusedError, Reader
from notifications.intake import IntakeOptions
from notifications.storage import Database

MAILS_AT_ONCE = 200
"""Mails of one reading; the next one goes on."""

PIECE_BYTES = 1_000_000
"""Bytes of a mail that are fetched at once."""

LEASE_SECONDS = 300
_PERSONAL = frozenset({Kind.WORDS, Kind.UNKNOWN})

_log = structlog.get_logger(__name__)

# A lease that lies further ahead than any is given for comes from a clock that was wrong.
_LEASE = f"""
INSERT INTO mailbox_cursor AS c (mailbox, lease_until)
VALUES ($1, now() + make_interval(secs => {LEASE_SECONDS}))
ON CONFLICT (mailbox) DO UPDATE SET lease_until = excluded.lease_until
WHERE c.lease_until <= now()
    OR c.lease_until > now() + 2 * make_interval(secs => {LEASE_SECONDS})
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
        async with imap.opened(mailbox) as reader:
            last_uid = cursor[1] if reader.uid_validity == cursor[0] else 0
            reading = _Reading(database, mailbox, options, reader, at)
            found = await reading.read_after(last_uid)
            is_read = True
        return found
    finally:
        await database.fetch(_END, mailbox.name, is_read)


async def try_out(mailbox: Mailbox) -> None:
    """Log in, open the folder and leave; raise `MailboxError` if refused."""
    async with imap.opened(mailbox):
        pass


class _Reading:
    """One reading of an open folder.

    That a server refuses one mail says something of that mail only if it hands out another one:
    until then the cursor stays before it, so that a server in trouble costs nothing but time.
    """

    def __init__(
        self,
        database: Database,
        mailbox: Mailbox,
        options: IntakeOptions,
        reader: Reader,
        at: datetime,
    ) -> None:
        self._database = database
        self._mailbox = mailbox
        self._options = options
        self._reader = reader
        self._at = at
        self._refused: dict[int, str] = {}
        self._behind = 0

    async def read_after(self, last_uid: int) -> int:
        """Return how many mails were taken for the first time."""
        taken_first, read_uid, self._behind = 0, last_uid, last_uid
        for uid in await self._reader.list_after(last_uid, MAILS_AT_ONCE):
            try:
                raw = await self._fetch(uid)
            except MailRefusedError as error:
                self._refused[uid] = str(error)
                continue
            if raw is not None:
                await self._pass_over()
                taken_first += await self._take(uid, raw)
                read_uid = uid
            if not self._refused:
                await self._go_on(uid)
        if self._refused:
            await self._end_with_refusals(read_uid)
        return taken_first

    async def _fetch(self, uid: int) -> bytes | None:
        """Return a mail, or of a large one what has words; None when it is gone."""
        skimmer, start = skimming.Skimmer(), 0
        while start < skimming.LARGEST:
            piece = await self._reader.fetch(uid, PIECE_BYTES, start=start)
            if piece is None and not start:
                return None
            skimmer.add(piece or b"")
            start += PIECE_BYTES
            if len(piece or b"") < PIECE_BYTES:
                break
            await self._go_on(self._behind)
        return skimmer.finish()

    async def _take(self, uid: int, raw: bytes) -> bool:
        taken = await intake.take(self._database, self._options, raw, None, self._at)
        if taken.is_stop or taken.kind not in _PERSONAL:
            await self._reader.mark_read(uid)
        return taken.is_new

    async def _end_with_refusals(self, read_uid: int) -> None:
        """Pass over the last mails if one that we had is still handed out, else come again."""
        last_uid, said = max(self._refused.items())
        try:
            is_well = await self._reader.fetch(read_uid, 1) is not None if read_uid else False
        except MailRefusedError:
            is_well = False
        if not is_well:
            raise MailboxError(said)
        await self._pass_over()
        await self._go_on(last_uid)

    async def _pass_over(self) -> None:
        """Leave to the office what the server refused; they find it in their own mail program."""
        for uid, said in self._refused.items():
            _log.error("intake.refused_by_mailbox", uid=uid, folder=self._mailbox.folder)
            number = f"{self._mailbox.name} {self._reader.uid_validity} {uid}"
            await intake.note_refused(
                self._database,
                self._options,
                number,
                mailbox=self._mailbox.user,
                said=said,
                at=self._at,
            )
        self._refused.clear()

    async def _go_on(self, uid: int) -> None:
        """Put the cursor behind this mail, and keep the mailbox ours."""
        self._behind = uid
        validity = self._reader.uid_validity
        await self._database.fetch(_GO_ON, self._mailbox.name, validity, uid, LEASE_SECONDS)
