"""The one Piccolo engine of the process, and the unit of work that its queries join."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

ACQUIRE_SECONDS = 3.0


class DatabaseError(Exception):
    """The database cannot do this."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class DatabaseBusyError(DatabaseError, TimeoutError):
    """All connections to the database are in use."""


class NoDatabaseError(DatabaseError):
    """No database is open in this process."""


class GoodbyeError(DatabaseError, ConnectionError):
    """The database has ended this connection."""


class UnreachableError(DatabaseError, ConnectionError):
    """Nobody answers where the database was: its socket is not there, or its name not known."""


class NestedWorkError(DatabaseError):
    """A unit of work is already open in this task, and units are never nested."""


class InheritedWorkError(DatabaseError):
    """This task inherited a unit of work from the task that started it, and must not use it."""


# What the database says while it restarts, is full, too slow, or chose somebody else.
OUTAGES: tuple[type[Exception], ...] = (
    DatabaseBusyError,
    NoDatabaseError,
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.LockNotAvailableError,
    # It was the first one until a moment ago, and another server is that now.
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    # A migration changed a table in between; the driver has forgotten its old plans by now.
    asyncpg.exceptions.InvalidCachedStatementError,
    # Two forms that wait for each other: one of them is sent away and works when it comes again.
    asyncpg.exceptions.TransactionRollbackError,
)


class UnitOfWork:
    """One connection that belongs to one task, with or without a transaction around it."""

    def __init__(self, connection: asyncpg.Connection, *, transactional: bool) -> None:
        self.connection = connection
        self.transactional = transactional
        self.task = asyncio.current_task()
        self.finished = False


class Engine(PostgresEngine):
    """A Piccolo engine that touches nothing at import and never opens a connection by itself."""

    def __init__(self) -> None:
        super().__init__(config={"database": "terminbuch"}, extensions=())

    async def check_version(self) -> None:
        """Do nothing: the library would connect while this module is imported."""

    async def prep_database(self) -> None:
        """Do nothing: no extension is needed."""

    def current_unit(self) -> UnitOfWork | None:
        """Return the unit of this very task, None outside; refuse one that was inherited."""
        unit: Any = self.current_transaction.get()
        if unit is None:
            return None
        if unit.finished or unit.task is not asyncio.current_task():
            raise InheritedWorkError
        return unit  # type: ignore[no-any-return]

    def transaction(self, allow_nested: bool = True) -> PostgresTransaction:  # noqa: ARG002, FBT001, FBT002
        """Refuse: a COMMIT that fails inside the library's transaction loses its pool slot."""
        raise DatabaseError("Open a unit of work instead of a transaction of the query builder.")

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> Any:
        if self.pool is None:
            raise NoDatabaseError
        connection = await acquire(self.pool)
        try:
            return await connection.fetch(query, *(args or ()))
        finally:
            await self.pool.release(connection)

    async def _run_in_new_connection(self, query: str, args: Sequence[Any] | None = None) -> Any:  # noqa: ARG002
        raise NoDatabaseError

    async def run_querystring(self, querystring: Any, in_pool: bool = True) -> Any:  # noqa: ARG002, FBT001, FBT002
        """Run on the unit of this task, or on a pool connection of its own."""
        self.current_unit()
        return await super().run_querystring(querystring, in_pool=self.pool is not None)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:  # noqa: ARG002, FBT001, FBT002
        """Run on the unit of this task, or on a pool connection of its own."""
        self.current_unit()
        return await super().run_ddl(ddl, in_pool=self.pool is not None)


async def acquire(pool: asyncpg.Pool, seconds: float = ACQUIRE_SECONDS) -> asyncpg.Connection:
    """Take a connection within so many seconds, or raise `DatabaseBusyError`.

    A new one that nobody answers raises a `ConnectionError`, whatever the operating system says.
    """
    try:
        return await pool.acquire(timeout=seconds)
    except TimeoutError:
        raise DatabaseBusyError from None
    except ConnectionError:
        raise
    except OSError as error:
        raise UnreachableError from error


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """Let JSON columns take and give Python values; text passes through as ready JSON.

    The query builder hands over text that it has already encoded, so text is never encoded again.
    """
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_encode_json, decoder=json.loads
        )


def _encode_json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


ENGINE = Engine()
