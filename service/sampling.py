"""Send one of our letters to whoever looks at it, marked as a test; its links open nothing.

What it says is fixed when it is asked for: a preview may be of something that is saved nowhere.
"""

import re
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from notifications import outbox
from notifications.letters import Draft
from service import limiting, previewing
from service.composing import Clerk
from service.domain.accounts import Account
from service.domain.errors import NotFoundError, TooManyTriesError
from service.limiting import Limit
from service.pages.catalogue import texts
from service.services import Services

KIND = "test"
KINDS = ("invitation", "date_confirmed", "nudge", "reminder", "uninvited", "summary")
"""Letters that need nothing but a session; others are tried from the preview of their change."""

LIMIT = Limit("test_letters", 12, timedelta(hours=1))
_LIFE = timedelta(hours=1)
_BODY = re.compile(r"<body\b[^>]*>")
_LEAD = '<p style="margin:0;padding:16px;background:#fff3cd;color:#000"><strong>{}</strong></p>'


@dataclass(frozen=True, slots=True)
class Sample:
    """A letter with words of nobody in its slots."""

    subject: str
    text: str
    html: str


async def send_of_session(
    services: Services, account: Account, meeting_id: UUID, kind: str, locale: str
) -> None:
    """Send the letter of a session as it is saved, by `send`; raises `NotFoundError`."""
    if kind not in KINDS:
        raise NotFoundError
    draft = await Clerk(services).preview(kind, locale, meeting_id)
    await send(services, account, draft, locale)


async def send(services: Services, account: Account, draft: Draft, locale: str) -> None:
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
        locale=locale,
        cause=asdict(sample(draft, locale, services.settings.public_url)),
        priority=2,
        recipient_domain=account.email.rpartition("@")[2].lower(),
    )
    async with services.database.unit_of_work() as unit:
        await outbox.post(unit.connection, letter)


def sample(draft: Draft, locale: str, public_url: str) -> Sample:
    """Mark a letter as a test, and put words of nobody into its slots."""
    t = texts(locale).t
    lead = t("letter.test.lead")
    token = t("letter.test.link")
    text = previewing.fill(draft.text, locale, public_url, token=token)
    html = previewing.fill(draft.html, locale, public_url, token=token)
    body = _BODY.search(html)
    if body is not None:
        html = html[: body.end()] + _LEAD.format(lead) + html[body.end() :]
    return Sample(t("letter.test.subject", subject=draft.subject), f"{lead}\n\n{text}", html)
