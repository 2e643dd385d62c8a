"""An embedded PostgreSQL that died is started again, and one that was stopped is not."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from service import embedded, reviving
from service.embedded import EmbeddedServerError, Server
from service.reviving import Guard
from tests.service import test_embedded
from tests.service.test_embedded import _ask

pytestmark = pytest.mark.xdist_group("embedded")

folder = test_embedded.folder
finished_cluster = test_embedded.finished_cluster
used_folder = test_embedded.used_folder


def a_guard(folder: Path) -> Guard:
    """Return a guard whose tries are short."""
    return Guard(Server.under(folder), fsync=False, start_seconds=0)


async def kill(folder: Path) -> None:
    """Kill the server as the kernel does when memory runs out, and wait until it is gone."""
    pid = Server.under(folder)._postmaster()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while Server.under(folder).is_running:
        await asyncio.sleep(0.01)


async def look(guard: Guard) -> bool:
    """Let it look until it has seen a server; its last children may keep a new one out."""
    while True:
        try:
            return await guard.look()
        except EmbeddedServerError:
            await asyncio.sleep(0.1)


async def test_of_two_that_share_a_server_that_was_killed_one_starts_it_again(
    used_folder: Path,
) -> None:
    async with embedded.running(used_folder, fsync=False) as dsn:
        await kill(used_folder)
        started = await asyncio.gather(*(look(a_guard(used_folder)) for _ in range(2)))
        await Server.under(used_folder).run_until_ready(fsync=False)
        kept = await _ask(dsn, "SELECT count(*) FROM kept")

    assert [False, True] == sorted(started)
    assert 1 == kept
    assert not Server.under(used_folder).is_running


async def test_a_server_that_was_stopped_stays_so(used_folder: Path) -> None:
    guard = a_guard(used_folder)
    async with embedded.running(used_folder, fsync=False):
        await asyncio.to_thread(Server.under(used_folder).stop)
        started = await guard.look()
        runs = Server.under(used_folder).is_running

    assert (False, False) == (started, runs)


async def test_no_empty_database_takes_the_place_of_data_that_are_gone(used_folder: Path) -> None:
    async with embedded.running(used_folder, fsync=False):
        await kill(used_folder)
        (used_folder / "postgres").rename(used_folder / "elsewhere")
        started = await a_guard(used_folder).look()

    assert not started
    assert not (used_folder / "postgres").exists()


async def test_while_it_does_not_start_the_pauses_grow(used_folder: Path) -> None:
    guard = a_guard(used_folder)
    settings = used_folder / "postgres" / "postgresql.conf"
    async with embedded.running(used_folder, fsync=False):
        text = settings.read_text()
        settings.write_text(text + "nonsense = 1\n")
        await kill(used_folder)
        pauses = []
        for _ in range(2):
            with pytest.raises(EmbeddedServerError):
                await guard.look()
            pauses.append(guard.pause_seconds)
        settings.write_text(text)
        started = await look(guard)
        await guard.look()

    assert [2 * reviving.LOOK_SECONDS, 4 * reviving.LOOK_SECONDS] == pauses
    assert started
    assert guard.pause_seconds > pauses[-1]
