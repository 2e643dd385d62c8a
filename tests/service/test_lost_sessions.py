"""A client that vanishes in the middle of a transaction keeps nobody waiting."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from service.database import SESSION_LIMITS, Database

pytestmark = pytest.mark.xdist_group("database")

_LOCK = "LOCK TABLE worker IN ACCESS EXCLUSIVE MODE"
_ACTIVE = "SELECT state FROM pg_stat_activity WHERE pid = $1"
_SLEEPS = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1"
_GONE = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"


async def _until(database: Database, sql: str, *values: object) -> None:
    async with asyncio.timeout(60):
        while not await database.fetchval(sql, *values):
            await asyncio.sleep(0.01)


async def _holder(database: Database) -> asyncpg.Connection:
    """Return a client that holds a lock, and has said no more than that."""
    holder = await asyncpg.connect(database.dsn, server_settings=SESSION_LIMITS)
    await holder.execute("BEGIN")
    await holder.execute(_LOCK)
    return holder


async def test_who_is_silent_within_a_transaction_loses_it(database: Database) -> None:
    holder = await _holder(database)
    pid = holder.get_server_pid()

    kept = await database.end_lost_sessions()
    ended = await database.end_lost_sessions(timedelta(0))
    await _until(database, _GONE, pid)

    holder.terminate()
    assert (0, 1) == (kept, ended)
    assert 0 == await database.fetchval("SELECT count(*) FROM worker")


async def test_who_is_silent_between_the_two_steps_of_a_statement_loses_it(
    database: Database,
) -> None:
    holder = await _holder(database)
    pid = holder.get_server_pid()
    await holder.prepare("SELECT 17")
    state = await database.fetchval(_ACTIVE, pid)

    ended = await database.end_lost_sessions(timedelta(0))
    await _until(database, _GONE, pid)

    holder.terminate()
    # The server takes it for busy: the limit for sessions that are idle never ends it.
    assert ("active", 1) == (state, ended)


async def test_who_works_or_waits_outside_a_transaction_or_is_another_program_stays(
    database: Database,
) -> None:
    idle = await asyncpg.connect(database.dsn, server_settings=SESSION_LIMITS)
    stranger = await asyncpg.connect(database.dsn)
    await stranger.execute("BEGIN")
    busy = await asyncpg.connect(database.dsn, server_settings=SESSION_LIMITS)
    working = asyncio.create_task(busy.fetchval("SELECT 'done' FROM pg_sleep(1)"))
    await _until(database, _SLEEPS, busy.get_server_pid())

    ended = await database.end_lost_sessions(timedelta(0))

    assert (0, "done") == (ended, await working)
    assert [1, 1] == [await each.fetchval("SELECT 1") for each in (idle, stranger)]
    for each in (idle, stranger, busy):
        await each.close()
