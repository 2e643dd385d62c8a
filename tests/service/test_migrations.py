"""All pending migrations run in one transaction, in one process at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from service import app, migrations
from service.database import Database, in_fresh_context
from service.domain.reminders import DEFAULT_RULES
from service.migrations import Source
from tests import database as test_database

pytestmark = pytest.mark.xdist_group("database")

MIGRATION = """
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

async def forwards():
    manager = MigrationManager(migration_id="{name}", app_name="tried")
    async def run():
        await engine_finder().run_ddl("{sql}")
    manager.add_raw(run)
    return manager
"""


def _app(folder: Path, **statements: str) -> list[Source]:
    folder.mkdir(exist_ok=True)
    for name, sql in statements.items():
        (folder / f"{name}.py").write_text(MIGRATION.format(name=name, sql=sql))
    return [Source("tried", folder)]


@pytest_asyncio.fixture(loop_scope="session")
async def empty(database_url: str) -> AsyncIterator[Database]:
    """Yield a database without any table."""
    name = "empty_" + database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"CREATE DATABASE {name}")
    address = database_url.split("?")
    async with Database(f"{address[0].rsplit('/', 1)[0]}/{name}?{address[1]}", pool_size=4) as it:
        yield it
    await test_database.drop(owner, name)
    await owner.close()


async def test_pending_migrations_run_once_and_in_order(empty: Database, tmp_path: Path) -> None:
    apps = _app(tmp_path / "m", b_2="ALTER TABLE made ADD y int", a_1="CREATE TABLE made (x int)")

    assert await empty.migrate(apps) == ["tried.a_1", "tried.b_2"]
    assert await empty.migrate(apps) == []
    assert await empty.fetch("SELECT x, y FROM made") == []


async def test_a_migration_that_fails_takes_all_others_back(
    empty: Database, tmp_path: Path
) -> None:
    apps = _app(tmp_path / "m", a_1="CREATE TABLE made (x int)", b_2="ALTER TABLE none ADD y int")

    with pytest.raises(asyncpg.UndefinedTableError):
        await empty.migrate(apps)

    assert await empty.fetchval("SELECT to_regclass('made')") is None
    assert await empty.fetchval("SELECT to_regclass('migration')") is None


async def test_of_two_callers_one_migrates_and_the_other_waits(
    empty: Database, tmp_path: Path
) -> None:
    apps = _app(tmp_path / "m", a_1="CREATE TABLE made AS SELECT pg_sleep(0.3)::text")

    both = await asyncio.gather(empty.migrate(apps), empty.migrate(apps))

    assert sorted(both) == [[], ["tried.a_1"]]


async def test_of_several_that_start_together_one_makes_the_rules_that_everybody_has(
    database: Database,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(test_database.patient(database.dsn, pool_size=1))
            for _ in "abc"
        ]
        async with database.unit_of_work() as unit:
            # Rules can be looked for, but not be made.
            await unit.connection.execute("LOCK TABLE reminder_rule IN EXCLUSIVE MODE")
            starts = [
                asyncio.create_task(in_fresh_context(partial(app._furnish, replica)))
                for replica in replicas
            ]
            await test_database.until_blocked(unit.connection, starts)
        await asyncio.gather(*starts)
    found = await database.fetchval("SELECT count(*) FROM reminder_rule")

    assert len(DEFAULT_RULES) == found


async def test_our_own_migrations_are_complete_in_the_template(database: Database) -> None:
    assert await database.pending_migrations() == []


async def test_an_empty_database_names_what_it_lacks(empty: Database) -> None:
    assert "service.service_0001_people" in await empty.pending_migrations()


def test_no_migration_has_the_name_of_another_or_of_a_module() -> None:
    names = [name for source in migrations.sources() for name in migrations._names_in(source)]

    assert len(set(names)) == len(names)
    assert all(name.startswith(("service_", "notifications_")) for name in names)
