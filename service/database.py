"""Open PostgreSQL, embedded or external, and hand out units of work with limits."""

import asyncio
import contextvars
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import asyncpg
import structlog

from notifications.connecting import Caller
from notifications.hurrying import hurried
from service import migrations
from service.engine import (
    ACQUIRE_SECONDS,
    ENGINE,
    DatabaseBusyError,
    DatabaseError,
    GoodbyeError,
    InheritedWorkError,
    NestedWorkError,
    NoDatabaseError,
    UnitOfWork,
    acquire,
    prepare_connection,
)

__all__ = [
    "Database",
    "DatabaseBusyError",
    "DatabaseError",
    "GoodbyeError",
    "InheritedWorkError",
    "NestedWorkError",
    "NoDatabaseError",
    "UnitOfWork",
    "active",
    "in_fresh_context",
]

# Piccolo's tables find their engine through this name.
os.environ.setdefault("PICCOLO_CONF", "service.piccolo_conf")

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
Result = TypeVar("Result")

# A page that waits longer is lost to its reader anyway; a stuck lock must not fill the pool.
SESSION_LIMITS = {
    "application_name": "terminbuch",
    "timezone": "UTC",
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "15s",
    # Compiling one of our long statements takes seconds where its cost is guessed too high, and
    # never pays for so few rows.
    "jit": "off",
    # A statement of ours touches few rows, and finds them by an index. Where the server believes
    # itself on a disk with a moving arm, or sees a share of the work for each processor, it reads
    # tables as a whole, and that takes longer with every year.
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    # The server of a client whose machine or way is gone hears of it within two minutes, not hours.
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
# The driver sends a new statement in two steps. A client that is never heard of again between them
# leaves its server waiting with all locks of its transaction, and no limit above runs then: for the
# server the statement has not begun, nor is the session idle. `state_change` is when the last
# message came.
_END_LOST = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = $1
    AND pid <> pg_backend_pid() AND wait_event_type = 'Client' AND xact_start IS NOT NULL
    AND state_change < clock_timestamp() - $2::interval
"""
# Where one connection hears nothing any more, or leads to a server that has become the standby of
# another one, those beside it do no better: new ones are to be made, and find their way.
_ELSEWHERE = (TimeoutError, asyncpg.ReadOnlySQLTransactionError)
LOST_AFTER = timedelta(seconds=15)
CLOSE_SECONDS = 10.0
RELEASE_SECONDS = 5.0
OPEN_SECONDS = 10.0
HOST_SECONDS = 2.0
"""Of several named hosts one may be silent; a page that waits for a connection has three."""

FULL_SECONDS = hurried(60.0, least=5.0)
"""While the disk is full some tick fails to write every few seconds."""

COMMAND_SECONDS = hurried(75.0, least=6.0)
"""Longer than any statement may take: the server gave up before, or nobody is there any more."""

_log = structlog.get_logger(__name__)
_opened: list["Database"] = []


def active() -> "Database":
    """Return the database that was opened last in this process, or raise `NoDatabaseError`."""
    if not _opened:
        raise NoDatabaseError
    return _opened[-1]


async def in_fresh_context(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run the work in a task of its own that inherits no unit of work, and return its result."""
    return await asyncio.create_task(work(), context=contextvars.Context())


class _CurtainError(Exception):
    """The rehearsal is over."""


class Database:
    """A pool of connections to one PostgreSQL; several may be open, the last one is active.

    `limits` replace some of `SESSION_LIMITS` where nobody waits for a page.
    """

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int = 10,
        limits: Mapping[str, str] | None = None,
        acquire_seconds: float = ACQUIRE_SECONDS,
    ) -> None:
        self.dsn = dsn
        self._pool_size = pool_size
        self._limits = SESSION_LIMITS | dict(limits or {})
        self._acquire_seconds = acquire_seconds
        self._pool: asyncpg.Pool | None = None
        self._listeners: set[asyncpg.Connection] = set()
        self._full_tick: float | None = None

    @property
    def pool(self) -> asyncpg.Pool:
        """Return the open pool, or raise `NoDatabaseError`."""
        if self._pool is None:
            raise NoDatabaseError
        return self._pool

    @property
    def is_full(self) -> bool:
        """Tell whether the server found no room to write within the last minute."""
        return self._full_tick is not None and time.monotonic() - self._full_tick < FULL_SECONDS

    @property
    def full_tick(self) -> float | None:
        """Return when a write last found no room, in monotonic seconds; None once one did."""
        return self._full_tick

    def note_room(self, full_tick: float) -> None:
        """Forget that a write found no room then, unless another one did so since."""
        if self._full_tick == full_tick:
            self._full_tick = None

    async def open(self) -> None:
        """Connect and become the active database of this process."""
        self._pool = await asyncpg.create_pool(
            self.dsn,
            min_size=1,
            max_size=self._pool_size,
            init=prepare_connection,
            reset=_keep_session,
            server_settings=self._limits,
            timeout=OPEN_SECONDS,
            command_timeout=COMMAND_SECONDS,
            loop=self._caller(),
        )
        _opened.append(self)
        ENGINE.pool = self._pool

    async def close(self) -> None:
        """Give connections ten seconds to come back, then cut them."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        for listener in self._listeners:
            listener.terminate()
        self._listeners.clear()
        _opened.remove(self)
        ENGINE.pool = _opened[-1].pool if _opened else None
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def unit_of_work(
        self, *, isolation: Isolation | None = None, statement_seconds: float | None = None
    ) -> AsyncIterator[UnitOfWork]:
        """Open one transaction: commit at the end, roll back on any exception or cancellation.

        Queries of this task join it. Nested use raises `NestedWorkError`, an empty pool
        `DatabaseBusyError` after three seconds.
        """
        if ENGINE.current_unit() is not None:
            raise NestedWorkError
        async with self._borrowed(transactional=True) as unit:
            transaction = unit.connection.transaction(isolation=isolation)
            await transaction.start()
            try:
                if statement_seconds is not None:
                    await _set_statement_timeout(unit.connection, statement_seconds)
                yield unit
            except BaseException:
                await _roll_back(unit.connection, transaction)
                raise
            await transaction.commit()

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[UnitOfWork]:
        """Open one transaction that is rolled back at its end: what it wrote, nobody else sees."""
        with suppress(_CurtainError):
            async with self.unit_of_work() as unit:
                yield unit
                raise _CurtainError

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection for plain reads; inside a unit of work it is the unit's own."""
        unit = ENGINE.current_unit()
        if unit is not None:
            yield unit.connection
            return
        async with self._borrowed(transactional=False) as unit:
            yield unit.connection

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Return all rows of one statement."""
        return await self._run("fetch", sql, args)  # type: ignore[no-any-return]

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """Return the first row of one statement, None when there is none."""
        return await self._run("fetchrow", sql, args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """Return the first value of the first row, None when there is none."""
        return await self._run("fetchval", sql, args)

    async def _run(self, kind: str, sql: str, args: Sequence[object]) -> Any:
        """Run one statement in the unit of this task, or on a connection for it alone.

        Nothing of ours runs meanwhile that could join a unit, so none is opened around it.
        """
        unit = ENGINE.current_unit()
        if unit is not None:
            return await getattr(unit.connection, kind)(sql, *args)
        pool = self.pool
        connection = await acquire(pool, self._acquire_seconds)
        try:
            with self._watching(connection):
                return await getattr(connection, kind)(sql, *args)
        except _ELSEWHERE:
            await pool.expire_connections()
            raise
        finally:
            await _give_back(pool, connection)

    @contextmanager
    def _watching(self, connection: asyncpg.Connection) -> Iterator[None]:
        try:
            yield
        except asyncpg.DiskFullError:
            self._full_tick = time.monotonic()
            raise
        except asyncpg.InternalClientError as error:
            # The server's last words have come, the end of the line has not: the driver takes the
            # connection for open, and refuses every statement until it is cut.
            _cut(connection)
            raise GoodbyeError from error

    async def listen(
        self, channel: str, on_message: Callable[[], None], on_begin: Callable[[], None]
    ) -> None:
        """Call `on_message` for everything that is told on a channel, until the connection ends.

        `on_begin` is called as soon as messages arrive; what was told before is missed.
        The connection is one of its own. Messages are hints: behind a pooler in transaction mode
        none arrives.
        """
        if self._pool is None:
            raise NoDatabaseError
        connection = await asyncpg.connect(
            self.dsn,
            timeout=OPEN_SECONDS,
            server_settings={"application_name": "terminbuch listener"},
            loop=self._caller(),
        )
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        self._listeners.add(connection)
        try:
            await connection.add_listener(channel, lambda *_: on_message())
            on_begin()
            await ended.wait()
        finally:
            self._listeners.discard(connection)
            connection.terminate()

    def _caller(self) -> Any:
        """Return the loop that asyncpg connects by: no silent address holds up those behind it."""
        is_one_host = "," not in urlsplit(self.dsn).netloc.rpartition("@")[2]
        return Caller(OPEN_SECONDS if is_one_host else HOST_SECONDS)

    async def end_lost_sessions(self, silence: timedelta = LOST_AFTER) -> int:
        """End transactions of ours, on any machine, whose client is silent so long; count them.

        Silent is a client that the server waits for, be it frozen or out of reach.
        """
        ended = await self.fetchval(_END_LOST, SESSION_LIMITS["application_name"], silence)
        if ended:
            _log.warning("database.lost_sessions_ended", count=ended)
        return int(ended)

    async def migrate(self, apps: Sequence[migrations.Source] | None = None) -> list[str]:
        """Run pending migrations in one transaction and name them; a second caller waits."""
        async with self.unit_of_work() as unit:
            return await migrations.run_pending(unit.connection, apps)

    async def pending_migrations(self) -> list[str]:
        """Name the migrations that this database still lacks."""
        async with self.reading() as connection:
            return await migrations.pending(connection)

    @asynccontextmanager
    async def _borrowed(self, *, transactional: bool) -> AsyncIterator[UnitOfWork]:
        """Whatever happens inside, the slot goes back to the pool and the task forgets the unit."""
        pool = self.pool
        connection = await acquire(pool, self._acquire_seconds)
        unit = UnitOfWork(connection, transactional=transactional)
        current: contextvars.ContextVar[Any] = ENGINE.current_transaction
        token = current.set(unit)
        try:
            with self._watching(unit.connection):
                yield unit
        except _ELSEWHERE:
            await pool.expire_connections()
            raise
        finally:
            unit.finished = True
            current.reset(token)
            await _give_back(pool, unit.connection)


async def _keep_session(connection: asyncpg.Connection) -> None:
    """Skip the round trip of RESET ALL: settings are only ever changed by SET LOCAL."""


async def _set_statement_timeout(connection: asyncpg.Connection, seconds: float) -> None:
    await connection.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")


async def _roll_back(connection: asyncpg.Connection, transaction: Any) -> None:
    """Roll back, and cut the connection when even that fails; the first error stays the cause."""
    try:
        if not connection.is_closed():
            async with asyncio.timeout(RELEASE_SECONDS):
                await transaction.rollback()
    except Exception:  # noqa: BLE001 - whatever the driver raises, the caller's error counts
        _log.warning("database.rollback_failed", exc_info=True)
        _cut(connection)


def _cut(connection: asyncpg.Connection) -> None:
    # The pool may have taken a dead connection back already.
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _give_back(pool: asyncpg.Pool, connection: asyncpg.Connection) -> None:
    try:
        await pool.release(connection, timeout=RELEASE_SECONDS)
    except Exception:  # noqa: BLE001 - the caller's own result or error counts
        # The pool has already replaced the connection.
        _log.warning("database.release_failed", exc_info=True)
