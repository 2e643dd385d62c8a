"""A real PostgreSQL for the tests: one server, one migrated template, one clone a worker."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from service import embedded
from service.database import Database

# Address of another server for the tests to use, instead of the embedded one.
SERVER = "TERMINBUCH_TESTS_SERVER"
# What several do at once is judged by what comes of it, and not by how long a busy machine takes.
_LIMITS = {
    "statement_timeout": "100s",
    "lock_timeout": "100s",
    "idle_in_transaction_session_timeout": "100s",
}
_PREFIX = "terminbuch-tests-"
_TEMPLATE = "template_of_tests"

_FOREIGN_KEYS = """
SELECT child.relname AS child, parent.relname AS parent
FROM pg_constraint
JOIN pg_class child ON child.oid = conrelid
JOIN pg_class parent ON parent.oid = confrelid
WHERE contype = 'f' AND conrelid <> confrelid AND child.relnamespace = 'public'::regnamespace
"""
_CLIENTS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'terminbuch'
"""
# Who stands in a queue waits for those ahead, and these for the holder; other sessions may wait for
# locks of their own. Unlike `pg_stat_activity` locks are read afresh within a transaction.
_BLOCKED = """
WITH RECURSIVE waiting (pid) AS (
    SELECT pg_backend_pid()
    UNION
    SELECT l.pid FROM pg_locks l, waiting w
    WHERE NOT l.granted AND w.pid = ANY (pg_blocking_pids(l.pid))
)
SELECT count(*) - 1 FROM waiting
"""
_TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND NOT relispartition
  AND relnamespace = 'public'::regnamespace AND relname <> 'migration'
ORDER BY relname
"""


def make_folder() -> Path:
    """Make this run's folder, where the server's own system user reaches it."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)
    return folder


def remove_leftovers() -> None:
    """Stop the servers of runs that were killed, and remove their folders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        # Another run may begin at the same moment, and be faster.
        with suppress(FileNotFoundError):
            if folder.stat().st_uid == os.geteuid() and not _is_alive(int(owner)):
                remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Stop the server if it still runs, and remove everything."""
    data = folder / "data"
    if (data / "postgres").exists():
        embedded.Server.under(data).stop()
    shutil.rmtree(folder, ignore_errors=True)


def patient(dsn: str, *, pool_size: int) -> Database:
    """Return a database that nobody waits for in front of a page."""
    return Database(dsn, pool_size=pool_size, limits=_LIMITS, acquire_seconds=100)


@asynccontextmanager
async def cloned(folder: Path, name: str) -> AsyncIterator[str]:
    """Yield the address of a fresh copy of the migrated template; drop it afterwards."""
    async with _running(folder) as dsn:
        with _alone(folder / "template.lock"):
            await _make_template(dsn)
            await _execute(dsn, f'CREATE DATABASE "{name}" TEMPLATE {_TEMPLATE}')
        try:
            yield in_database(dsn, name)
        finally:
            connection = await asyncpg.connect(dsn)
            await drop(connection, name)
            await connection.close()


async def drop(connection: asyncpg.Connection, name: str) -> None:
    """Drop a database and end who is in it, but let autovacuum go by itself.

    Its workers belong to nobody, so that only a superuser may end them.
    """
    async with asyncio.timeout(300):
        while True:
            try:
                await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            except asyncpg.InsufficientPrivilegeError:
                await asyncio.sleep(0.05)
            else:
                return


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[str]:
    if SERVER in os.environ:
        yield os.environ[SERVER]
        return
    async with embedded.running(folder / "data", fsync=False) as dsn:
        yield dsn


def in_database(dsn: str, name: str) -> str:
    """Return the same address with another database."""
    return dsn.replace("/terminbuch?", f"/{name}?")


async def is_alone(database: Database) -> bool:
    """Tell whether nobody but this pool can still write to its database.

    What a killed process had said to the database is still carried out after its end. Who only
    listens says nothing, and may be an application that another test has left behind.
    """
    connected: int = await database.fetchval(_CLIENTS)
    return connected <= int(database.pool.get_size())


async def hear_last_words(database: Database) -> None:
    """Wait until the statements of killed processes are through."""
    while not await is_alone(database):
        await asyncio.sleep(0.02)


async def until_blocked(holder: asyncpg.Connection, tasks: Collection[asyncio.Task[Any]]) -> None:
    """Return when all of them wait for what this connection holds, or one waits for nothing."""
    async with asyncio.timeout(300):
        while await holder.fetchval(_BLOCKED) < len(tasks):
            if any(task.done() for task in tasks):
                return
            await asyncio.sleep(0.01)


async def compose_cleaning(dsn: str) -> str:
    """Return one message of DELETEs, children before the rows that they refer to."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = [row["relname"] for row in await connection.fetch(_TABLES)]
        links = [(row["child"], row["parent"]) for row in await connection.fetch(_FOREIGN_KEYS)]
    finally:
        await connection.close()
    return ";".join(f'DELETE FROM "{table}"' for table in _children_first(tables, links))


def _children_first(tables: list[str], links: list[tuple[str, str]]) -> list[str]:
    ordered: list[str] = []
    left = list(tables)
    while left:
        free = [t for t in left if not any(p == t and c in left for c, p in links)]
        # In a ring any order is as good: its constraints must be deferrable anyway.
        ordered += free or left
        left = [t for t in left if t not in ordered]
    return ordered


async def _make_template(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        known = "SELECT count(*) FROM pg_database WHERE datname = $1"
        if await connection.fetchval(known, _TEMPLATE):
            return
        await connection.execute(f"CREATE DATABASE {_TEMPLATE}_unfinished")
        async with Database(in_database(dsn, f"{_TEMPLATE}_unfinished"), pool_size=2) as database:
            await database.migrate()
        await connection.execute(f"ALTER DATABASE {_TEMPLATE}_unfinished RENAME TO {_TEMPLATE}")
    finally:
        await connection.close()


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
