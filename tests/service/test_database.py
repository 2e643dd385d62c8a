"""Each trap of the query builder and the driver, and that our wrapper is safe from it."""

# ruff: noqa: PT012 - what is tried here is how a block ends

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from piccolo.columns import Integer, Text
from piccolo.engine.postgres import PostgresTransaction
from piccolo.table import Table

from service import database as databases
from service.database import (
    Database,
    DatabaseBusyError,
    DatabaseError,
    InheritedWorkError,
    NestedWorkError,
    NoDatabaseError,
    in_fresh_context,
)
from service.engine import ENGINE

pytestmark = pytest.mark.xdist_group("database")

SMALL_POOL = 3
# A dead connection shows itself in all of these, by chance of timing.
DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


class Tried(Table):
    """A table of these tests only."""

    number = Integer(unique=True)
    word = Text()


@pytest_asyncio.fixture(loop_scope="session")
async def small(database_url: str) -> AsyncIterator[Database]:
    """Yield a database with three connections and a table whose key is checked at COMMIT."""
    async with Database(database_url, pool_size=SMALL_POOL) as opened:
        await opened.pool.execute(
            "CREATE TABLE tried (id serial PRIMARY KEY, word text NOT NULL DEFAULT '',"
            " number int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        )
        yield opened
        # A connection that was cut is heard of by its server when its statement has ended.
        async with opened.pool.acquire() as connection:
            await connection.execute("SET lock_timeout = '100s'; SET statement_timeout = '100s'")
            await connection.execute("DROP TABLE tried", timeout=100)


async def _insert(unit: databases.UnitOfWork, *numbers: int) -> None:
    for number in numbers:
        await unit.connection.execute("INSERT INTO tried (number) VALUES ($1)", number)


async def _numbers(database: Database) -> list[int]:
    return [row["number"] for row in await database.fetch("SELECT number FROM tried ORDER BY 1")]


def _idle(database: Database) -> int:
    return SMALL_POOL - (database.pool.get_size() - database.pool.get_idle_size())


async def test_a_unit_of_work_commits_at_its_end(small: Database) -> None:
    async with small.unit_of_work() as unit:
        await _insert(unit, 1)

    assert await _numbers(small) == [1]


async def test_a_unit_of_work_rolls_back_on_an_exception_and_passes_it_on(small: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with small.unit_of_work() as unit:
            await _insert(unit, 1)
            _ = 1 / 0

    assert await _numbers(small) == []
    assert ENGINE.current_unit() is None


async def test_a_rehearsal_sees_what_it_wrote_and_leaves_nothing(small: Database) -> None:
    async with small.rehearsal() as unit:
        await _insert(unit, 1)
        seen = await _numbers(small)

    assert [1] == seen
    assert [] == await _numbers(small)
    assert ENGINE.current_unit() is None


async def test_an_error_of_a_rehearsal_is_passed_on(small: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with small.rehearsal():
            _ = 1 / 0


async def test_twenty_failing_commits_leave_the_pool_full_and_the_task_free(
    small: Database,
) -> None:
    for _ in range(20):
        with pytest.raises(asyncpg.UniqueViolationError):
            async with small.unit_of_work() as unit:
                await _insert(unit, 1, 1)

    assert _idle(small) == SMALL_POOL
    assert ENGINE.current_unit() is None
    assert await _numbers(small) == []


async def test_the_query_builders_own_transaction_still_loses_its_slot(small: Database) -> None:
    """Tell us by failing when the library is mended."""

    async def fail_at_commit() -> None:
        async with PostgresTransaction(engine=ENGINE) as transaction:
            await transaction.connection.execute("INSERT INTO tried (number) VALUES (1), (1)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await in_fresh_context(fail_at_commit)

    lost = [holder for holder in small.pool._holders if holder._in_use]
    assert len(lost) == 1
    lost[0]._con.terminate()


async def test_its_transaction_is_refused_in_favour_of_a_unit_of_work(small: Database) -> None:
    with pytest.raises(DatabaseError, match="unit of work"):
        ENGINE.transaction()


async def test_a_failing_begin_gives_the_connection_back(small: Database) -> None:
    for _ in range(5):
        with pytest.raises(ValueError, match="isolation"):
            async with small.unit_of_work(isolation="odd"):  # type: ignore[arg-type]
                pass

    assert _idle(small) == SMALL_POOL


async def test_a_connection_that_dies_inside_is_replaced(small: Database) -> None:
    for _ in range(5):
        with pytest.raises(DRIVER_ERRORS):
            async with small.unit_of_work() as unit:
                pid = unit.connection.get_server_pid()
                await _end_backend(small, pid)
                await _insert(unit, 1)

    assert _idle(small) == SMALL_POOL
    assert await small.fetchval("SELECT 1") == 1


async def _end_backend(database: Database, pid: int) -> None:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)
    await connection.close()


@pytest.mark.parametrize("moment", [0.0, 0.002, 0.01, 0.05])
async def test_a_cancelled_task_rolls_back_and_gives_the_connection_back(
    small: Database, moment: float
) -> None:
    async def work() -> None:
        async with small.unit_of_work(statement_seconds=60) as unit:
            await _insert(unit, 1)
            await unit.connection.execute("SELECT pg_sleep(20)")

    for _ in range(SMALL_POOL + 1):
        task = asyncio.create_task(in_fresh_context(work))
        await asyncio.sleep(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async with asyncio.timeout(60):
        while _idle(small) < SMALL_POOL:
            await asyncio.sleep(0.01)
    assert await _numbers(small) == []


async def test_nested_use_is_refused_and_the_outer_unit_goes_on(small: Database) -> None:
    async with small.unit_of_work() as unit:
        with pytest.raises(NestedWorkError):
            async with small.unit_of_work():
                pass
        await _insert(unit, 1)

    assert await _numbers(small) == [1]


async def test_a_unit_inside_a_lent_connection_is_refused(small: Database) -> None:
    async with small.reading():
        with pytest.raises(NestedWorkError):
            async with small.unit_of_work():
                pass


async def test_a_task_started_inside_must_not_use_the_units_connection(small: Database) -> None:
    async def intrude() -> None:
        await Tried.count().run()

    async with small.unit_of_work():
        with pytest.raises(InheritedWorkError):
            await asyncio.create_task(intrude())


async def test_a_task_that_outlives_the_unit_must_not_use_it_either(small: Database) -> None:
    gate = asyncio.Event()

    async def intrude() -> None:
        await gate.wait()
        await small.fetchval("SELECT 1")

    async with small.unit_of_work():
        late = asyncio.create_task(intrude())
    gate.set()

    with pytest.raises(InheritedWorkError):
        await late


async def test_a_fresh_context_inherits_no_unit(small: Database) -> None:
    async def look() -> object:
        return ENGINE.current_unit()

    async with small.unit_of_work():
        assert await in_fresh_context(look) is None


async def test_the_query_builder_joins_the_unit_of_its_task(small: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with small.unit_of_work():
            await Tried.insert(Tried(number=7)).run()
            assert await Tried.count().run() == 1
            _ = 1 / 0

    assert await Tried.count().run() == 0


async def test_plain_reads_inside_a_unit_see_its_rows(small: Database) -> None:
    async with small.unit_of_work() as unit:
        await _insert(unit, 1)

        assert await _numbers(small) == [1]
        assert _idle(small) == SMALL_POOL - 1


async def test_an_empty_pool_is_told_after_three_seconds(small: Database) -> None:
    gate, held = asyncio.Event(), asyncio.Semaphore(0)

    async def hold() -> None:
        async with small.unit_of_work():
            held.release()
            await gate.wait()

    holders = [asyncio.create_task(hold()) for _ in range(SMALL_POOL)]
    for _ in holders:
        await held.acquire()
    started = asyncio.get_running_loop().time()
    with pytest.raises(DatabaseBusyError):
        await small.fetchval("SELECT 1")
    waited = asyncio.get_running_loop().time() - started
    gate.set()
    await asyncio.gather(*holders)

    assert 2.5 < waited < 30
    assert await small.fetchval("SELECT 1") == 1


async def test_limits_are_set_on_every_connection(small: Database) -> None:
    shown = {
        name: await small.fetchval("SELECT current_setting($1)", name)
        for name in (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "jit",
            "TimeZone",
        )
    }

    assert shown == {
        "statement_timeout": "5s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "15s",
        "jit": "off",
        "TimeZone": "UTC",
    }


async def test_a_unit_may_ask_for_another_statement_limit_that_ends_with_it(
    small: Database,
) -> None:
    async with small.unit_of_work(statement_seconds=0.05) as unit:
        with pytest.raises(asyncpg.QueryCanceledError):
            await unit.connection.execute("SELECT pg_sleep(1)")

    async with small.unit_of_work() as unit:
        assert await unit.connection.fetchval("SHOW statement_timeout") == "5s"


async def test_a_lock_is_waited_for_two_seconds_at_most(small: Database) -> None:
    async with small.unit_of_work() as unit:
        await _insert(unit, 1)

    async def lock() -> None:
        async with small.unit_of_work() as other:
            await other.connection.execute("SET LOCAL lock_timeout = '50ms'")
            await other.connection.execute("SELECT 1 FROM tried FOR UPDATE")

    async with small.unit_of_work() as unit:
        await unit.connection.execute("SELECT 1 FROM tried FOR UPDATE")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await in_fresh_context(lock)


async def test_isolation_is_the_first_thing_of_a_unit(small: Database) -> None:
    async with small.unit_of_work(isolation="repeatable_read") as unit:
        level = await unit.connection.fetchval("SHOW transaction_isolation")

    assert level == "repeatable read"


async def test_json_columns_take_and_give_values_and_ready_text(small: Database) -> None:
    async with small.unit_of_work() as unit:
        both = await unit.connection.fetchrow(
            "SELECT $1::jsonb AS value, $2::jsonb AS text", {"ä": [1, None]}, '{"a": 1}'
        )

    assert both is not None
    assert dict(both) == {"value": {"ä": [1, None]}, "text": {"a": 1}}


async def test_without_an_open_database_a_query_is_refused_and_connects_nowhere() -> None:
    closed = Database("postgresql://nobody@localhost:1/none")

    with pytest.raises(NoDatabaseError):
        await closed.fetchval("SELECT 1")


async def test_the_last_opened_database_is_the_active_one(
    small: Database, database_url: str
) -> None:
    async with Database(database_url, pool_size=2) as second:
        assert databases.active() is second

    assert databases.active() is small
