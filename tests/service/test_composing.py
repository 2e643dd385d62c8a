"""Letters through the real clerk, postman, PostgreSQL and SMTP."""

import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from notifications import outbox
from notifications.outbox import NewLetter
from notifications.postman import Options, Postman
from service import furnishing, relaying
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.domain import changes
from service.domain.words import NoticeKind
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from service.tables import facts
from tests import builders
from tests.builders import Row
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Mail

NOW = datetime.now(UTC).replace(microsecond=0)
"""The outbox asks the database's clock, so these tests live today."""
STARTS = (NOW + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)
MEETING_KINDS = (
    "invitation",
    "date_confirmed",
    "change",
    "cancellation",
    "postponed",
    "uncancellation",
    "uninvited",
    "nudge",
    "reminder",
    "receipt",
)
_STATES = {"cancellation": "cancelled", "postponed": "postponed"}
_ANSWERED = {"reminder": "online", "receipt": "represented"}


@pytest_asyncio.fixture(loop_scope="session")
async def ready(database: Database) -> AsyncIterator[None]:
    await builders.an_instance(database)
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Ein Text.", NOW)
    furnishing.forget(database)
    yield
    furnishing.forget(database)


@pytest.fixture
def services(settings: Settings, database: Database, ready: None) -> Services:
    pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
    return Services(settings, database, pages, lambda: NOW, settings.token_keys)


async def a_session(database: Database, **columns: Any) -> Row:
    group = await builders.a_group(database, name="Arbeitsgruppe Klima")
    given = {
        "starts_local": STARTS,
        "agenda": "1. Begrüßung\n2. Verschiedenes",
        "mode": "hybrid",
        "online_url": "https://video.example.org/klima",
    }
    return await builders.a_meeting(database, of=group, **given | columns)


async def a_letter(
    database: Database, kind: str, person: Row, meeting: Row | None, **more: Any
) -> UUID:
    letter = NewLetter(
        dedupe_key=f"{kind}:{person['id']}:{more.get('cause')}",
        kind=kind,
        recipient_id=person["id"],
        subject_id=meeting and meeting["id"],
        ordering_key=f"{person['id']}:{kind}",
        not_before=NOW - timedelta(seconds=1),
        expires_at=NOW + timedelta(days=1),
        recipient_domain="example.org",
    )
    async with database.unit_of_work() as unit:
        letter_id = await outbox.post(unit.connection, replace(letter, **more))
    assert letter_id is not None
    return letter_id


async def everything(database: Database, locale: str) -> dict[str, UUID]:
    """Post one letter of each kind to a person each, as the use cases would."""
    posted = {}
    for kind in MEETING_KINDS:
        meeting = await a_session(database, state=_STATES.get(kind, "confirmed"))
        of = await builders.an_organisation(database, name=f"Stadt {kind} {locale}")
        person = await builders.a_person(database, full_name="Mira Muster", locale=locale)
        answer = _ANSWERED.get(kind)
        state = "uninvited" if kind == "uninvited" else "invited"
        invitation = await builders.an_invitation(
            *(database, meeting, person),
            state=state,
            answer=answer,
            organisation_id=of["id"],
            deputy_name="Jan Beispiel" if answer == "represented" else "",
        )
        cause = {"invitation": str(invitation["id"])}
        if kind == "change":
            before = replace(facts.read(meeting), room="Saal 9")
            columns = {"before": changes.to_json(before), "kind": NoticeKind.CHANGE}
            notice = await builders.a_notice(database, meeting, **columns)
            cause["notice"] = str(notice["id"])
        posted[kind] = await a_letter(
            *(database, kind, person, meeting), cause=cause, locale=locale
        )
    return posted | await _plain(database, locale)


async def _plain(database: Database, locale: str) -> dict[str, UUID]:
    account = await builders.an_account(database, locale=locale)
    token = await builders.insert(
        database,
        "one_time_token",
        purpose="sign_in",
        secret_hash=account["id"].bytes,
        account_id=account["id"],
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
    )
    person = await builders.a_person(database, full_name="Mira Muster", locale=locale)
    await builders.an_invitation(database, await a_session(database), person)
    hint = {"page": "https://example.org/x", "problem": "Kontrast", "email": "", "need": ""}
    return {
        "sign_in": await a_letter(
            *(database, "sign_in", account, None),
            cause={"token_id": str(token["id"])},
            locale=locale,
        ),
        "lost_links": await a_letter(database, "lost_links", person, None, locale=locale),
        "hint_received": await a_letter(
            *(database, "hint_received", person, None),
            recipient_id=None,
            cause=hint,
            locale=locale,
        ),
    }


async def deliver(services: Services) -> list[Mail]:
    """Send what is due through a real postman to a real server; return what arrived."""
    async with smtp_servers.running() as server:
        options = Options(once_kinds=relaying.ONCE_KINDS, clock=services.clock)
        postman = Postman(
            services.database,
            server.relay(),
            Clerk(services),
            relaying.sender(services.settings),
            options,
        )
        await postman.deliver()
        await postman.stop()
        return server.mails


def opened(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    found = [each for each in message.walk() if each.get_content_type() == kind]
    content: str = found[0].get_content() if found else ""
    return content


@pytest.mark.parametrize("locale", ["de", "en"])
async def test_every_kind_passes_the_gate_and_a_real_mail_server(
    services: Services, database: Database, locale: str
) -> None:
    posted = await everything(database, locale)

    mails = await deliver(services)

    rows = await database.fetch(
        "SELECT l.kind, o.state, o.reason FROM outbox o JOIN letter l USING (id)"
    )
    assert {(kind, "sent", None) for kind in posted} == {tuple(row) for row in rows}
    assert len(posted) == len(mails)
    for mail in mails:
        message = opened(mail)
        assert locale == message["Content-Language"]
        assert not any("⟦" in part(message, kind) for kind in ("text/plain", "text/html"))
