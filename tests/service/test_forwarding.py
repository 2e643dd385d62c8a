"""What people write goes on to the office's mailbox: once, readable, and never in a circle."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from notifications import intake
from notifications.clerk import Go, Stop
from notifications.intake import IntakeOptions
from service import forwarding, furnishing
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.hearing import Ear
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from tests import invited
from tests.notifications import builders

NOW = datetime.now(UTC)
OFFICE = "buero@example.org"
TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"


async def furnish(database: Database, email: str) -> None:
    await furnishing.save_instance(
        database, COMMAND, furnishing.InstanceData("Bündnis", email=email)
    )


@pytest_asyncio.fixture(loop_scope="session")
async def services(settings: Settings, database: Database) -> AsyncIterator[Services]:
    await furnish(database, OFFICE)
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Ein Text.", NOW)
    pages = Pages(settings.public_url, Instance("Bündnis", OFFICE), static_urls())
    yield Services(settings, database, pages, lambda: NOW, settings.token_keys)
    furnishing.forget(database)


@pytest.fixture
def options(services: Services) -> IntakeOptions:
    return Ear(services).options


async def a_letter(database: Database) -> UUID:
    guest = await invited.somebody_invited(database)
    letter = builders.a_letter(recipient_id=guest.person_id, subject_id=guest.meeting_id)
    return (await builders.post(database, letter))[0]


def a_mail(
    settings: Settings, letter: UUID | None, head: str = "", words: str = "ja, gern"
) -> bytes:
    answers = f"In-Reply-To: <{letter}@{settings.mail_domain}>\r\n" if letter else ""
    sender = "" if "From:" in head else "From: Mira Muster <mira@partner.example.org>\r\n"
    kind = "Content-Type: text/plain; charset=utf-8\r\n"
    return f"{sender}{head}{answers}{kind}Subject: Re: Einladung\r\n\r\n{words}".encode()


async def take(services: Services, options: IntakeOptions, raw: bytes) -> None:
    await intake.take(services.database, options, raw, services.settings.mail_from, NOW)


async def forwarded(database: Database) -> list[Any]:
    return list(await database.fetch("SELECT * FROM letter WHERE kind = $1", forwarding.KIND))


async def ask_clerk(services: Services) -> Go | Stop:
    [row] = await forwarded(services.database)
    return (await Clerk(services).look_up([row["id"]]))[row["id"]]


async def test_human_reply_without_ics_forwarded_once_with_its_person_and_session(
    services: Services, options: IntakeOptions, database: Database
) -> None:
    letter = await a_letter(database)
    raw = a_mail(services.settings, letter, words=f"ja, siehe https://t.example/a/{TOKEN}")
    for _ in range(2):
        await take(services, options, raw)
    go = await ask_clerk(services)
    assert isinstance(go, Go)
    draft = await Clerk(services).compose(go.prototype_key)

    assert OFFICE == go.to_addr
    assert "Antwort: Mira Muster, 16. Arbeitsgruppensitzung Klima" == draft.subject
    assert "mira@partner.example.org" == draft.reply_to
    assert "Person: Mira Muster, Stadt Musterhausen" == go.values["facts"].partition("\n")[0]
    assert "Sitzung: 16. Arbeitsgruppensitzung Klima, Do" in go.values["facts"]
    assert "ja, siehe https://t.example/a/xxxxxxxx" == go.values["lines"]
    assert "/buero/termin/" in go.values["link_office"]
    assert ["facts"] == list(go.storable())


async def test_words_without_a_letter_go_on_too(
    services: Services, options: IntakeOptions, database: Database
) -> None:
    await take(services, options, a_mail(services.settings, None))
    go = await ask_clerk(services)

    assert isinstance(go, Go)
    assert "Absender: mira@partner.example.org" in go.values["facts"]
    assert go.values["link_office"].endswith("/buero/antworten")


@pytest.mark.parametrize(
    "head",
    [
        "Auto-Submitted: auto-replied\r\n",
        "Return-Path: <>\r\n",
        "Precedence: bulk\r\n",
        f"From: {OFFICE}\r\n",
        "From: termine@example.org\r\n",
    ],
    ids=["automatic", "null sender", "bulk", "from the office", "from ourselves"],
)
async def test_what_a_program_the_office_or_we_ourselves_wrote_goes_nowhere(
    services: Services, options: IntakeOptions, database: Database, head: str
) -> None:
    own = services.settings.mail_from
    letter = await a_letter(database)
    raw = a_mail(services.settings, letter, head.replace("termine@example.org", own))
    await take(services, options, raw)

    assert [] == await forwarded(database)


async def test_an_answer_to_a_letter_to_the_office_ends_the_circle(
    services: Services, options: IntakeOptions, database: Database
) -> None:
    await take(services, options, a_mail(services.settings, await a_letter(database)))
    [first] = await forwarded(database)
    head = "From: tickets@example.org\r\n"
    await take(services, options, a_mail(services.settings, first["id"], head))

    assert [first["id"]] == [row["id"] for row in await forwarded(database)]


async def test_the_mailbox_that_we_read_ourselves_gets_no_second_copy(
    services: Services, options: IntakeOptions, database: Database
) -> None:
    await furnish(database, services.settings.mail_from)
    await take(services, options, a_mail(services.settings, await a_letter(database)))

    assert [] == await forwarded(database)


async def test_a_flood_stays_on_the_pages(
    services: Services, options: IntakeOptions, database: Database
) -> None:
    letter = await a_letter(database)
    await builders.post(
        database,
        *(
            builders.a_letter(n, kind=forwarding.KIND, recipient_id=None, subject_id=None)
            for n in range(forwarding.MOST_AN_HOUR)
        ),
    )
    await take(services, options, a_mail(services.settings, letter))

    assert forwarding.MOST_AN_HOUR == len(await forwarded(database))
    assert 1 == await database.fetchval("SELECT count(*) FROM mail_event")


async def test_a_mail_that_is_kept_no_more_is_not_handed_on(
    services: Services, options: IntakeOptions, database: Database
) -> None:
    await take(services, options, a_mail(services.settings, await a_letter(database)))
    await database.fetch("DELETE FROM mail_event")

    assert Stop("gone") == await ask_clerk(services)
