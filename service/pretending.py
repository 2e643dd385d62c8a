"""Let the real code run at a pretended instant, in one transaction that is rolled back.

Use cases open units of work and their statements ask the database for `now()`. On a stage their
units are savepoints of the one rehearsal, and the statements get the pretended instant instead.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from service.database import Database, Isolation, NoDatabaseError, UnitOfWork
from service.engine import ENGINE

# Whoever really works goes first: the rehearsal gives up before anybody waits for long.
_LIMITS = "SET LOCAL lock_timeout = '300ms'; SET LOCAL statement_timeout = '20s'"
_SET = "SELECT set_config('terminbuch.pretended', $1, true)"
_INSTANT = "current_setting('terminbuch.pretended')::timestamptz"
_POSTS = "INSERT INTO letter "
_STEP = timedelta(microseconds=1)
EARLIER = timedelta(milliseconds=50)
"""How long before an instant lie the units of work that are played for it, one after the other."""

# A column's default knows nothing of what is pretended.
_STAMP = f"UPDATE letter SET created_at = {_INSTANT} WHERE created_at = now()"


@lru_cache(maxsize=256)
def _pretend(sql: str) -> str:
    return sql.replace("now()", _INSTANT).replace("current_date", f"({_INSTANT})::date")


class PretendedConnection:
    """A connection whose statements take the pretended instant for the present one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def transaction(self) -> Any:
        """Open a savepoint."""
        return self._connection.transaction()

    async def set_clock(self, at: datetime) -> None:
        """Let it be this instant."""
        await self._connection.fetchval(_SET, at.astimezone(UTC).isoformat())

    async def execute(self, sql: str, *args: object) -> Any:
        """Run a statement and return its status."""
        return await self._run("execute", sql, args)

    async def fetch(self, sql: str, *args: object) -> Any:
        """Return all rows."""
        return await self._run("fetch", sql, args)

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """Return the first row, None when there is none."""
        return await self._run("fetchrow", sql, args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first value of the first row, None when there is none."""
        return await self._run("fetchval", sql, args)

    async def _run(self, kind: str, sql: str, args: tuple[object, ...]) -> Any:
        result = await getattr(self._connection, kind)(_pretend(sql), *args)
        if _POSTS in sql:
            await self._connection.execute(_STAMP)
        return result


class Stage(Database):
    """A database for use cases in a rehearsal; its units of work are never committed."""

    def __init__(self, database: Database, connection: PretendedConnection, at: datetime) -> None:
        super().__init__(database.dsn)
        self._connection = connection
        self._at = at
        self._units = 0

    def now(self) -> datetime:
        """Return the pretended instant; use cases take it for their clock."""
        return self._at

    async def set_clock(self, at: datetime) -> None:
        """Let it be this instant, for the code and for its statements."""
        self._at = at
        self._units = 0
        await self._connection.set_clock(at)

    @asynccontextmanager
    async def unit_of_work(
        self,
        *,
        isolation: Isolation | None = None,  # noqa: ARG002 - that of the rehearsal holds
        statement_seconds: float | None = None,  # noqa: ARG002 - as above
    ) -> AsyncIterator[UnitOfWork]:
        """Open a savepoint inside the rehearsal; an exception takes back what it wrote.

        Its statements see an instant of their own, a little before the present one: some tell what
        their own transaction wrote from what others wrote before, and by nothing but that.
        """
        unit = ENGINE.current_unit()
        if unit is None:
            raise NoDatabaseError
        self._units += 1
        await self._connection.set_clock(self._at - EARLIER + self._units * _STEP)
        async with unit.connection.transaction():
            yield unit


@asynccontextmanager
async def staging(database: Database, at: datetime) -> AsyncIterator[Stage]:
    """Open a stage at a pretended instant; at its end nothing of what happened there is left."""
    async with database.rehearsal() as unit:
        real = unit.connection
        await real.execute(_LIMITS)
        pretended = PretendedConnection(real)
        unit.connection = pretended
        try:
            stage = Stage(database, pretended, at)
            await stage.set_clock(at)
            yield stage
        finally:
            unit.connection = real
