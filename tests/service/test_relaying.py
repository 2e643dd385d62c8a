"""How an installation proves to its own office that its letters arrive, and whom they name."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from notifications import pauses, returning
from notifications.postman import Postman
from service import composing, digesting, furnishing, relaying
from service.database import Database
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from tests import builders
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server

NOW = datetime.now(UTC)
OFFICE = "geschaeftsstelle@example.org"


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[Server]:
    async with smtp_servers.running() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def services(
    settings: Settings, database: Database, server: Server
) -> AsyncIterator[Services]:
    given = replace(settings, smtp_host="127.0.0.1", smtp_port=server.port, smtp_mode="plain")
    await builders.a_ready_office(database, email=OFFICE)
    pages = Pages(given.public_url, Instance("Bündnis", ""), static_urls())
    yield Services(given, database, pages, lambda: datetime.now(UTC), given.token_keys)
    furnishing.forget(database)


async def deliver(services: Services) -> None:
    relay = relaying.relay_settings(services.settings)
    assert relay is not None
    options = relaying.postman_options(services)
    sender = relaying.sender(services.settings)
    postman = Postman(services.database, relay, composing.Clerk(services), sender, options)
    await postman.deliver()
    await postman.stop()


async def test_the_office_gets_one_trial_letter_before_all_others(
    services: Services, server: Server
) -> None:
    person = await builders.a_person(services.database)
    await builders.an_invitation(
        services.database, await builders.a_meeting(services.database), person
    )
    posted = [await relaying.post_trial(services, datetime.now(UTC)) for _ in range(2)]
    await deliver(services)
    later = await relaying.post_trial(services, NOW + timedelta(days=1))

    assert ([True, False], False) == (posted, later)
    assert [OFFICE] == [mail.recipient for mail in server.mails]
    assert await pauses.is_tried(services.database, f"127.0.0.1:{server.port}")


async def test_a_trial_that_was_refused_is_repeated_after_ten_minutes(
    services: Services, server: Server
) -> None:
    server.script = lambda line, _: "550 5.7.1 not you" if line.startswith("RCPT") else None
    await relaying.post_trial(services, datetime.now(UTC))
    await deliver(services)
    now = datetime.now(UTC)

    posted = [await relaying.post_trial(services, now + timedelta(minutes=n)) for n in (11, 12)]

    assert [True, False] == posted


async def test_no_trial_leaves_while_legal_texts_are_missing(services: Services) -> None:
    await services.database.fetch("DELETE FROM legal_text")
    furnishing.forget(services.database)

    assert not await relaying.post_trial(services, NOW)


def test_no_second_copy_leaves_of_a_receipt_or_a_digest_that_may_have_arrived() -> None:
    assert {"receipt", digesting.KIND} == set(relaying.ONCE_KINDS)


async def test_without_a_mail_server_there_is_nothing_to_try(services: Services) -> None:
    without = replace(services, settings=replace(services.settings, smtp_host=None))

    assert not await relaying.post_trial(without, NOW)


@pytest.mark.parametrize(
    ("per_letter", "notify"), [(True, "SUCCESS,FAILURE,DELAY"), (False, "FAILURE,DELAY")]
)
async def test_reports_of_success_are_asked_for_where_a_program_reads_them(
    services: Services, server: Server, *, per_letter: bool, notify: str
) -> None:
    server.extensions = ("PIPELINING", "DSN")
    given = replace(
        services.settings, bounce_per_letter=per_letter, bounce_address="bounce@example.org"
    )
    await relaying.post_trial(services, datetime.now(UTC))
    await deliver(replace(services, settings=given))

    [letter] = await services.database.fetch("SELECT id FROM letter")
    [mail] = server.mails
    found = returning.letter_of(relaying.return_options(given), mail.sender)
    assert (letter["id"] if per_letter else None) == found
    assert [notify] == [
        line.partition("NOTIFY=")[2] for line in server.lines if line.startswith("RCPT")
    ]


@pytest.mark.parametrize("refused_at", ["RCPT", "."])
async def test_a_link_that_a_server_quotes_is_not_written_down(
    services: Services, server: Server, refused_at: str
) -> None:
    link = f"https://termine.example.org/a/{'a2' * 26}"
    server.script = lambda line, _: (
        f"554 5.7.1 Blocked URL {link}" if line.startswith(refused_at) else None
    )
    await relaying.post_trial(services, datetime.now(UTC))
    await deliver(services)

    words = await services.database.fetchval("SELECT last_text FROM outbox")
    tried = await services.database.fetchval("SELECT reply FROM mail_attempt")
    wanted = "5.7.1 Blocked URL https://termine.example.org/a/xxxxxxxx"
    assert [wanted] * 2 == [words, tried]


async def test_a_link_that_a_server_takes_over_with_is_not_written_down(
    services: Services, server: Server
) -> None:
    server.script = lambda line, _: f"250 2.0.0 ok {'a2' * 26}" if line == "." else None
    await relaying.post_trial(services, datetime.now(UTC))
    await deliver(services)

    row = await services.database.fetchrow(
        "SELECT remote_id, last_text, reply FROM outbox JOIN mail_attempt ON letter_id = outbox.id"
    )
    assert row is not None
    assert [True] * 3 == [words.endswith("ok xxxxxxxx") for words in row.values()]
