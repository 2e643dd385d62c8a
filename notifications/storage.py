"""What this package asks of a database; `service` has the real one."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import asyncpg

# What PostgreSQL says of values: they fit no type, break a rule, or are too long for an index.
_OF_VALUES = (
    asyncpg.DataError,
    asyncpg.CheckViolationError,
    asyncpg.NotNullViolationError,
    asyncpg.ProgramLimitExceededError,
)
_OF_THE_WAY = (asyncpg.PostgresError, asyncpg.InternalClientError, OSError, MemoryError)


def is_of_content(error: Exception) -> bool:
    """Tell whether an error comes from values, so that it comes again as often as they do.

    All others come from the database, the way to it or the machine, and may be gone in a minute.
    """
    if isinstance(error, asyncpg.InterfaceError):
        # The driver's own word for values that it cannot write.
        return isinstance(error, ValueError)
    return isinstance(error, _OF_VALUES) or not isinstance(error, _OF_THE_WAY)


class Connection(Protocol):
    """One connection to PostgreSQL inside somebody's transaction (asyncpg's, in truth)."""

    async def execute(self, query: str, *args: Any) -> str:
        """Run one statement and return its status, such as `INSERT 0 3`."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Return all rows."""

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Return the first value of the first row, None when there is none."""

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Open a savepoint: what fails inside of it is undone, what was before it stays."""


class Fetching(Protocol):
    """A database, or one of its connections."""

    async def fetch(self, sql: str, /, *args: object) -> Sequence[Any]:
        """Return all rows of one statement."""


class Unit(Protocol):
    """A transaction that commits when its block ends."""

    @property
    def connection(self) -> Any:
        """The connection that the transaction runs on."""


class Database(Protocol):
    """Units of work, and single statements that commit by themselves."""

    def unit_of_work(self) -> AbstractAsyncContextManager[Unit]:
        """Open one transaction."""

    def reading(self) -> AbstractAsyncContextManager[Any]:
        """Lend a connection whose statements commit by themselves."""

    async def fetch(self, sql: str, /, *args: object) -> Sequence[Any]:
        """Return all rows of one statement."""

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """Return the first row, None when there is none."""

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first value of the first row, None when there is none."""
