"""After a restore nobody gets a letter twice, and none is lost without being named."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest_asyncio

from notifications import pauses
from service import (
    backing_up,
    furnishing,
    holding_back,
    noticing,
    posting,
    relaying,
    reminding,
    ticking,
)
from service.auditing import COMMAND
from service.database import Database
from service.domain import instants
from service.domain.reminders import Audience, Kind, Rule
from service.jobs import Ticks
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from tests import builders
from tests.builders import Row, letters
from tests.database import cloned
from tests.service.test_digesting import DUE, asked, subscriber
from tests.service.test_passing_over import refusing_letters_about
from tests.web.mailbox import deliver

NOW = datetime.now(UTC).replace(microsecond=0)
_REMIND = Rule(kind=Kind.REMINDER, audience=(Audience.ACCEPTED,), minutes_before=120)


def the_services(settings: Settings, database: Database) -> Services:
    """Return what ticks and a postman need."""
    pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
    return Services(settings, database, pages, lambda: datetime.now(UTC), settings.token_keys)


async def let_work(services: Services) -> list[str]:
    """Run all ticks and a postman; return the keys of what a mail server got."""
    await Ticks(services.database, ticking.ticks(services, None), services.clock).run_all_once()
    await deliver(services)
    return sorted(row["dedupe_key"] for row in await letters(services.database, state="sent"))


@pytest_asyncio.fixture(loop_scope="session")
async def alliance(database: Database, settings: Settings) -> Database:
    """Return a database of an alliance that may write letters."""
    await builders.a_ready_office(database)
    relay = relaying.relay_settings(settings)
    assert relay is not None
    await pauses.note_tried(database, relay.name)
    furnishing.forget(database)
    return database


def in_days(days: int) -> datetime:
    """Return nine o'clock of a day to come, wall time."""
    return (NOW + timedelta(days=days)).replace(hour=9, minute=0, second=0, tzinfo=None)


async def an_invitation_due(database: Database, due_in: timedelta, title: str) -> UUID:
    """Let an invitation of one person wait that a rule put down weeks ago."""
    meeting = await builders.a_meeting(database, starts_local=in_days(60), title=title)
    await builders.an_invitation(database, meeting, state="planned")
    notice = await builders.a_notice(
        *(database, meeting),
        kind="invitation",
        due_at=NOW + due_in,
        created_at=NOW - timedelta(days=30),
    )
    notice_id: UUID = notice["id"]
    return notice_id


async def a_countdown(database: Database) -> UUID:
    """Let a cancellation run down that has only just been saved."""
    meeting = await builders.a_meeting(
        database, starts_local=in_days(30), state="cancelled", title="Abgesagte Sitzung"
    )
    await builders.an_invitation(database, meeting, answer="in_person")
    notice = await builders.a_notice(
        *(database, meeting),
        kind="cancellation",
        due_at=NOW + timedelta(minutes=10),
        created_at=NOW,
    )
    notice_id: UUID = notice["id"]
    return notice_id


async def a_reminder_due(database: Database) -> Row:
    """Open a session whose reminder fell due twenty minutes ago."""
    starts = instants.to_local(NOW + timedelta(minutes=100), "Europe/Berlin")
    long_ago = NOW - timedelta(days=20)
    meeting = await builders.a_meeting(database, starts_local=starts, invited_at=long_ago)
    await builders.an_invitation(database, meeting, answer="in_person", invited_at=long_ago)
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, _REMIND, meeting_id=meeting["id"])
        await reminding.plan_slots(unit.connection, meeting["id"], NOW - timedelta(days=1))
    return meeting


@asynccontextmanager
async def restored(
    settings: Settings, server_folder: Path, file: Path, said: list[str]
) -> AsyncIterator[Services]:
    """Restore the file into an empty database and yield what runs on it."""
    async with cloned(server_folder, f"restored_{uuid4().hex[:8]}") as dsn:
        here = replace(settings, database_url=dsn)
        assert 0 == await backing_up.restore(here, file, said.append)
        async with Database(dsn, pool_size=5) as database:
            furnishing.forget(database)
            yield the_services(here, database)


