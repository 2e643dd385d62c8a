"""Send one of our letters to whoever looks at it, marked as a test; its links open nothing.

What it says is fixed when it is asked for: a preview may be of something that is saved nowhere.
The entry that it brings is one of its own: it asks nobody, and no other one moves by it.
"""

import re
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from textwrap import fill
from uuid import UUID, uuid4, uuid5

from calendars import invitation
from calendars.entry import Entry
from notifications import outbox
from service import limiting, previewing, wording
from service.domain.accounts import Account
from service.domain.errors import NotFoundError, TooManyTriesError
from service.limiting import Limit
from service.pages.catalogue import texts
from service.previewing import ShownLetter
from service.requesting import CalendarWay
from service.services import Services

KIND = "test"
KINDS = ("invitation", "date_confirmed", "nudge", "reminder", "uninvited", "summary")
"""Letters that need nothing but a session; others are tried from the preview of their change."""

LIMIT = Limit("test_letters", 12, timedelta(hours=1))
_LIFE = timedelta(hours=1)
_BODY = re.compile(r"<body\b[^>]*>")
_LEAD = '<p style="margin:0;padding:16px;background:#fff3cd;color:#000"><strong>{}</strong></p>'
# The names of test entries come from here, so that none is that of a session.
_TESTS = UUID("7c0b4b5e-4f0a-4c52-9d0e-3a3f2f1f7e57")


@dataclass(frozen=True, slots=True)
class Sample:
    """A letter with words of nobody in its slots; `calendar` is a file, "" where there is none."""

    subject: str
    text: str
    html: str
    calendar: str = ""


async def send_of_session(
    services: Services, account: Account, meeting_id: UUID, kind: str, locale: str
) -> None:
    """Send the letter of a session as it is saved, by `send`; raises `NotFoundError`."""
    if kind not in KINDS:
        raise NotFoundError
    shown = await previewing.show_of_session(services, kind, locale, meeting_id)
    await send(services, account, shown)


async def send(services: Services, account: Account, shown: ShownLetter) -> None:
    """Post a letter to the account's own address alone; raises `TooManyTriesError`."""
    now = services.clock()
    if await limiting.take(services.database, LIMIT, str(account.id), now) is not None:
        raise TooManyTriesError
    letter = outbox.NewLetter(
        dedupe_key=f"tst:{uuid4()}",
        kind=KIND,
        recipient_id=account.id,
        subject_id=None,
        ordering_key=f"tst:{account.id}",
        not_before=now,
        expires_at=now + _LIFE,
        locale=shown.locale,
        cause=asdict(sample(shown, services.settings.public_url, account.id)),
        priority=2,
        recipient_domain=account.email.rpartition("@")[2].lower(),
    )
    async with services.database.unit_of_work() as unit:
        await outbox.post(unit.connection, letter)


def sample(shown: ShownLetter, public_url: str, account_id: UUID) -> Sample:
    """Mark a letter as a test, and put words of nobody into its slots."""
    draft, locale = shown.draft, shown.locale
    t = texts(locale).t
    lead = _lead(shown)
    token = t("letter.test.link")
    text = previewing.fill(draft.text, locale, public_url, token=token)
    html = previewing.fill(draft.html, locale, public_url, token=token)
    body = _BODY.search(html)
    if body is not None:
        html = html[: body.end()] + _LEAD.format(lead) + html[body.end() :]
    subject = t("letter.test.subject", subject=draft.subject)
    file = "" if shown.entry is None else _file(shown.entry, locale, account_id)
    return Sample(subject, f"{fill(lead, wording.TEXT_COLUMNS)}\n\n{text}", html, file)


def _lead(shown: ShownLetter) -> str:
    """Say what of it is none, so that nobody waits for what a test cannot bring."""
    t = texts(shown.locale).t
    if shown.entry is None:
        return t("letter.test.lead")
    lead = t("letter.test.lead_calendar")
    has_buttons = shown.standing.way is CalendarWay.BUTTONS
    return f"{lead} {t('letter.test.no_buttons')}" if has_buttons else lead


def _file(entry: Entry, locale: str, account_id: UUID) -> str:
    """Write the entry under a name of its own: the same for each test by the same account.

    So a move and a cancellation can be tried, and nothing but the test's own entry follows.
    """
    own = replace(
        entry,
        uid=str(uuid5(_TESTS, f"{account_id}:{entry.uid}")),
        summary=texts(locale).t("letter.test.subject", subject=entry.summary),
        attendee=None,
    )
    return invitation.render_download(own).decode()
