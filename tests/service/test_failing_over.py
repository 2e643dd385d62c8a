"""The server behind the address is exchanged for another one, or its tables for newer ones."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest
import pytest_asyncio

from service.database import Database
from service.engine import OUTAGES, UnreachableError

pytestmark = pytest.mark.xdist_group("database")

_WRITE = "UPDATE job_health SET last_error = last_error"
_NAME = "SELECT current_database()"


@pytest_asyncio.fixture(loop_scope="session")
async def demoted(database: Database) -> AsyncIterator[Database]:
    """Yield a pool whose connections stand, and lead to what is read-only now."""
    name = await database.fetchval(_NAME)
    await database.fetch(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        async with Database(database.dsn, pool_size=2) as opened:
            await opened.fetchval("SELECT 1")
            await database.fetch(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            yield opened
    finally:
        await database.fetch(f"ALTER DATABASE {name} RESET default_transaction_read_only")


async def test_after_one_refusal_of_a_standby_the_new_server_is_found(demoted: Database) -> None:
    with pytest.raises(OUTAGES) as refused:
        await demoted.fetch(_WRITE)
    await demoted.fetch(_WRITE)

    assert refused.errisinstance(asyncpg.ReadOnlySQLTransactionError)


async def test_a_unit_that_met_a_standby_is_the_last_one_that_does(demoted: Database) -> None:
    with pytest.raises(OUTAGES):
        async with demoted.unit_of_work() as unit:
            await unit.connection.execute(_WRITE)
    async with demoted.unit_of_work() as unit:
        is_writable = await unit.connection.fetchval("SHOW transaction_read_only")

    assert "off" == is_writable


async def test_a_socket_that_is_gone_is_an_outage(database: Database, tmp_path: Path) -> None:
    socket = parse_qs(urlsplit(database.dsn).query)["host"][0]
    way = tmp_path / "way"
    way.symlink_to(socket)
    dsn = database.dsn.replace(quote(socket, safe=""), quote(str(way), safe=""))
    dsn = dsn.replace(socket, str(way))
    async with Database(dsn) as opened:
        await opened.fetchval("SELECT 1")
        way.unlink()
        await opened.pool.expire_connections()
        with pytest.raises(OUTAGES) as refused:
            await opened.fetchval("SELECT 1")
        way.symlink_to(socket)
        found = await opened.fetchval("SELECT 1")

    assert (True, 1) == (refused.errisinstance(UnreachableError), found)


async def test_a_table_that_changed_meanwhile_is_an_outage_of_one_request(
    database: Database,
) -> None:
    await database.fetch("CREATE TABLE grown (id integer)")
    try:
        async with Database(database.dsn, pool_size=1) as opened:

            async def read() -> int:
                async with opened.unit_of_work() as unit:
                    return len((await unit.connection.fetch("SELECT * FROM grown")) or ())

            await read()
            await database.fetch("ALTER TABLE grown ADD COLUMN more text")
            with pytest.raises(OUTAGES) as refused:
                await read()
            read_again = await read()
    finally:
        await database.fetch("DROP TABLE grown")

    assert (0, True) == (read_again, refused.errisinstance(asyncpg.InvalidCachedStatementError))