async def test_what_left_since_the_backup_leaves_again_only_when_it_is_released(
    alliance: Database, settings: Settings, server_folder: Path, tmp_path: Path
) -> None:
    await an_invitation_due(alliance, -timedelta(minutes=1), "Fällige Sitzung")
    await an_invitation_due(alliance, timedelta(days=14), "Spätere Sitzung")
    countdown = await a_countdown(alliance)
    await a_reminder_due(alliance)
    file, said = tmp_path / "terminbuch.backup", list[str]()
    await backing_up.backup(replace(settings, database_url=alliance.dsn), file, str)
    await noticing.send_now(alliance, COMMAND, countdown, NOW)
    had = await let_work(the_services(settings, alliance))

    async with restored(settings, server_folder, file, said) as services:
        silent = [await let_work(services) for _ in range(2)]
        [one, *_] = held = await posting.list_restored(services.database)
        await posting.release_restored(services.database, COMMAND, [one.id])
        first = await let_work(services)
        await posting.release_restored(services.database, COMMAND)
        everything = [await let_work(services) for _ in range(2)]
        waiting = await services.database.fetch("SELECT due_at FROM notice WHERE state = 'pending'")

    assert ["cnl", "inv", "rem"] == [key.partition(":")[0] for key in had]
    assert [[], []] == silent
    assert (3, 1) == (len(held), len(first))
    assert [had, had] == everything
    assert [NOW + timedelta(days=14)] == [row["due_at"] for row in waiting]
    assert named(said) >= {
        "Restored.",
        "3 letters are held; the office decides which of them leave.",
        "1 x Invitation, Fällige Sitzung",
        "1 x Cancellation, Abgesagte Sitzung",
        "1 notices are due later and leave by themselves.",
        f"{NOW + timedelta(days=14):%Y-%m-%d %H:%M} UTC, Invitation, Spätere Sitzung",
    }


def named(said: Sequence[str]) -> set[str]:
    """Return what was said, without its order."""
    return {line.strip() for line in said}


async def put_aside(database: Database, restored_at: datetime, *notices: UUID) -> None:
    """Leave the rows as the load of a backup does."""
    await database.fetch("UPDATE notice SET state = 'withdrawn' WHERE id = ANY ($1)", notices)
    await builders.insert(
        database, "restoration", restored_at=restored_at, notice_ids=list(notices)
    )


async def test_a_weekly_letter_that_was_due_since_the_backup_is_held(alliance: Database) -> None:
    person = await subscriber(alliance)
    await asked(alliance, person)
    at = DUE + timedelta(hours=14)
    await put_aside(alliance, at)
    await holding_back.hold_possibly_sent(alliance, at)

    found = await letters(alliance, kind="digest")
    assert [(f"dig:2027-W01:{person['id']}", "held", "restored")] == [
        (row["dedupe_key"], row["state"], row["reason"]) for row in found
    ]


async def test_a_notice_that_cannot_be_written_keeps_no_other_from_the_list_and_is_named(
    alliance: Database,
) -> None:
    broken = await an_invitation_due(alliance, -timedelta(minutes=2), "Kaputte Sitzung")
    whole = await an_invitation_due(alliance, -timedelta(minutes=1), "Heile Sitzung")
    notice = await builders.read(alliance, "notice", broken)
    await put_aside(alliance, NOW, broken, whole)
    async with refusing_letters_about(alliance, {"id": notice["meeting_id"]}):
        await holding_back.hold_possibly_sent(alliance, NOW)

    standing = await holding_back.describe(alliance)
    assert ["Heile Sitzung"] == [each.title for each in standing.held]
    assert ["Kaputte Sitzung"] == [each.title for each in standing.unwritten]
