"""A row that fails each time must not keep those behind it from their turn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from service import noticing, passing_over, reminding
from service.auditing import COMMAND
from service.database import Database
from service.domain.words import NoticeKind
from service.passing_over import Turn
from tests.builders import NOW, Row, a_meeting, a_notice, an_invitation, letters
from tests.service.test_reminding import A_DAY_BEFORE, DAY_BEFORE, a_session, invited

LATER = NOW + timedelta(minutes=10)


@asynccontextmanager
async def refusing_letters_about(database: Database, *meetings: Row) -> AsyncIterator[None]:
    """Let the database itself refuse each letter about these sessions."""
    ids = ", ".join(f"'{meeting['id']}'" for meeting in meetings)
    async with database.reading() as connection:
        await connection.execute(
            "CREATE FUNCTION refuse_letter() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION 'broken'; END$$;"
            "CREATE TRIGGER refuse_letter BEFORE INSERT ON outbox FOR EACH ROW"
            f" WHEN (split_part(NEW.ordering_key, ':', 2) IN ({ids}))"
            " EXECUTE FUNCTION refuse_letter()"
        )
    try:
        yield
    finally:
        await database.fetch("DROP FUNCTION refuse_letter CASCADE")


async def invite_one(database: Database) -> Row:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, state="planned")
    await noticing.invite(database, COMMAND, meeting["id"], NOW)
    return meeting


async def test_a_broken_notice_lets_the_others_leave_and_is_told(database: Database) -> None:
    broken = await invite_one(database)
    sound = [await invite_one(database) for _ in range(3)]
    worse = await invite_one(database)

    async with refusing_letters_about(database, broken, worse):
        with pytest.raises(asyncpg.RaiseError):
            await noticing.queue_due(database, LATER)
        left = {row["ordering_key"].partition(":")[2] for row in await letters(database)}
    after = await noticing.queue_due(database, LATER)

    assert {str(meeting["id"]) for meeting in sound} == left
    assert 2 == after
    assert 5 == len(await letters(database))


async def test_a_broken_slot_lets_the_others_leave_and_is_told(database: Database) -> None:
    broken = await a_session(database, DAY_BEFORE)
    await invited(database, broken, "in_person")
    sound = await a_session(database, DAY_BEFORE)
    await invited(database, sound, "in_person")

    async with refusing_letters_about(database, broken):
        with pytest.raises(asyncpg.RaiseError):
            await reminding.queue_due(database, A_DAY_BEFORE)
        left = [row["ordering_key"].partition(":")[2] for row in await letters(database)]
    after = await reminding.queue_due(database, A_DAY_BEFORE)

    assert [str(sound["id"])] == left
    assert 1 == after


async def test_a_database_that_is_away_is_asked_once(database: Database) -> None:
    turns = []

    async def work(turn: Turn) -> int | None:
        turns.append(turn)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await passing_over.work_through(work, 100)

    assert 1 == len(turns)


async def test_a_run_in_which_everything_fails_ends(database: Database) -> None:
    for _ in range(passing_over.MOST_FAILED + 5):
        meeting = await a_meeting(database)
        await an_invitation(database, meeting)
        await a_notice(database, meeting, kind=NoticeKind.NUDGE, due_at=NOW)
    meetings = [dict(row) for row in await database.fetch("SELECT id FROM meeting")]

    async with refusing_letters_about(database, *meetings):
        with pytest.raises(asyncpg.RaiseError):
            await noticing.queue_due(database, LATER)

    waiting = "SELECT count(*) FROM notice WHERE state = 'pending'"

    assert [] == await letters(database)
    assert passing_over.MOST_FAILED + 5 == await database.fetchval(waiting)
