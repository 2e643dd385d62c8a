from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from notifications import outbox
from notifications.outbox import NewLetter
from service import backing_up
from service.backing_up import connection_environment
from service.database import Database
from service.settings import Settings
from tests import builders, shown
from tests.database import cloned

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_SEEN = "SELECT uid, sequence, changed_at FROM meeting"
_SEQUENCE = "SELECT sequence FROM meeting"
_FEED = "SELECT max(revision) FROM feed"


async def _with_people_and_letters(database: Database) -> None:
    group = await builders.a_group(database)
    meeting = await builders.a_meeting(database, of=group)
    person = await builders.a_person(database)
    await builders.an_invitation(database, meeting, person)
    async with database.unit_of_work() as unit:
        await outbox.post(
            unit.connection,
            NewLetter(
                dedupe_key="rem:x",
                kind="reminder",
                recipient_id=person["id"],
                subject_id=meeting["id"],
                ordering_key="x",
                not_before=NOW,
                expires_at=datetime(2099, 1, 1, tzinfo=UTC),
            ),
        )


async def test_a_restored_backup_holds_the_same_people_and_mails_nobody(
    database: Database, settings: Settings, server_folder: Path, tmp_path: Path
) -> None:
    await _with_people_and_letters(database)
    file = tmp_path / "terminbuch.backup"
    said: list[str] = []
    await backing_up.backup(replace(settings, database_url=database.dsn), file, said.append)

    async with cloned(server_folder, f"restored_{uuid4().hex[:8]}") as dsn:
        code = await backing_up.restore(replace(settings, database_url=dsn), file, said.append)
        async with Database(dsn, pool_size=2) as restored:
            people = await restored.fetchval("SELECT count(*) FROM person")
            states = await restored.fetch("SELECT state, reason FROM outbox")
            meeting = await restored.fetchrow(_SEEN)
    before = await database.fetchrow(_SEEN)

    assert before is not None
    assert meeting is not None
    assert before["uid"] == meeting["uid"]
    # Calendar programs look at an entry again only when this grew.
    assert before["changed_at"] < meeting["changed_at"]
    assert (0, 1) == (code, people)
    assert [("held", "restored")] == [tuple(row) for row in states]
    assert "1 letters are held; the office decides which of them leave." in said


async def test_what_calendars_saw_after_the_backup_is_older_than_what_was_restored(
    database: Database, settings: Settings, server_folder: Path, tmp_path: Path
) -> None:
    await builders.a_meeting(database, of=await builders.a_group(database))
    await shown.make_feeds(database)
    file = tmp_path / "terminbuch.backup"
    await backing_up.backup(replace(settings, database_url=database.dsn), file, str)
    await database.fetch("UPDATE meeting SET sequence = sequence + 20")
    await database.fetch("UPDATE feed SET revision = revision + 2000")
    seen = [await database.fetchval(_SEQUENCE), await database.fetchval(_FEED)]

    async with cloned(server_folder, f"restored_{uuid4().hex[:8]}") as dsn:
        await backing_up.restore(replace(settings, database_url=dsn), file, str)
        async with Database(dsn, pool_size=2) as restored:
            found = [await restored.fetchval(_SEQUENCE), await restored.fetchval(_FEED)]

    assert [True, True] == [after > before for before, after in zip(seen, found, strict=True)]
    # Calendars take 32 bits for it.
    assert found[0] < 2**30


@pytest.mark.parametrize("reason", ["quiet_hours", "not_ready", "undeliverable"])
async def test_what_something_else_held_may_have_left_since_too(
    database: Database, settings: Settings, server_folder: Path, tmp_path: Path, reason: str
) -> None:
    await _with_people_and_letters(database)
    await database.fetch("UPDATE outbox SET state = 'held', reason = $1", reason)
    file = tmp_path / "terminbuch.backup"
    await backing_up.backup(replace(settings, database_url=database.dsn), file, str)

    async with cloned(server_folder, f"held_{uuid4().hex[:8]}") as dsn:
        await backing_up.restore(replace(settings, database_url=dsn), file, str)
        async with Database(dsn, pool_size=2) as restored:
            states = await restored.fetch("SELECT state, reason FROM outbox")

    assert [("held", "restored")] == [tuple(row) for row in states]


