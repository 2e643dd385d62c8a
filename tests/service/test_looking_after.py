from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from service import looking_after
from service.database import FULL_SECONDS, Database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def job(*, start: float, ok: float | None = None, error: float | None = None) -> Any:
    def ago(minutes: float | None) -> datetime | None:
        return None if minutes is None else NOW - timedelta(minutes=minutes)

    return {
        "job": "queue",
        "last_start_at": ago(start),
        "last_ok_at": ago(ok),
        "last_error_at": ago(error),
    }


@pytest.mark.parametrize(
    ("jobs", "holds", "detail"),
    [
        ([], False, "none has ended well yet"),
        ([job(start=0.2, ok=0.1)], True, "running"),
        ([job(start=6, ok=5.1)], False, "none has ended for five minutes"),
        ([job(start=0.2, ok=1, error=0.1)], False, "failing: queue"),
        ([job(start=0.2, ok=0.1, error=1)], True, "running"),
        ([job(start=0.1, ok=0.1), job(start=16, ok=17)], False, "failing: queue"),
        ([job(start=0.1, ok=0.1), job(start=600, ok=599)], True, "running"),
        ([job(start=0.1, ok=0.1), job(start=1)], True, "running"),
        # A clock that was two hours ahead wrote these.
        ([job(start=-120, ok=-120)], False, "none has ended for five minutes"),
        ([job(start=-120, ok=-120), job(start=0.1, ok=0.1)], True, "running"),
        ([job(start=0.1, ok=0.1, error=-120)], True, "running"),
        ([job(start=0.1, ok=0.1), job(start=0.2, ok=-120, error=0.1)], False, "failing: queue"),
        ([job(start=0.1, ok=-0.5)], True, "running"),
    ],
)
def test_ticks_are_judged_by_their_last_runs(jobs: list[Any], *, holds: bool, detail: str) -> None:
    found = looking_after.judge_ticks(jobs, NOW)

    assert (holds, detail) == (found.holds, found.detail)


@pytest.mark.parametrize(
    ("age", "holds"),
    [(None, True), (timedelta(minutes=14), True), (timedelta(minutes=15), False)],
)
def test_a_letter_may_wait_a_quarter_of_an_hour(age: timedelta | None, *, holds: bool) -> None:
    assert holds == looking_after.judge_letters(age).holds


def test_pending_migrations_are_a_failure() -> None:
    found = looking_after.judge_migrations(["service_0002"])

    assert (found.holds, found.detail) == (False, "1 pending")


# The error of a real server; filling a disk would stop the tests beside this one.
FULL = "DO $$ BEGIN RAISE disk_full; END $$"


@pytest_asyncio.fixture(loop_scope="session")
async def database(database: Database) -> AsyncIterator[Database]:
    """Yield the worker's database, which remembers nothing of a full disk before or after."""
    database._full_tick = None
    yield database
    database._full_tick = None


async def write_alone(database: Database) -> None:
    await database.fetch(FULL)


async def write_in_a_unit(database: Database) -> None:
    async with database.unit_of_work() as unit:
        await unit.connection.execute(FULL)


@pytest.mark.parametrize("write", [write_alone, write_in_a_unit])
async def test_a_full_disk_turns_readiness_off(database: Database, write: Any) -> None:
    before = await looking_after.examine(database, NOW)
    with pytest.raises(asyncpg.DiskFullError):
        await write(database)

    after = await looking_after.examine(database, NOW)

    assert [True, False] == [
        next(each.holds for each in found if each.name == "storage") for found in (before, after)
    ]


async def test_once_there_is_room_again_a_trial_finds_it(database: Database) -> None:
    with pytest.raises(asyncpg.DiskFullError):
        await write_alone(database)
    found = [await looking_after.has_room(database)]
    a_minute_goes_by(database)

    found += [await looking_after.has_room(database), await looking_after.has_room(database)]

    assert [False, True, True] == found
    assert database.full_tick is None


async def test_who_asks_long_after_a_write_found_no_room_hears_of_a_trial(
    database: Database,
) -> None:
    with pytest.raises(asyncpg.DiskFullError):
        await write_alone(database)
    a_minute_goes_by(database)
    remembered = database.full_tick is not None

    found = await looking_after.has_room(database)

    # Only a trial forgets it.
    assert (True, True, None) == (remembered, found, database.full_tick)


async def test_a_trial_forgets_no_write_that_found_no_room_meanwhile(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(asyncpg.DiskFullError):
            await write_alone(database)
    assert database.full_tick is not None

    database.note_room(database.full_tick - 1)

    assert database.is_full


def a_minute_goes_by(database: Database) -> None:
    assert database._full_tick is not None
    database._full_tick -= FULL_SECONDS
