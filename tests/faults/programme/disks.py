"""F7: the disk of the database is full, in three ways, or may only be read for a while."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable

import asyncpg

from tests.faults import servers
from tests.faults import test_full_disks as full
from tests.faults.harness import Stage
from tests.faults.programme.tallies import Run, Tally
from tests.faults.test_full_disks import COUNT, PATIENCE_SECONDS, REPLY_SECONDS, Disk
from tests.notifications import smtp_servers

MEGABYTES = 64
FULL: dict[str, Callable[[], Awaitable[None]]] = {
    "no room for rows": full.test_f7_a_disk_without_room_for_rows_costs_no_letter_and_no_process,
    "no room to write ahead": full.test_f7_a_disk_without_room_to_write_ahead_costs_no_letter,
    "no room, and pages alone": full.test_f7_pages_alone_hear_of_a_full_disk_by_what_they_write,
}

READ_ONLY = "to be read only"


async def play(tally: Tally) -> None:
    """Play all runs."""
    tally.plan([*FULL, READ_ONLY])
    for name, test in FULL.items():
        async with tally.run(name):
            await test()
    async with tally.run(READ_ONLY) as run:
        await _may_only_be_read(run)


async def _may_only_be_read(run: Run) -> None:
    """Let PostgreSQL find its tables where nobody may write; it goes on once everybody may."""
    async with full.a_stage(MEGABYTES) as (stage, disk), smtp_servers.running() as server:
        await full.move_tables(stage, disk)
        server.delays["."] = REPLY_SECONDS
        async with full.a_program(stage, server.port) as (program, port):
            await stage.post(COUNT)
            await stage.in_state("sent", 5, PATIENCE_SECONDS)
            # Nothing can be made read-only while somebody has it open for writing.
            await asyncio.to_thread(stage.postgres, "stop", "-m", "fast")
            _remount(disk, "ro")
            await asyncio.to_thread(stage.server.start, fsync=True)
            await full.until_says(stage, port, 503)
            _remount(disk, "rw")
            await full.until_says(stage, port, 200)
            await stage.settled(PATIENCE_SECONDS)
            run.judge(await stage.history(servers.copies(server)))
            run.expect(holds=program.process.returncode is None, otherwise="the process ended")
        await _check(stage)
        run.notes.append("every index could be built anew")


def _remount(disk: Disk, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk.path)], check=True)


async def _check(stage: Stage) -> None:
    """Build every index anew from its table, which fails where rows and keys do not fit."""
    connection = await asyncpg.connect(stage.server.dsn(role="postgres"))
    try:
        await connection.execute("REINDEX DATABASE terminbuch")
    finally:
        await connection.close()
