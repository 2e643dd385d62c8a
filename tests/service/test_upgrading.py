"""What version 0.2.0 wrote is there after an upgrade, and works: links, calendars and letters."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from notifications import pauses
from service import (
    app,
    feed_paths,
    furnishing,
    jobs,
    migrations,
    relaying,
    replying,
    subscribing,
    ticking,
    tokens,
)
from service.database import Database
from service.domain.words import Answer
from service.feeding import Kitchen
from service.migrations import Source
from service.replying import Reply
from service.services import Services
from service.settings import Settings
from service.tokens import Purpose
from tests import builders
from tests import database as test_database
from tests.builders import Row
from tests.web.mailbox import deliver

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("database")]

NOW = datetime.now(UTC).replace(microsecond=0)
"""The outbox asks the database's clock, so these tests live today."""
STARTS = (NOW + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)
FORMER = {
    "notifications": ["notifications_0001_outbox"],
    "service": ["service_0001_people", "service_0002_sessions"],
}
"""The migrations of 0.2.0. They are released: whoever changes one breaks upgrades, not this."""


@pytest_asyncio.fixture(loop_scope="session")
async def address(database_url: str) -> AsyncIterator[str]:
    """Yield the address of a database without any table."""
    before, _, options = database_url.partition("?")
    server, _, clone = before.rpartition("/")
    name = f"former_{clone}"
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}?{options}"
    await test_database.drop(owner, name)
    await owner.close()


def _former(folder: Path) -> list[Source]:
    copied = []
    for app_name, source in migrations.sources():
        (folder / app_name).mkdir()
        for name in FORMER[app_name]:
            shutil.copy(source / f"{name}.py", folder / app_name)
        copied.append(Source(app_name, folder / app_name))
    return copied


async def _fill(database: Database) -> dict[str, Any]:
    """Write what an office has after some weeks, with the columns that 0.2.0 knew."""
    await builders.a_ready_office(database)
    group = await builders.a_group(database, name="Arbeitsgruppe Klima")
    meeting, rough = await _write_sessions(database, group)
    asked, coming = await _write_people(database, group)
    open_one = await builders.an_invitation(database, meeting, asked)
    given = await builders.an_invitation(database, meeting, coming, answer="in_person")
    await builders.insert(
        *(database, "answer"),
        invitation_id=given["id"],
        answer_rev=1,
        answer="in_person",
        way="link",
        answered_at=NOW,
    )
    await _write_what_is_due(database, meeting)
    letter_id = await _write_queued_letter(database, meeting, open_one)
    return {"open": open_one, "given": given, "rough": rough["id"], "letter": letter_id}


async def _write_sessions(database: Database, group: Row) -> tuple[Row, Row]:
    """Write a confirmed session and one whose month alone is known."""
    times: dict[str, Any] = {
        "starts_local": STARTS,
        "published_at": NOW,
        "changed_at": NOW,
        "stamped_at": NOW,
    }
    month: dict[str, Any] = {
        "starts_local": STARTS.replace(day=1, hour=0),
        "ends_local": STARTS.replace(day=28, hour=0),
    }
    return (
        await builders.a_meeting(database, of=group, **times),
        await builders.a_meeting(
            database, of=group, number=17, state="tentative", date_precision="month", **month
        ),
    )


async def _write_people(database: Database, group: Row) -> tuple[Row, Row]:
    """Write two members with their wishes, and the calendars of all."""
    partner = await builders.an_organisation(database)
    asked = await builders.a_person(database, of=partner, member_of=group, full_name="Mira Muster")
    coming = await builders.a_person(database, of=partner, member_of=group, full_name="Jan Jahn")
    for person, wishes in ((asked, {}), (coming, {"digest": True})):
        await builders.insert(database, "preference", person_id=person["id"], **wishes)
        await builders.insert(database, "feed", kind="personal", person_id=person["id"])
    for feed in ({"kind": "public"}, {"kind": "group", "group_id": group["id"]}):
        await builders.insert(database, "feed", **feed)
    return asked, coming


