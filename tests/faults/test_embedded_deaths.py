"""The embedded PostgreSQL dies under pages and worker, and nobody has to start anything."""

import asyncio
import os
import signal

import pytest

from notifications import hurrying
from service.embedded import Server
from tests import database as test_database
from tests.end_to_end.programs import Program, running, until
from tests.faults import test_databases
from tests.faults.test_starting import told
from tests.ports import free_port

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.long]


async def until_ready(port: int) -> None:
    async with asyncio.timeout(300):
        while not await test_databases.ready(port, 200):
            await asyncio.sleep(0.2)


def count_starts(*programs: Program) -> int:
    return sum(told(program, "database.started_again") for program in programs)


async def test_an_embedded_server_that_was_killed_is_started_again_by_one_of_its_users() -> None:
    folder, port = test_database.make_folder(), free_port()
    settings = {
        "TERMINBUCH_DATA_DIR": str(folder / "data"),
        "TERMINBUCH_PORT": str(port),
        hurrying.VARIABLE: "10",
    }
    try:
        async with (
            running(settings, "serve", "--role", "worker") as worker,
            running(settings, "serve", "--role", "web") as web,
        ):
            await until_ready(port)
            server = Server.under(folder / "data")
            first = server._postmaster()
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await until(lambda: count_starts(worker, web) == 1, "it was started again")
            await until_ready(port)
            starts, second = count_starts(worker, web), server._postmaster()
            codes = [await worker.stop()]
            shared = server._postmaster()
            codes.append(await web.stop())
            left = server.is_running
    finally:
        test_database.remove_folder(folder)

    assert (1, [0, 0]) == (starts, codes)
    assert first != second == shared
    assert not left
