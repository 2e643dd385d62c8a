"""Which answers of a database are waited out at a start, and which are not."""

import asyncio
import socket

import asyncpg
import pytest

from service import awaiting


class Door:
    """A database that answers with one error after the other, and then lets in."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.stopping = asyncio.Event()
        self.told = 0

    async def opens(self) -> str:
        """Answer once more."""
        if self.errors:
            raise self.errors.pop(0)
        return "open"

    async def stop(self) -> None:
        """Be told that it is away, and ask to stop."""
        self.told += 1
        self.stopping.set()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "refused"),
        FileNotFoundError(2, "no socket"),
        socket.gaierror(-3, "no such name yet"),
        TimeoutError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("too many clients"),
        asyncpg.AdminShutdownError("shutting down"),
        asyncpg.DiskFullError("no space left"),
        asyncpg.ReadOnlySQLTransactionError("a standby"),
        asyncpg.ConnectionDoesNotExistError("closed in the middle"),
    ],
)
async def test_a_database_that_may_come_back_is_waited_for(error: Exception) -> None:
    door = Door(error)

    opened = await awaiting.open_patiently(door.opens, door.stopping, door.stop)

    assert (None, 1) == (opened, door.told)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidAuthorizationSpecificationError("no entry for host"),
        asyncpg.InvalidCatalogNameError("no such database"),
        asyncpg.InsufficientPrivilegeError("permission denied for schema public"),
    ],
)
async def test_a_database_that_refuses_is_no_use_to_wait_for(error: Exception) -> None:
    door = Door(error)

    with pytest.raises(type(error)):
        await awaiting.open_patiently(door.opens, door.stopping, door.stop)

    assert 0 == door.told


async def test_a_defect_of_ours_is_not_waited_out() -> None:
    door = Door(asyncpg.UndefinedTableError("no such table"))

    with pytest.raises(asyncpg.UndefinedTableError):
        await awaiting.open_patiently(door.opens, door.stopping, door.stop)


async def test_who_is_told_to_stop_ends_the_work_that_is_under_way() -> None:
    stopping = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> str:
        stopping.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    found = await awaiting.unless_stopped(work(), stopping)

    assert (None, True) == (found, ended.is_set())


async def test_work_that_is_done_counts_even_when_told_to_stop() -> None:
    stopping = asyncio.Event()
    stopping.set()

    async def work() -> str:
        return "done"

    found = await awaiting.unless_stopped(work(), stopping)

    assert "done" == found
