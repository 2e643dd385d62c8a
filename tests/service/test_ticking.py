"""What time sets off, end to end: ticks, postman, a real mail server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from notifications import pauses
from service import furnishing, housekeeping, relaying, ticking
from service.auditing import COMMAND
from service.database import Database
from service.jobs import Ticks
from service.pages.assets import static_urls
from service.pages.catalogue import LOCALES, texts
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from tests import builders
from tests.builders import insert, letters, read
from tests.web.mailbox import deliver

NOW = datetime.now(UTC).replace(microsecond=0)
STARTS = (NOW + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)


@pytest_asyncio.fixture(loop_scope="session")
async def furnished(database: Database) -> AsyncIterator[None]:
    await builders.a_ready_office(database)
    yield
    furnishing.forget(database)


@pytest_asyncio.fixture(loop_scope="session")
async def services(settings: Settings, database: Database) -> Services:
    furnishing.forget(database)
    relay = relaying.relay_settings(settings)
    assert relay is not None
    await pauses.note_tried(database, relay.name)
    pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
    return Services(settings, database, pages, lambda: NOW, settings.token_keys)


async def run_once(services: Services) -> None:
    await Ticks(services.database, ticking.ticks(services, None), lambda: NOW).run_all_once()


async def test_an_invitation_that_is_due_arrives_and_its_person_has_had_a_first_letter(
    services: Services, furnished: None
) -> None:
    database = services.database
    meeting = await builders.a_meeting(database, starts_local=STARTS)
    invitation = await builders.an_invitation(database, meeting, state="planned")
    await builders.a_notice(database, meeting, kind="invitation", due_at=NOW)
    await run_once(services)
    arrived = len(await deliver(services))
    await run_once(services)

    person = await read(database, "person", invitation["person_id"])
    assert (1, NOW.date()) == (arrived, person["first_letter_on"])


async def test_every_tick_ends_well(services: Services, furnished: None) -> None:
    await run_once(services)

    rows = await services.database.fetch("SELECT job, last_ok_at, last_error FROM job_health")
    assert {tick.name for tick in ticking.ticks(services, None)} == {row["job"] for row in rows}
    assert [] == [row["job"] for row in rows if row["last_ok_at"] is None or row["last_error"]]


def test_every_tick_has_words_for_the_office(services: Services) -> None:
    names = {tick.name for tick in ticking.ticks(services, None)} | {"inbound"}

    for locale in LOCALES:
        assert set() == {name for name in names if not texts(locale).has(f"job.{name}")}


async def test_letters_wait_for_the_legal_texts_and_leave_with_them(services: Services) -> None:
    database = services.database
    await builders.an_instance(database)
    meeting = await builders.a_meeting(database, starts_local=STARTS)
    await builders.an_invitation(database, meeting, state="planned")
    await builders.a_notice(database, meeting, kind="invitation", due_at=NOW)
    await run_once(services)
    before = len(await deliver(services))
    (held,) = await letters(database)
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Ein Text.", NOW)
    furnishing.forget(database)
    await run_once(services)
    after = len(await deliver(services))
    furnishing.forget(database)

    assert (0, ("held", "not_ready"), 1) == (before, (held["state"], held["reason"]), after)


async def test_a_worker_is_seen_and_forgotten_when_it_is_long_gone(
    services: Services, furnished: None
) -> None:
    old = NOW - timedelta(days=2)
    await insert(
        services.database, "worker", id="old", role="worker", started_at=old, heartbeat_at=old
    )
    await run_once(services)

    rows = await services.database.fetch("SELECT id, heartbeat_at FROM worker")
    assert [NOW] == [row["heartbeat_at"] for row in rows]


async def test_what_a_letter_said_is_forgotten_after_thirty_days_and_its_proof_is_not(
    services: Services, furnished: None
) -> None:
    database = services.database
    meeting = await builders.a_meeting(database, starts_local=STARTS)
    await builders.an_invitation(database, meeting, state="planned")
    await builders.a_notice(database, meeting, kind="invitation", due_at=NOW)
    await run_once(services)
    await deliver(services)
    (sent,) = await database.fetch("SELECT slot_values FROM letter")
    await database.fetch("UPDATE outbox SET finished_at = finished_at - interval '31 days'")
    await database.fetch("UPDATE letter SET created_at = created_at - interval '31 days'")
    await housekeeping.keep_house(database, NOW)

    (kept,) = await database.fetch(
        "SELECT slot_values, letter_sha256, accepted_at FROM letter JOIN outbox USING (id)"
    )
    epochs = {"mail_epoch", "answer_epoch"}
    assert {"name", "addressee", "deputy", *epochs} == set(sent["slot_values"])
    assert (None, True, True) == (
        kept["slot_values"],
        kept["letter_sha256"] is not None,
        kept["accepted_at"] is not None,
    )
