"""Run pending migrations: all of them in one transaction, one process at a time."""

import contextlib
import importlib.util
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import asyncpg
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

STATEMENT_SECONDS = 60.0
# Any number will do, as long as every replica asks for the same one.
LOCK = 7_265_001

_CREATE_LEDGER = """
CREATE TABLE IF NOT EXISTS migration (
    id serial PRIMARY KEY,
    name varchar(200) NOT NULL,
    app_name varchar(200) NOT NULL,
    ran_on timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    UNIQUE (app_name, name)
)
"""


class Source(NamedTuple):
    """An app's name and the folder of its migration files."""

    app: str
    folder: Path


def sources() -> list[Source]:
    """Name the apps in the order in which their tables may refer to each other."""
    here = Path(__file__).parent
    return [
        Source("notifications", here.parent / "notifications" / "piccolo_migrations"),
        Source("service", here / "piccolo_migrations"),
    ]


async def run_pending(
    connection: asyncpg.Connection, apps: Sequence[Source] | None = None
) -> list[str]:
    """Run what has not run yet inside the caller's transaction, and return the names.

    The caller's unit of work must be open: Piccolo's queries join it. A second caller waits.
    """
    await take_turn(connection)
    await connection.execute(_CREATE_LEDGER)
    return [
        f"{source.app}.{name}"
        for source in (sources() if apps is None else apps)
        for name in await _run_source(connection, source)
    ]


async def take_turn(connection: asyncpg.Connection) -> None:
    """Let one process at a time make what every installation has, until the transaction ends.

    Others wait for a minute. What they look for after that, they see as it was committed.
    """
    await connection.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS:.0f}s'")
    await connection.execute(f"SET LOCAL lock_timeout = '{STATEMENT_SECONDS:.0f}s'")
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)


async def pending(
    connection: asyncpg.Connection, apps: Sequence[Source] | None = None
) -> list[str]:
    """Name the migrations that have not run, changing nothing."""
    ledger = await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL")
    return [
        f"{source.app}.{name}"
        for source in (sources() if apps is None else apps)
        for name in _names_in(source)
        if not ledger or name not in await _names_run(connection, source)
    ]


async def _run_source(connection: asyncpg.Connection, source: Source) -> list[str]:
    done = await _names_run(connection, source)
    new = [name for name in _names_in(source) if name not in done]
    for name in new:
        await _run_one(_load(source, name))
        await connection.execute(
            "INSERT INTO migration (name, app_name) VALUES ($1, $2)", name, source.app
        )
    return new


async def _names_run(connection: asyncpg.Connection, source: Source) -> set[str]:
    rows: Iterable[Any] = await connection.fetch(
        "SELECT name FROM migration WHERE app_name = $1", source.app
    )
    return {row["name"] for row in rows}


def _names_in(source: Source) -> list[str]:
    return sorted(path.stem for path in source.folder.glob("*.py") if path.stem != "__init__")


def _load(source: Source, name: str) -> ModuleType:
    # Piccolo imports migrations by their bare file name, where one could shadow a module.
    spec = importlib.util.spec_from_file_location(
        f"{source.app}_migrations_{name}", source.folder / f"{name}.py"
    )
    if spec is None or spec.loader is None:  # pragma: no cover
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def _run_one(module: ModuleType) -> None:
    manager = await module.forwards()
    if isinstance(manager, MigrationManager):
        # The outer transaction is the only one; Piccolo's own would be recorded outside it.
        manager.wrap_in_transaction = False
        with contextlib.redirect_stdout(io.StringIO()):
            await manager.run()