async def test_a_restore_that_breaks_off_leaves_no_letter_that_could_leave(
    database: Database, settings: Settings, server_folder: Path, tmp_path: Path
) -> None:
    await _with_people_and_letters(database)
    missing = "DELETE FROM migration WHERE name = 'service_0008_day_lists' RETURNING *"
    row = await database.fetchrow(missing)
    file = tmp_path / "terminbuch.backup"
    # A migration seems to be missing; it makes a table, and fails after the rows have been loaded.
    await backing_up.backup(replace(settings, database_url=database.dsn), file, str)
    assert row is not None
    await database.fetch("INSERT INTO migration VALUES ($1, $2, $3, $4)", *row.values())

    async with cloned(server_folder, f"broken_{uuid4().hex[:8]}") as dsn:
        with pytest.raises(asyncpg.DuplicateTableError):
            await backing_up.restore(replace(settings, database_url=dsn), file, str)
        async with Database(dsn, pool_size=2) as restored:
            states = await restored.fetch("SELECT state, reason FROM outbox")

    assert [("held", "restored")] == [tuple(row) for row in states]


async def test_a_restore_that_fails_leaves_the_empty_database_as_it_was(
    database: Database, settings: Settings, server_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "terminbuch.backup"
    said: list[str] = []
    # A dump of tables that no release ever had: the quarantine fails after all rows are loaded.
    rename = "ALTER TABLE reminder_slot RENAME COLUMN {} TO {}"
    await database.fetch(rename.format("reason", "unknown"))
    try:
        await backing_up.backup(replace(settings, database_url=database.dsn), file, str)
    finally:
        await database.fetch(rename.format("unknown", "reason"))

    async with cloned(server_folder, f"failed_{uuid4().hex[:8]}") as dsn:
        code = await backing_up.restore(replace(settings, database_url=dsn), file, said.append)
        async with Database(dsn, pool_size=2) as left:
            pending = await left.pending_migrations()
            slots = await left.fetchval("SELECT count(reason) FROM reminder_slot")

    assert 1 == code
    assert said[-1].startswith("Nothing was restored.")
    assert (pending, slots) == ([], 0)


async def test_a_backup_of_another_key_is_refused_before_anything_is_touched(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "terminbuch.backup"
    said: list[str] = []
    here = replace(settings, database_url=database.dsn)
    await backing_up.backup(here, file, said.append)
    elsewhere = replace(here, token_key="t1:" + "6b" * 32)

    code = await backing_up.restore(elsewhere, file, said.append)

    assert 1 == code
    assert "another token key" in said[-1]


async def test_a_restore_into_a_database_with_data_is_refused(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    await _with_people_and_letters(database)
    file = tmp_path / "terminbuch.backup"
    said: list[str] = []
    here = replace(settings, database_url=database.dsn)
    await backing_up.backup(here, file, said.append)

    code = await backing_up.restore(here, file, said.append)

    assert 1 == code
    assert "holds data already" in said[-1]
    assert 1 == await database.fetchval("SELECT count(*) FROM person")


async def test_a_damaged_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "broken.backup"
    file.write_bytes(b"no tar at all" * 100)
    said: list[str] = []

    code = await backing_up.restore(settings, file, said.append)

    assert 1 == code
    assert said[-1].startswith("Nothing was restored.")


async def test_an_existing_backup_is_never_overwritten(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "kept.backup"
    file.write_text("precious")

    code = await backing_up.backup(settings, file, lambda _: None)

    assert (1, "precious") == (code, file.read_text())


def test_a_password_travels_in_the_environment_only() -> None:
    found = connection_environment("postgresql://ada:s%40fe@db.example.org:5433/termine")

    assert {
        "PGHOST": "db.example.org",
        "PGPORT": "5433",
        "PGUSER": "ada",
        "PGPASSWORD": "s@fe",
        "PGDATABASE": "termine",
    } == found
