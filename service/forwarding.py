"""Hand on to the office's mailbox what people write, with person and session on top.

Once a mail, and never in a circle: nothing goes on that a program wrote, that came from the office
or from ourselves, or that answers to a letter that went to the office itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from asyncpg import Connection

from notifications import headers, intake, outbox
from notifications.headers import AddressError
from notifications.intake import Heard, IntakeOptions
from notifications.outbox import NewLetter
from service.database import Database
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.plain_letters import OfficeLetter
from service.settings import Settings
from service.tables import alarm_statements as statements

KIND = "reply_forwarded"
# A flood stays on the pages; a mailbox is no place for it.
MOST_AN_HOUR = 60
# Shorter than the words are kept.
_LIFE = timedelta(days=7)

_log = structlog.get_logger(__name__)


async def forward(
    connection: "Connection[Any]",
    settings: Settings,
    options: IntakeOptions,
    heard: Heard,
    now: datetime,
) -> bool:
    """Post the letter to the office in the transaction that keeps the mail; tell whether it was.

    Where the office's mailbox is the very one that we read, the mail is there already.
    """
    office = (await connection.fetchval(statements.OFFICE_ADDRESS)) or ""
    if not office or settings.smtp_host is None or intake.is_ours(options, office):
        return False
    if await _goes_in_circles(connection, options, heard, office):
        return False
    if await connection.fetchval(statements.FORWARDED, KIND, now) >= MOST_AN_HOUR:
        _log.warning("words.not_forwarded", event_id=heard.event_id)
        return False
    letter = NewLetter(
        dedupe_key=f"fwd:{heard.event_id}",
        kind=KIND,
        recipient_id=None,
        subject_id=None,
        ordering_key=f"fwd:{heard.event_id}",
        not_before=now,
        expires_at=now + _LIFE,
        locale=settings.default_locale,
        cause={"event": heard.event_id},
        recipient_domain=office.rpartition("@")[2].lower(),
    )
    return await outbox.post(connection, letter) is not None


async def read(
    database: Database, cause: Mapping[str, Any], locale: str, public_url: str
) -> OfficeLetter | None:
    """Return what the letter about a kept mail says; None when the mail is kept no more."""
    row = await database.fetchrow(statements.WRITTEN, cause["event"])
    if row is None:
        return None
    t = texts(locale).t
    path = f"/buero/termin/{row['meeting_id']}?antwort=wrote" if row["meeting_id"] else None
    return OfficeLetter(
        heading=", ".join(filter(None, (row["person"] or row["sender"], row["meeting_title"]))),
        reply_to=_safe(row["sender"]),
        # The kept mail has the words; a second copy would only have to be purged too.
        secrets=frozenset({"lines"}),
        values={
            "facts": "\n".join(_facts(row, locale)),
            "lines": row["words"] or t("words.empty"),
            "link_office": f"{public_url}{localised(path or '/buero/antworten', locale)}",
        },
    )


async def _goes_in_circles(
    connection: "Connection[Any]", options: IntakeOptions, heard: Heard, office: str
) -> bool:
    sender = heard.report.sender.lower()
    if sender == office.lower() or intake.is_ours(options, sender):
        return True
    if heard.letter_id is None:
        return False
    return bool(await connection.fetchval(statements.IS_TO_THE_OFFICE, heard.letter_id))


def _facts(row: Mapping[str, Any], locale: str) -> list[str]:
    t = texts(locale).t
    starts = row["starts_local"]
    day = f", {dates.format_short_date(starts.date(), locale)}" if starts else ""
    said = (
        ("person", ", ".join(filter(None, (row["person"], row["partner"])))),
        ("session", f"{row['meeting_title']}{day}" if row["meeting_title"] else ""),
        ("sender", row["sender"]),
        ("subject", row["subject"]),
    )
    return [f"{t(f'letter.{KIND}.{name}')}: {value}" for name, value in said if value]


def _safe(sender: str) -> str:
    """Return an address that may stand in a header, else nothing."""
    try:
        return headers.check_address(sender)
    except AddressError:
        return ""