async def _write_what_is_due(database: Database, meeting: Row) -> None:
    a_minute_ago = NOW - timedelta(minutes=1)
    await builders.a_notice(database, meeting, kind="nudge", due_at=a_minute_ago, created_at=NOW)
    rule = await builders.a_reminder_rule(database)
    await builders.insert(
        *(database, "reminder_slot"),
        meeting_id=meeting["id"],
        rule_id=rule["id"],
        time_rev=meeting["time_rev"],
        due_at=a_minute_ago,
        not_after=NOW + timedelta(days=1),
    )


async def _write_queued_letter(database: Database, meeting: Row, invitation: Row) -> Any:
    person_id = invitation["person_id"]
    letter = await builders.insert(
        *(database, "letter"),
        dedupe_key=f"invitation:{meeting['id']}:{person_id}",
        kind="invitation",
        recipient_id=person_id,
        subject_id=meeting["id"],
        ordering_key=f"{person_id}:{meeting['id']}",
        locale="de",
        cause={"invitation": str(invitation["id"])},
    )
    await builders.insert(
        *(database, "outbox"),
        id=letter["id"],
        ordering_key=letter["ordering_key"],
        recipient_domain="example.org",
        next_attempt_at=NOW - timedelta(minutes=1),
        expires_at=NOW + timedelta(days=1),
    )
    return letter["id"]


async def _rows(database: Database) -> dict[str, int]:
    tables = await database.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {
        name: await database.fetchval(f'SELECT count(*) FROM "{name}"')
        for (name,) in map(tuple, tables)
        if name != "migration"
    }


@contextlib.asynccontextmanager
async def _started(settings: Settings) -> AsyncIterator[Services]:
    async with app.open_services(settings, now=lambda: NOW) as services:
        furnishing.forget(services.database)
        yield services
        furnishing.forget(services.database)


async def _answer(services: Services, invitation: Row) -> None:
    token = tokens.derive(services.keys, Purpose.ANSWER, invitation["handle"], 1)
    yes = Reply(answer=Answer.IN_PERSON, seen_revision=1)
    await replying.record_reply(services.database, services.keys, token, yes, NOW)


async def _own_feed(services: Services, person_id: UUID) -> str:
    kitchen = Kitchen(services.database, services.settings, services.keys, max_bytes=1_000_000)
    own = await subscribing.find_personal(services.database, services.keys, person_id)
    address = own and feed_paths.read_path(own.path)
    copy = address and await kitchen.make(address, NOW)
    assert copy
    return copy.body.decode()


async def test_an_upgrade_from_0_2_0_keeps_links_calendars_and_letters(
    address: str, settings: Settings, tmp_path: Path
) -> None:
    """Whoever upgrades finds all rows, and whoever got a letter before answers by its link."""
    relay = relaying.relay_settings(settings)
    assert relay is not None
    async with Database(address, pool_size=4) as former:
        await former.migrate(_former(tmp_path))
        old = await _fill(former)
        await pauses.note_tried(former, relay.name)
        before = await _rows(former)

    async with _started(replace(settings, database_url=address)) as services:
        database = services.database
        after = await _rows(database)
        assert await database.migrate() == []
        await jobs.Ticks(database, ticking.ticks(services, None), lambda: NOW).run_all_once()
        failed = await database.fetch(
            "SELECT job, last_error FROM job_health WHERE last_error > ''"
        )
        mails = await deliver(services)
        letters = {row["kind"]: row["state"] for row in await builders.letters(database)}
        await _answer(services, old["open"])
        answered = await builders.read(database, "invitation", old["open"]["id"])
        kept = await builders.read(database, "invitation", old["given"]["id"])
        calendar = await _own_feed(services, old["open"]["person_id"])
        rough = await builders.read(database, "meeting", old["rough"])

    # Those of the office's summaries come to the rules that were there.
    before["reminder_rule"] += 2
    assert {**after, **before} == after
    assert failed == []
    assert {"invitation": "sent", "nudge": "sent"} == letters
    assert len(mails) == 2
    assert (answered["answer"], answered["has_seat"]) == ("in_person", True)
    assert (kept["answer"], kept["has_seat"]) == ("in_person", True)
    assert "PARTSTAT=\r\n ACCEPTED" in calendar
    assert rough["rough_on"] is not None
